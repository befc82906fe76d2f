"""A replay with a bundle and a policy: one way for a single bag and for the jobs of a plan."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from crodino_core.bundle import ModelBundle
from crodino_core.evaluation.recording import Recording
from crodino_core.evaluation.records import ReplayResult
from crodino_core.evaluation.replay import replay
from crodino_core.evaluation.replay_memory import PredictionMemory, RememberingSegmenter
from crodino_core.evaluation.scenario import Scenario
from crodino_core.runtime.arbiter import Arbiter
from crodino_core.runtime.engines import LoadedEngines
from crodino_core.runtime.health import HealthSettings
from crodino_core.runtime.quality import watch_for
from crodino_core.runtime.selector import FailoverSelector


def replay_with(
    recording: Recording,
    bundle: ModelBundle,
    loaded: LoadedEngines,
    arbiter: Arbiter,
    scenario: Scenario | None = None,
    *,
    memory: PredictionMemory | None = None,
    **options: Any,
) -> ReplayResult:
    """Replay a recording with fresh selectors; the result names bundle, engine and policy.

    :param loaded: engines of the bundle, with logits if the policy is one of `FUSING`.
    :param memory: of this recording and bundle; with it latencies mean nothing.
    :param options: see `replay`.
    :raises CrodinoError: the bundle is not calibrated, which the policy `best` needs.
    :raises UsageError: see `replay`.
    """
    policy = asdict(arbiter)
    health = HealthSettings().reaching(bundle.depth_range)
    segmenter = RememberingSegmenter(bundle, engines=loaded.engines, health=health, **policy)
    segmenter.memory = memory
    watch = watch_for(bundle, arbiter.policy)
    reference = FailoverSelector(quality=watch, health=health, **policy)
    result = replay(recording, segmenter, reference, scenario, labels=bundle.labels, **options)
    facts = loaded.describe()
    result.model = bundle.name
    result.engine = f'{facts["name"]} {facts["version"]}'
    result.device = facts['device']
    result.engines_passed_over = facts['passed_over']
    result.policy = {key: str(value) for key, value in policy.items()}
    return result

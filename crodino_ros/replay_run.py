"""One replay of one bag: bag, bundle and scenario in; masks and records out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from crodino_core.bundle import ModelBundle
from crodino_core.evaluation.inference_time import InferenceTime
from crodino_core.evaluation.records import ReplayResult
from crodino_core.evaluation.replay import replay
from crodino_core.evaluation.scenario import Scenario
from crodino_core.modality import Modality
from crodino_core.progress import progress_bar
from crodino_core.runtime.arbiter import FUSING
from crodino_core.runtime.engines import load_engines
from crodino_core.runtime.quality import watch_for
from crodino_core.runtime.segmenter import FailoverSegmenter
from crodino_core.runtime.selector import FailoverSelector
from crodino_ros.bags import BagRecording
from crodino_ros.mask_bag import MaskBagWriter


@dataclass(frozen=True)
class ReplaySettings:
    """How a bag is replayed; see `FailoverSegmenter` for the policy's options."""

    model: Path
    scenario: Scenario | None = None
    engine: str = 'auto'
    topics: Mapping[str, str] = field(default_factory=dict)
    policy: str = 'prefer'
    prefer: Modality = Modality.RGB
    when_none: str = 'silence'
    threads: int | None = None
    inference_time: InferenceTime = None
    """See `crodino_core.evaluation.replay.replay`."""


def replay_bag(bag: Path, settings: ReplaySettings, out: Path) -> ReplayResult:
    """Replay a bag and write its masks.

    :param out: folder for the mask bag `masks`; if the replay fails it is not made.
    :raises CrodinoError: the bag, the bundle or the engine cannot be used.
    """
    is_new = not out.exists()
    try:
        return _replay(bag, settings, out / 'masks')
    except BaseException:
        if is_new:
            with suppress(OSError):  # never made, or not empty: the first error is the one to say
                out.rmdir()
        raise


def _replay(bag: Path, settings: ReplaySettings, masks: Path) -> ReplayResult:
    recording = BagRecording(bag, settings.topics)
    bundle = ModelBundle.load(settings.model)
    policy = {
        'policy': settings.policy,
        'prefer': settings.prefer,
        'when_none': settings.when_none,
    }
    # Before the networks: a wrong option is found at once.
    reference = FailoverSelector(quality=watch_for(bundle, settings.policy), **policy)  # type: ignore[arg-type]
    loaded = load_engines(
        bundle, settings.engine, settings.threads, logits=settings.policy in FUSING
    )
    segmenter = FailoverSegmenter(bundle, engines=loaded.engines, **policy)  # type: ignore[arg-type]
    with progress_bar() as bar, MaskBagWriter(masks, recording.start_ns, bundle.labels) as writer:
        task = bar.add_task(f'replaying {recording.name}', total=round(recording.duration, 1))
        result = replay(
            recording,
            segmenter,
            reference,
            settings.scenario,
            labels=bundle.labels,
            sink=writer.write,
            label_sink=writer.write_label,
            state_sink=writer.write_states,
            inference_time=settings.inference_time,
            progress=lambda seconds: bar.update(task, completed=round(seconds, 1)),
        )
    facts = loaded.describe()
    result.model = bundle.name
    result.engine = f'{facts["name"]} {facts["version"]}'
    result.device = facts['device']
    result.policy = {key: str(value) for key, value in policy.items()}
    return result

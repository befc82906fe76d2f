"""Plans: which bags are replayed with which scenarios, policies and bundles; read from YAML.

    description: Every way a sensor dies, on our corridor.
    bags:
      - recordings/corridor
      - {path: recordings/hall.mcap, name: hall, topics: {rgb: /left/image_raw}}
    scenarios: [clean, camera_blackout, mine.yaml]      # or: all
    policies: [prefer, {name: depth first, prefer: depth}, average]
    bundles: [models/indoor, {path: models/mine, precision: int8}]   # or the shipped one
    severities: [1, 3, 5]                               # without it: as the scenarios say
    engine: auto
    inference_time: 15                                  # ms, or measured
    memory_mb: 512                                      # for what each worker keeps decoded

Paths are relative to the plan. Each combination is one job; 'clean' (no fault) has no severity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import yaml

from crodino_core.errors import UsageError
from crodino_core.evaluation.failure_job import (
    DEFAULT_MEMORY_MB,
    BagEntry,
    BundleEntry,
    FailureJob,
    PolicyEntry,
)
from crodino_core.evaluation.failure_plan_entries import ALL, PlanReader
from crodino_core.evaluation.faults import FAULTS
from crodino_core.evaluation.inference_time import InferenceTime, parse_inference_time
from crodino_core.evaluation.scenario import Scenario
from crodino_core.known_words import check_keys
from crodino_core.runtime.engines import AUTO
from crodino_core.strict_yaml import load_strictly

_KEYS = (
    'description', 'bags', 'scenarios', 'policies', 'bundles', 'severities', 'engine',
    'inference_time', 'memory_mb',
)  # fmt: skip


@dataclass(frozen=True)
class FailurePlan:
    """A plan: its jobs are the combinations of its lists."""

    path: Path
    description: str
    bags: tuple[BagEntry, ...]
    scenarios: tuple[Scenario | None, ...]
    policies: tuple[PolicyEntry, ...]
    bundles: tuple[BundleEntry, ...]
    severities: tuple[int | None, ...] = (None,)
    engine: str = 'auto'
    inference_time: InferenceTime = None
    memory_mb: int = DEFAULT_MEMORY_MB

    def jobs(self) -> list[FailureJob]:
        """Return every job, those of one bag and bundle in a row."""
        return [
            FailureJob(
                bag,
                bundle,
                policy,
                None if scenario is None else with_severity(scenario, severity),
                severity,
                self.engine,
                self.inference_time,
                self.memory_mb,
            )
            for bag, bundle, policy, scenario in product(
                self.bags, self.bundles, self.policies, self.scenarios
            )
            for severity in ((None,) if scenario is None else self.severities)
        ]


def with_severity(scenario: Scenario, severity: int | None) -> Scenario:
    """Return a scenario with every fault at a severity from 1 to 5; None leaves it as it is."""
    if severity is None:
        return scenario
    faults = []
    for fault in scenario.faults:
        kind = FAULTS[fault.kind]
        given = {**fault.parameters, kind.measure: 0.0, 'severity': severity}
        faults.append(replace(fault, parameters=kind.complete(given)))
    return replace(scenario, faults=tuple(faults))


def load_plan(path: str | Path, default_bundle: Path) -> FailurePlan:
    """Read a plan.

    Whether its bags and bundles can be used is not looked at: that is found, and recorded, job
    by job.

    :param default_bundle: taken where the plan names no bundle.
    :raises UsageError: it cannot be read, or a key or value of it is wrong.
    """
    path = Path(path)
    try:
        content = load_strictly(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        raise UsageError(f'the plan {path} cannot be read: {reason}') from error
    if not isinstance(content, dict):
        raise UsageError(f'{path}: a mapping with the keys {", ".join(_KEYS)} was expected')
    check_keys(content, _KEYS, str(path))
    reader = PlanReader(path)
    return FailurePlan(
        path=path,
        description=str(content.get('description') or ''),
        bags=reader.entries(content, 'bags', reader.bag),
        scenarios=reader.scenarios(content.get('scenarios', ALL)),
        policies=reader.entries(content, 'policies', reader.policy, ['prefer']),
        bundles=reader.entries(content, 'bundles', reader.bundle, [str(default_bundle.resolve())]),
        severities=reader.severities(content.get('severities')),
        engine=reader.engine(content.get('engine', AUTO)),
        inference_time=parse_inference_time(content.get('inference_time')),
        memory_mb=reader.memory_mb(content.get('memory_mb', DEFAULT_MEMORY_MB)),
    )

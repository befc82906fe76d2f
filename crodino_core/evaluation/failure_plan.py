"""Plans: which bags are replayed with which scenarios, policies and bundles; read from YAML.

    description: Every way a sensor dies, on our corridor.
    bags:
      - recordings/corridor
      - {path: recordings/hall.mcap, name: hall, topics: {rgb: /left/image_raw}}
    scenarios: [clean, camera_blackout, mine.yaml]      # or: all
    policies: [prefer, {name: depth first, prefer: depth}, average]
    bundles: [models/indoor]                            # without it: the one that is shipped
    severities: [1, 3, 5]                               # without it: as the scenarios say
    engine: auto
    inference_time: 15                                  # ms, or measured
    memory_mb: 512                                      # for what each worker keeps decoded

Paths are relative to the plan. Each combination is one job; 'clean' (no fault) has no severity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import yaml

from crodino_core.errors import UsageError
from crodino_core.evaluation.failure_job import (
    CLEAN,
    DEFAULT_MEMORY_MB,
    BagEntry,
    BundleEntry,
    FailureJob,
    PolicyEntry,
)
from crodino_core.evaluation.faults import FAULTS
from crodino_core.evaluation.inference_time import InferenceTime, parse_inference_time
from crodino_core.evaluation.known_words import check_keys, nearest
from crodino_core.evaluation.scenario import Scenario, load_scenario, scenario_names
from crodino_core.modality import Modality
from crodino_core.runtime.arbiter import Arbiter
from crodino_core.runtime.engines import AUTO, ENGINE_NAMES
from crodino_core.strict_yaml import load_strictly
from crodino_core.variants import FLOAT32, PRECISIONS, parse_resolution

ALL = 'all'
_KEYS = (
    'description', 'bags', 'scenarios', 'policies', 'bundles', 'severities', 'engine',
    'inference_time', 'memory_mb',
)  # fmt: skip
_ROLES = ('rgb', 'depth', 'label')


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
    reader = _Reader(path)
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


_Entry = TypeVar('_Entry', BagEntry, PolicyEntry, BundleEntry)


class _Reader:
    """Reads the parts of a plan; its errors say where they are."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(
        self,
        content: Mapping[str, Any],
        key: str,
        read: Callable[[Any, str], _Entry],
        default: list[Any] | None = None,
    ) -> tuple[_Entry, ...]:
        """Read a list whose entries have names; two of one name are an error."""
        where = f'{self._path}: {key}'
        found = content.get(key, default)
        if not isinstance(found, list) or not found:
            raise UsageError(f'{where} is {found!r}; a list with at least one entry was expected')
        entries = tuple(read(each, f'{where}, entry {n}') for n, each in enumerate(found, 1))
        name, count = Counter(entry.name for entry in entries).most_common(1)[0]
        if count > 1:
            raise UsageError(
                f'{where}: {count} entries are called {name!r}; give each a name of its own, '
                'e.g. {name: mine, ...}'
            )
        return entries

    def bag(self, value: Any, where: str) -> BagEntry:
        path, options = self._located(value, where, ('path', 'name', 'topics'))
        topics = options.get('topics') or {}
        if not isinstance(topics, dict):
            raise UsageError(f'{where}: topics is {topics!r}; a mapping by role was expected')
        check_keys(topics, _ROLES, f'{where}: topics')
        topics = {role: str(topic) for role, topic in topics.items()}
        return BagEntry(str(options.get('name') or path.name), path, topics)

    def bundle(self, value: Any, where: str) -> BundleEntry:
        path, options = self._located(value, where, ('path', 'name', 'precision', 'resolution'))
        precision = options.get('precision', FLOAT32)
        if precision not in PRECISIONS:
            raise UsageError(
                f'{where}: the precision is {precision!r}{nearest(str(precision), PRECISIONS)}'
            )
        try:
            resolution = parse_resolution(str(options.get('resolution', '')))
        except UsageError as error:
            raise UsageError(f'{where}: {error}') from error
        chosen = [str(options[key]) for key in ('precision', 'resolution') if key in options]
        name = str(options.get('name') or ' '.join([path.name, *chosen]))
        return BundleEntry(name, path, precision, resolution)

    def policy(self, value: Any, where: str) -> PolicyEntry:
        options = {'policy': value} if isinstance(value, str) else value
        if not isinstance(options, dict):
            raise UsageError(f'{where} is {value!r}; the name of a policy or a mapping expected')
        check_keys(options, ('name', 'policy', 'prefer', 'when_none'), where)
        prefer = options.get('prefer', Modality.RGB.value)
        sensors = [modality.value for modality in Modality]
        if prefer not in sensors:
            raise UsageError(f'{where} prefers {prefer!r}{nearest(prefer, sensors)}')
        chosen = {key: str(options[key]) for key in ('policy', 'when_none') if key in options}
        try:
            Arbiter(prefer=Modality(prefer), **chosen)
        except UsageError as error:
            raise UsageError(f'{where}: {error}') from error
        words = [chosen.get('policy', 'prefer'), *([prefer] if 'prefer' in options else [])]
        name = str(options.get('name') or ' '.join(words))
        return PolicyEntry(name, prefer=Modality(prefer), **chosen)

    def scenarios(self, value: Any) -> tuple[Scenario | None, ...]:
        names = [CLEAN, *scenario_names()] if value == ALL else value
        if not isinstance(names, list) or not names:
            raise UsageError(
                f'{self._path}: scenarios is {value!r}; {ALL!r} or a list of names and files '
                'was expected'
            )
        found = [self._scenario(name, n) for n, name in enumerate(names, 1)]
        name, count = Counter(s.name if s else CLEAN for s in found).most_common(1)[0]
        if count > 1:
            raise UsageError(f'{self._path}: {count} scenarios are called {name!r}')
        return tuple(found)

    def _scenario(self, name: Any, number: int) -> Scenario | None:
        where = f'{self._path}: scenarios, entry {number}'
        if not isinstance(name, str):
            raise UsageError(f'{where} is {name!r}; the name of a scenario or a file expected')
        if name == CLEAN:
            return None
        if name.endswith(('.yaml', '.yml')):
            name = str(self._path.parent / name)
        try:
            return load_scenario(name)
        except UsageError as error:
            raise UsageError(f'{where}: {error}') from error

    def severities(self, value: Any) -> tuple[int | None, ...]:
        if value is None:
            return (None,)
        if (
            not isinstance(value, list)
            or not value
            or any(type(each) is not int or not 1 <= each <= 5 for each in value)
            or len(set(value)) < len(value)
        ):
            raise UsageError(
                f'{self._path}: severities is {value!r}; a list of different numbers from 1 '
                '(slight) to 5 (worst) was expected'
            )
        return tuple(value)

    def engine(self, value: Any) -> str:
        known = [AUTO, *ENGINE_NAMES]
        if value not in known:
            raise UsageError(f'{self._path}: the engine is {value!r}{nearest(str(value), known)}')
        return str(value)

    def memory_mb(self, value: Any) -> int:
        if type(value) is not int or value < 0:
            raise UsageError(f'{self._path}: memory_mb is {value!r}; megabytes (512) expected')
        return value

    def _located(
        self, value: Any, where: str, keys: tuple[str, ...]
    ) -> tuple[Path, dict[str, Any]]:
        """Return the path an entry names, and the entry as a mapping."""
        options = {'path': value} if isinstance(value, str) else value
        if not isinstance(options, dict) or not isinstance(options.get('path'), str):
            raise UsageError(f'{where} is {value!r}; a path or {{path: ...}} was expected')
        check_keys(options, keys, where)
        return self._path.parent / options['path'], options

"""Scenarios: which sensor fails when, and how; read from YAML.

    description: The colour camera's cable is pulled and replugged.
    faults:
      - {sensor: rgb, kind: drop, from: 3.0, to: 6.0}
      - {sensor: depth, kind: freeze, from: 80%, advance_stamps: false}

Times are seconds since the first frame of the recording, or percent of its duration; a fault
without `to` lasts until the end. Further keys of a fault are its parameters (see `faults`): every
one takes `severity` (1 to 5) and `seed`.

Faults of one sensor that overlap work on each other's result in the order listed, unless both
decide the same of the stream (which frames come, when they come, which stamps they bear): such
two contradict each other, and the scenario is refused. A fault that reaches beyond the end of a
recording ends with it, one that begins there touches nothing; `warnings_for` says so.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from crodino_core.errors import UsageError
from crodino_core.evaluation.fault_span import (
    FaultSpan,
    Moment,
    Scenario,
    contradiction,
    warnings_for,
)
from crodino_core.evaluation.faults import FAULTS
from crodino_core.known_words import check_keys, nearest
from crodino_core.modality import Modality
from crodino_core.resources import share_directory
from crodino_core.strict_yaml import load_strictly

__all__ = [
    'FaultSpan',
    'Moment',
    'Scenario',
    'contradiction',
    'load_scenario',
    'scenario_names',
    'warnings_for',
]

_FAULT_KEYS = ('sensor', 'kind', 'from', 'to')


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Read a scenario by its name (a file in `config/scenarios`) or from a path.

    :raises UsageError: there is no such scenario, or a key, sensor, kind or time is wrong.
    """
    path = _find(str(name_or_path))
    try:
        content = load_strictly(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        raise UsageError(f'the scenario {path} cannot be read: {reason}') from error
    return _parse(content, path)


def scenario_names() -> list[str]:
    """Names of the scenarios that come with the package."""
    return sorted(path.stem for path in _folder().glob('*.yaml'))


def _folder() -> Path:
    return share_directory() / 'config' / 'scenarios'


def _find(name: str) -> Path:
    if name.endswith(('.yaml', '.yml')) or os.sep in name:
        if not Path(name).is_file():
            raise UsageError(
                f'there is no scenario file {name}; name a YAML file or one of: '
                f'{", ".join(scenario_names())}'
            )
        return Path(name)
    path = _folder() / f'{name}.yaml'
    if path.is_file():
        return path
    raise UsageError(
        f'there is no scenario {name!r}{nearest(name, scenario_names())}; '
        'a file is named with its path and .yaml'
    )


def _parse(content: object, path: Path) -> Scenario:
    if not isinstance(content, dict):
        raise UsageError(f'{path}: a mapping with the keys description and faults was expected')
    check_keys(content, ('description', 'faults'), str(path))
    faults = content.get('faults') or []
    if not isinstance(faults, list) or not all(isinstance(fault, dict) for fault in faults):
        raise UsageError(f'{path}: faults is to be a list of mappings (sensor, kind, from, to)')
    spans = tuple(
        _parse_fault(fault, f'{path}: fault {number}') for number, fault in enumerate(faults, 1)
    )
    scenario = Scenario(path.stem, str(content.get('description') or ''), spans)
    problem = contradiction(scenario)
    if problem is not None:
        raise UsageError(f'{path}: {problem}')
    return scenario


def _parse_fault(fault: dict[Any, Any], where: str) -> FaultSpan:
    for key in ('sensor', 'kind', 'from'):
        if key not in fault:
            raise UsageError(f'{where} lacks the key {key}; it has {", ".join(map(str, fault))}')
    sensors = [str(modality) for modality in Modality]
    if fault['sensor'] not in sensors:
        near = nearest(fault['sensor'], sensors)
        raise UsageError(f'{where} names an unknown sensor {fault["sensor"]!r}{near}')
    if fault['kind'] not in list(FAULTS):
        near = nearest(fault['kind'], list(FAULTS))
        raise UsageError(f'{where} names an unknown kind {fault["kind"]!r}{near}')
    kind, sensor = FAULTS[fault['kind']], Modality(fault['sensor'])
    if sensor not in kind.sensors:
        raise UsageError(f'{where}: {kind.name} does not fit the sensor {sensor}')
    check_keys(fault, (*_FAULT_KEYS, *kind.parameters), where)
    start = _moment(fault['from'], f'{where}: from')
    end = None if fault.get('to') is None else _moment(fault['to'], f'{where}: to')
    if end is not None and end.relative == start.relative and end.value <= start.value:
        raise UsageError(
            f'{where} lasts from {start} to {end}: it is to end after it starts; '
            'exchange from and to'
        )
    given = {name: value for name, value in fault.items() if name not in _FAULT_KEYS}
    return FaultSpan(sensor, kind.name, start, end, kind.complete(given, where))


def _moment(value: object, where: str) -> Moment:
    text = str(value).strip()
    relative = text.endswith('%')
    try:
        number = float(text[:-1]) / 100 if relative else float(text)
    except ValueError:
        number = -1.0
    if isinstance(value, bool) or not 0 <= number < float('inf') or (relative and number > 1):
        raise UsageError(
            f'{where} is {value!r}; seconds since the first frame (3.5) or a share of the '
            'recording (25%) were expected'
        )
    return Moment(number, relative)

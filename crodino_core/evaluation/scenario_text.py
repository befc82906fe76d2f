"""Scenarios in words: what `crodino scenario list`, `show` and `check` print."""

from __future__ import annotations

from typing import Any

from crodino_core.evaluation.faults import FAULTS
from crodino_core.evaluation.scenario import (
    FaultSpan,
    Scenario,
    load_scenario,
    scenario_names,
    warnings_for,
)


def list_scenarios() -> dict[str, str]:
    """Return the name of every scenario that comes with the package, and its description."""
    return {name: load_scenario(name).description for name in scenario_names()}


def describe_scenario(scenario: Scenario, duration: float | None = None) -> str:
    """Return a scenario in words, a line for each fault.

    :param duration: of a recording, seconds: then the times are seconds of it, and the faults
        that reach beyond its end are said.
    :raises UsageError: in such a recording a fault ends before it starts, or two contradict.
    """
    lines = [f'{scenario.name}: {scenario.description}']
    warnings = [] if duration is None else warnings_for(scenario, duration)
    lines += [f'  {_describe_fault(fault, duration)}' for fault in scenario.faults]
    lines += [f'  warning: {warning}' for warning in warnings]
    if not scenario.faults:
        lines.append('  no fault')
    return '\n'.join(lines)


def scenario_as_data(scenario: Scenario, duration: float | None = None) -> dict[str, Any]:
    """Return a scenario as plain data: what `describe_scenario` says in words.

    :raises UsageError: as `describe_scenario`.
    """
    return {
        'name': scenario.name,
        'description': scenario.description,
        'faults': [_fault_as_data(fault, duration) for fault in scenario.faults],
        'warnings': [] if duration is None else warnings_for(scenario, duration),
    }


def _fault_as_data(fault: FaultSpan, duration: float | None) -> dict[str, Any]:
    """Return a fault with its times as a scenario writes them, or in seconds of a recording."""
    if duration is None:
        times: list[Any] = [
            None
            if moment is None
            else f'{moment.value * 100:g}%'
            if moment.relative
            else moment.value
            for moment in (fault.start, fault.end)
        ]
    else:
        times = list(fault.seconds(duration))
    values = FAULTS[fault.kind].complete(fault.parameters)
    shown = {name: 'inf' if value == float('inf') else value for name, value in values.items()}
    return {
        'sensor': str(fault.sensor),
        'kind': fault.kind,
        'from': times[0],
        'to': times[1],
        'parameters': shown,
    }


def _describe_fault(fault: FaultSpan, duration: float | None) -> str:
    kind = FAULTS[fault.kind]
    if duration is None:
        start = str(fault.start)
        end = 'the end' if fault.end is None else str(fault.end)
    else:
        start_s, end_s = fault.seconds(duration)
        start = f'{start_s:.2f} s'
        end = 'the end' if end_s is None or end_s > duration else f'{end_s:.2f} s'
    values = kind.complete(fault.parameters)
    level = values[kind.measure] or kind.levels[values['severity'] - 1]
    told = [f'{kind.measure} {level:g}']
    if not values[kind.measure]:
        told.insert(0, f'severity {values["severity"]}')
    told += [
        f'{name} {str(value).lower() if isinstance(value, bool) else value}'
        for name, value in values.items()
        if name not in ('severity', kind.measure) and (name != 'seed' or value)
    ]
    return f'{start} to {end}  {fault}: {kind.summary} ({", ".join(told)})'

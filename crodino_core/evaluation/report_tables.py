"""The tables of the report and the four large figures above them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from crodino_core.evaluation.agreement import pooled_agreement
from crodino_core.evaluation.records import (
    FUSED,
    SOURCES,
    Failure,
    Phase,
    ReplayResult,
    source_of,
)
from crodino_core.evaluation.report_fault_words import fault_words
from crodino_core.evaluation.report_phases import Period, class_iou, fault_span, periods
from crodino_core.evaluation.report_words import SENSOR_NAMES, SOURCE_NAMES, pooled_miou


def tiles(result: ReplayResult, summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the four figures that stand large at the top."""
    lost, stale = summary['masks_lost'], summary['stale_masks']
    by_source = ', '.join(
        f'{SOURCE_NAMES[source]} {miou:.1f}'
        for source, miou in summary['miou_by_modality'].items()
        if miou is not None
    )
    return [
        {
            'name': 'Availability',
            'value': _number(summary['availability'], '{:.1%}'),
            'note': f'{summary["masks"]} masks of {summary["expected_masks"]} expected',
            'look': '',
        },
        {
            'name': 'Masks lost',
            'value': str(lost),
            'note': f'and {stale} made from a repeated frame' if stale else 'none was stale',
            'look': 'good' if not lost else 'bad' if lost > len(result.failures) else '',
        },
        {
            'name': 'Longest gap',
            'value': _number(summary['max_gap_s'], '{:.2f} s'),
            'note': f'{_number(summary["max_gap_expected_s"], "{:.2f} s")} without the scenario',
            'look': '',
        },
        _quality_tile(summary, by_source),
    ]


def _quality_tile(summary: Mapping[str, Any], by_source: str) -> dict[str, str]:
    """Return the mIoU, or in its place the agreement with the clean run."""
    agreement = summary['agreement']
    if summary['miou'] is None and agreement is not None:
        return {
            'name': 'As in the clean run',
            'value': _number(agreement['pixels'], '{:.1f} %'),
            'note': 'of the pixels; there is no ground truth',
            'look': '',
        }
    note = 'no ground truth' if summary['miou'] is None else by_source
    interval = confidence_interval(summary)
    return {
        'name': 'mIoU',
        'value': _number(summary['miou'], '{:.1f}'),
        'note': f'{note}; 95 % within {interval}' if interval else note,
        'look': '',
    }


def confidence_interval(summary: Mapping[str, Any]) -> str:
    """Return the confidence interval of the mIoU, e.g. `70.1 to 72.3`; empty where unknown."""
    found = summary.get('miou_ci')
    if not found or None in found:
        return ''
    return f'{found[0]:.1f} to {found[1]:.1f}'


def figures(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the table of key figures."""
    frames, latency = summary['frames'], summary['latency_ms']
    rows = [
        ('Frames', f'{frames["rgb"]} colour, {frames["depth"]} depth', 'in the recording'),
        ('Masks', str(summary['masks']), 'made, void ones not counted'),
        (
            'Availability',
            _number(summary['availability'], '{:.3f}'),
            'masks ÷ masks that the recording gives without the scenario',
        ),
        ('Masks lost', str(summary['masks_lost']), 'expected, and none within one period'),
        ('Stale masks', str(summary['stale_masks']), 'of a frozen sensor, before it was known'),
        ('Longest gap', _number(summary['max_gap_s'], '{:.3f} s'), 'between two masks'),
        (
            'Time to detect',
            _number(summary['time_to_detect_s'], '{:.3f} s'),
            'from the first damaged frame to the sensor no longer being OK',
        ),
        (
            'Time to recover',
            _number(summary['time_to_recover_s'], '{:.3f} s'),
            'from the first good frame to the sensor being OK again',
        ),
        ('False switches', str(summary['false_switches']), 'without a fault behind them'),
        ('mIoU', _miou(summary), 'percent, all masks with ground truth'),
        *_agreement_figures(summary['agreement']),
        (
            'Latency',
            ' / '.join(_number(latency[key], '{:.1f}') for key in ('p50', 'p95', 'p99')),
            'median, 95th and 99th percentile; milliseconds from the decision to the mask',
        ),
    ]
    return [{'name': name, 'value': value, 'meaning': why} for name, value, why in rows]


def phase_rows(result: ReplayResult) -> list[dict[str, Any]]:
    """Return the table of phases."""
    return [
        {
            'span': f'{phase.start_s:.2f} to {phase.end_s:.2f} s',
            'faults': ', '.join(phase.faults) or 'none',
            'kind': source_of(phase.served, 2 * phase.fused > phase.frames),
            'served': _served(phase),
            'masks': phase.frames,
            'miou': pooled_miou([phase]),
            'agreement': pooled_agreement([phase]),
        }
        for phase in result.phases
    ]


def _served(phase: Phase) -> str:
    """Return `colour`, `both`, or `both, 4 of 80 from colour alone`."""
    alone = f'{phase.frames - phase.fused} of {phase.frames} from'
    name = SOURCE_NAMES[source_of(phase.served, phase.fused == phase.frames)]
    return f'both, {alone} {name} alone' if 0 < phase.fused < phase.frames else name


def failure_rows(result: ReplayResult) -> list[dict[str, Any]]:
    """Return the table of the injected faults and how each was met."""
    return [_failure_row(result, failure) for failure in result.failures]


def _failure_row(result: ReplayResult, failure: Failure) -> dict[str, Any]:
    start, end = fault_span(result, failure)
    verb, measure = fault_words(failure)
    detected, recovered = failure.time_to_detect_s, failure.time_to_recover_s
    return {
        'sensor': SENSOR_NAMES[failure.sensor],
        'what': verb,
        'measure': measure,
        'span': f'{start:.2f} to {end:.2f} s',
        'detected': 'not noticed'
        if detected is None
        else f'{failure.detected_as} after {detected:.3f} s',
        'recovered': _number(recovered, '{:.2f} s'),
        'lost': failure.masks_lost,
        'stale': failure.stale_masks,
    }


def class_changes(result: ReplayResult) -> dict[str, Any] | None:
    """Return the IoU of each class before, during and after; None where nothing was scored.

    :return: `columns` (names), `clean_run` (whether against the clean run) and `rows`, each with
        name, color, `iou` by column and `change`: the lowest during a failure minus the first.
    """
    found, against_clean = periods(result), result.comparison is not None
    columns = [
        class_iou(p.agreement if against_clean else p.confusion for p in period.phases)
        for period in found
    ]
    if result.labels is None or all(column is None for column in columns):
        return None
    rows = []
    for index, name in enumerate(result.labels.names):
        iou = [_at(column, index) for column in columns]
        during = [value for value in _failing(found, iou) if value is not None]
        change = min(during) - iou[0] if during and iou[0] is not None else None
        rows.append({'name': name, 'color': _color(result, index), 'iou': iou, 'change': change})
    names = [period.name for period in found]
    return {'columns': names, 'rows': rows, 'clean_run': against_clean}


def _failing(found: list[Period], values: list[float | None]) -> list[float | None]:
    """Return the values of the periods with a failure."""
    free = ('Before', 'After', 'No failure')
    return [v for period, v in zip(found, values, strict=True) if period.name not in free]


def sources(result: ReplayResult) -> list[dict[str, str]]:
    """Return what masks were made from: both sensors each, and their mean if there was one."""
    fused = any(phase.fused for phase in result.phases)
    return [{'kind': s, 'name': SOURCE_NAMES[s]} for s in SOURCES if s != FUSED or fused]


def class_rows(result: ReplayResult) -> list[dict[str, Any]]:
    """Return the IoU of each class, for each of `sources`, percent."""
    if result.labels is None:
        return []
    columns = [
        class_iou(phase.confusion_of(source['kind']) for phase in result.phases)
        for source in sources(result)
    ]
    return [
        {
            'name': name,
            'color': _color(result, index),
            'iou': [_at(column, index) for column in columns],
        }
        for index, name in enumerate(result.labels.names)
    ]


def _color(result: ReplayResult, index: int) -> str:
    assert result.labels is not None
    return '#{:02x}{:02x}{:02x}'.format(*result.labels.colors[index])


def _at(iou: np.ndarray | None, index: int) -> float | None:
    return None if iou is None or np.isnan(iou[index]) else float(iou[index])


def _miou(summary: Mapping[str, Any]) -> str:
    interval = confidence_interval(summary)
    value = _number(summary['miou'], '{:.1f}')
    return f'{value} (95 %: {interval})' if interval else value


def _agreement_figures(agreement: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    if agreement is None:
        return []
    compared = f'{agreement["masks"]} masks, of which {agreement["same_frame"]} were made from '
    return [
        (
            'As in the clean run',
            _number(agreement['pixels'], '{:.1f} %'),
            f'of the pixels; {compared}the very frame that the clean run serves',
        ),
        (
            'mIoU with the clean run',
            _number(agreement['miou'], '{:.1f}'),
            'percent, its masks in the place of ground truth',
        ),
    ]


def _number(value: float | None, form: str) -> str:
    """Return a figure that may be absent."""
    return '–' if value is None else form.format(value)

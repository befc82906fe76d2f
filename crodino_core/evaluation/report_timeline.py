"""A replay result laid out for the report's timeline: bands, curves, ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crodino_core.evaluation.records import Failure, OutputRecord, ReplayResult
from crodino_core.evaluation.report_fault_words import fault_words
from crodino_core.evaluation.report_phases import SHORT_NAMES, fault_span
from crodino_core.evaluation.report_words import SENSOR_NAMES, SOURCE_NAMES
from crodino_core.evaluation.timing import median_interval
from crodino_core.modality import Modality

GAP_PERIODS = 1.9
"""Two masks further apart than this many periods have a gap between them in the timeline."""

LEGEND_ORDER = (
    'ok', 'recovering', 'late', 'lost', 'frozen', 'invalid', 'not_received',
    'fused', 'void', 'pause', 'none', 'fault',
)  # fmt: skip


@dataclass(frozen=True)
class Span:
    """One piece of a band of the timeline."""

    start_s: float
    end_s: float
    kind: str
    """Its look: a sensor state, what was served, 'none', 'pause' or 'fault'."""
    text: str
    detail: str = ''


def timeline(result: ReplayResult) -> dict[str, Any]:
    """Return everything the timeline draws, as plain data (also what the scrubber reads)."""
    bands = [
        {'name': f'{SHORT_NAMES[m]} fault', 'spans': spans}
        for m in Modality
        if (spans := fault_spans(result, m))
    ]
    bands += [{'name': SENSOR_NAMES[m], 'spans': state_spans(result, m)} for m in Modality]
    bands.append({'name': 'served', 'spans': served_spans(result)})
    for band in bands:
        band['name'] = str(band['name']).capitalize()
        band['spans'] = [vars(span) for span in band['spans']]
    return {
        'duration_s': length_s(result),
        'bands': bands,
        'masks': [
            [round(o.time_s, 4), o.source, _rounded(quality(o)), round(o.latency_ms, 2)]
            for o in result.outputs
        ],
        'quality': quality_name(result),
        'longest_step_s': round(GAP_PERIODS * _mask_period(result), 4),
    }


def quality(output: OutputRecord) -> float | None:
    """Return how good a mask is, percent: its mIoU, or its agreement with the clean run."""
    return output.agreement if output.miou is None else output.miou


def quality_name(result: ReplayResult) -> str:
    """Return what `quality` is in this replay."""
    return 'mIoU' if result.comparison is None else 'agreement'


def length_s(result: ReplayResult) -> float:
    """Return the length of the time axis, seconds: all of the recording and every mask."""
    last = result.outputs[-1].time_s if result.outputs else 0.0
    return max(result.duration_s, last, 1e-3)


def fault_spans(result: ReplayResult, sensor: Modality) -> list[Span]:
    """Return when which fault was injected into a sensor."""
    return [
        Span(*fault_span(result, failure), 'fault', failure.kind.replace('_', ' '), _told(failure))
        for failure in result.failures
        if failure.sensor is sensor
    ]


def state_spans(result: ReplayResult, sensor: Modality) -> list[Span]:
    """Return the health of a sensor from the start to the end of the recording."""
    changes = [(0.0, 'not_received', '')] + [
        (change.time_s, change.state, change.cause)
        for change in result.state_changes
        if change.sensor is sensor
    ]
    ends = [start for start, _, _ in changes[1:]] + [length_s(result)]
    return [
        Span(start, end, state, state.replace('_', ' '), cause)
        for (start, state, cause), end in zip(changes, ends, strict=True)
        if end > start
    ]


def served_spans(result: ReplayResult) -> list[Span]:
    """Return what the masks were made from, with the pieces without masks between."""
    if not result.outputs:
        return [_unserved(result, 0.0, length_s(result))]
    longest = GAP_PERIODS * _mask_period(result)
    spans: list[Span] = []
    if result.outputs[0].time_s > longest:
        spans.append(_unserved(result, 0.0, result.outputs[0].time_s))
    ends = [output.time_s for output in result.outputs[1:]] + [length_s(result)]
    for output, next_s in zip(result.outputs, ends, strict=True):
        kind, end = output.source, min(next_s, output.time_s + longest)
        if spans and spans[-1].kind == kind and spans[-1].end_s >= output.time_s:
            spans[-1] = Span(spans[-1].start_s, end, kind, spans[-1].text)
        else:
            spans.append(Span(output.time_s, end, kind, SOURCE_NAMES[output.source]))
        if next_s > end:
            spans.append(_unserved(result, end, next_s))
    return spans


def curves(result: ReplayResult) -> list[dict[str, Any]]:
    """Return the quality of the masks over time as pieces of one source without a gap inside."""
    longest = GAP_PERIODS * _mask_period(result)
    pieces: list[dict[str, Any]] = []
    last: OutputRecord | None = None
    for output in result.outputs:
        value = quality(output)
        if value is None:
            continue
        joined = last is not None and output.time_s - last.time_s <= longest
        if not joined or last is None or last.source != output.source:
            pieces.append({'kind': output.source, 'points': []})
        pieces[-1]['points'].append((output.time_s, value))
        last = output
    for piece in pieces:
        if len(piece['points']) == 1:  # a line of one point is drawn only if it ends somewhere
            piece['points'] *= 2
    return pieces


def ticks(duration_s: float) -> list[float]:
    """Return five to eleven round times from 0 to the end."""
    steps = [base * 10.0**power for power in range(-3, 6) for base in (1, 2, 5)]
    step = next(s for s in steps if duration_s / s <= 10)
    return [round(index * step, 6) for index in range(int(duration_s / step) + 1)]


def legend(content: Mapping[str, Any]) -> list[str]:
    """Return the sensor states (and gaps) the timeline shows, in the order of trust."""
    shown = {span['kind'] for band in content['bands'] for span in band['spans']}
    return [kind for kind in LEGEND_ORDER if kind in shown]


def _mask_period(result: ReplayResult) -> float:
    """Return the usual time between two masks, seconds."""
    times = result.expected_s or [output.time_s for output in result.outputs]
    return median_interval(times) or max(length_s(result), 1e-3)


def _unserved(result: ReplayResult, start_s: float, end_s: float) -> Span:
    """Return a piece without masks: a gap of ours, or a pause of the recording itself."""
    due = any(start_s <= time < end_s - _mask_period(result) / 2 for time in result.expected_s)
    return Span(start_s, end_s, *(('none', 'no mask') if due else ('pause', 'pause')))


def _told(failure: Failure) -> str:
    return ', '.join(part for part in fault_words(failure) if part)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)

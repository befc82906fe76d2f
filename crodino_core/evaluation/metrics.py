"""The figures of a replay, computed from its records: what `crodino replay --json` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from crodino_core.evaluation.agreement import summarize_agreement
from crodino_core.evaluation.bootstrap import miou_interval
from crodino_core.evaluation.detection import time_failures
from crodino_core.evaluation.dwell import away_s, wrong_modality_s
from crodino_core.evaluation.records import (
    SOURCES,
    Failover,
    Failure,
    OutputRecord,
    Phase,
    ReplayResult,
    source_of,
)
from crodino_core.evaluation.timing import (
    explain_failovers,
    failure_at,
    lost_masks,
    median_interval,
    reasons_to_switch,
)
from crodino_core.iou import confusion_matrix, iou_by_class, miou_of
from crodino_core.modality import Modality

__all__ = ['complete', 'confusion_matrix', 'iou_by_class', 'miou_of', 'summarize']


def complete(result: ReplayResult) -> None:
    """Fill in what can be said of a replay only once it has ended.

    Sets `result.lost_s`, `result.failovers` and, in `result.failures`, the times of detection and
    recovery and the lost and stale masks of each.
    """
    result.period_s = {m: median_interval(result.arrivals_s[m]) for m in Modality}
    time_failures(result.failures, result.state_changes, result.arrivals_s)
    result.lost_s = _lost(result)
    for time in result.lost_s:
        failure = failure_at(result.failures, time)
        if failure is not None:
            failure.masks_lost += 1
    for output in result.outputs:
        failure = failure_at(result.failures, output.time_s) if output.stale else None
        if failure is not None:
            failure.stale_masks += 1
    result.failovers, served = _failovers(result.outputs)
    reasons = reasons_to_switch(result.failures, result.arrivals_s)
    explain_failovers(result.failovers, reasons, served)


def summarize(result: ReplayResult) -> dict[str, Any]:
    """Return the figures as plain data (JSON has no NaN: what is unknown is None).

    `docs/metrics.md` defines each with its formula.
    """
    masks = [output for output in result.outputs if output.modality is not None]
    expected = result.expected_s
    return {
        'recording': result.recording,
        'duration_s': _round(result.duration_s),
        'scenario': result.scenario,
        'model': result.model,
        'engine': result.engine,
        'device': result.device,
        'engines_passed_over': dict(result.engines_passed_over),
        'policy': dict(result.policy),
        'inference_time_ms': result.inference_time,
        'frames': _by_name(result.frames),
        'frames_delivered': _by_name(result.frames_delivered),
        'undecodable': _by_name(result.undecodable),
        'expected_masks': len(expected),
        'masks': len(masks),
        'void_masks': len(result.outputs) - len(masks),
        'masks_dropped': result.masks_dropped,
        'availability': _round(min(1.0, len(masks) / len(expected))) if expected else None,
        'masks_lost': len(result.lost_s),
        'stale_masks': sum(output.stale for output in masks),
        'max_gap_s': _longest([output.time_s for output in masks], expected),
        'max_gap_expected_s': _longest(expected),
        'failovers': [_failover(failover) for failover in result.failovers],
        'failures': [_failure(failure) for failure in result.failures],
        'time_to_detect_s': _worst(f.time_to_detect_s for f in result.failures),
        'time_to_recover_s': _worst(f.time_to_recover_s for f in result.failures),
        'undetected': sum(f.frames > 0 and f.detected_s is None for f in result.failures),
        'false_switches': sum(f.explained_by is None for f in result.failovers),
        'wrong_modality_s': _round(wrong_modality_s(result)),
        'away_s': _round(away_s(result)),
        'miou': _pooled(result.phases),
        'miou_ci': _interval(result.phases, result.expected_s),
        'miou_by_modality': {
            source: _miou(phase.confusion_of(source) for phase in result.phases)
            for source in SOURCES
        },
        'miou_in_faults': _pooled([p for p in result.phases if p.faults]),
        'miou_without_faults': _pooled([p for p in result.phases if not p.faults]),
        'miou_by_phase': [_phase(phase, result.expected_s) for phase in result.phases],
        'agreement': summarize_agreement(result),
        'labels': result.labels_seen,
        'latency_ms': _percentiles([output.latency_ms for output in masks]),
        'latency_at_switch_ms': _percentiles(
            [
                after.latency_ms
                for before, after in pairwise(masks)
                if after.modality is not before.modality
            ]
        ),
        'real_time_factor': _round(result.duration_s / result.wall_s) if result.wall_s else None,
        'warnings': list(result.warnings),
    }


def _lost(result: ReplayResult) -> list[float]:
    period = median_interval(result.expected_s)
    if period is None:
        # One expected mask has no period of its own: take that of a sensor.
        period = min((p for p in result.period_s.values() if p), default=0.1)
    produced = [output.time_s for output in result.outputs if output.modality is not None]
    return lost_masks(result.expected_s, produced, period)


def _failovers(
    outputs: Sequence[OutputRecord],
) -> tuple[list[Failover], list[dict[Modality, float]]]:
    """Return the changes of served modality, and when each modality was served before them."""
    failovers: list[Failover] = []
    served_before: list[dict[Modality, float]] = []
    served: dict[Modality, float] = {}
    last: Modality | None = None
    for output in outputs:
        if output.modality is None:
            continue
        if last is not None and output.modality is not last:
            gap = output.time_s - served[last]
            failovers.append(Failover(last, output.modality, output.time_s, gap, output.cause))
            served_before.append(dict(served))
        last = output.modality
        served[last] = output.time_s
    return failovers, served_before


def _failover(failover: Failover) -> dict[str, Any]:
    return {
        'from': str(failover.from_modality),
        'to': str(failover.to_modality),
        'at_s': _round(failover.at_s),
        'gap_s': _round(failover.gap_s),
        'cause': failover.cause,
        'explained_by': failover.explained_by,
    }


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        'sensor': str(failure.sensor),
        'kind': failure.kind,
        'severity': failure.severity,
        'parameters': {k: _finite(value) for k, value in failure.parameters.items()},
        'start_s': _round(failure.start_s),
        'end_s': _round(failure.end_s),
        'frames': failure.frames,
        'onset_s': _round(failure.onset_s),
        'detected_as': failure.detected_as,
        'time_to_detect_s': _round(failure.time_to_detect_s),
        'time_to_recover_s': _round(failure.time_to_recover_s),
        'masks_lost': failure.masks_lost,
        'stale_masks': failure.stale_masks,
    }


def _finite(value: Any) -> Any:
    """Return a parameter as JSON can write it: `inf` is a word there."""
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def _phase(phase: Phase, expected_s: Sequence[float]) -> dict[str, Any]:
    return {
        'start_s': _round(phase.start_s),
        'end_s': _round(phase.end_s),
        'served': source_of(phase.served),
        'faults': list(phase.faults),
        'frames': phase.frames,
        'fused': phase.fused,
        'scored': phase.scored,
        'miou': _pooled([phase]),
        'miou_ci': _interval([phase], expected_s),
    }


def _pooled(phases: Iterable[Phase]) -> float | None:
    return _miou(phase.confusion for phase in phases)


def _miou(confusions: Iterable[np.ndarray | None]) -> float | None:
    matrices = [matrix for matrix in confusions if matrix is not None]
    return _round(miou_of(np.sum(matrices, axis=0)), 2) if matrices else None


def _interval(phases: Iterable[Phase], expected_s: Sequence[float]) -> list[float] | None:
    """Return the 95 % confidence interval of the mIoU of some phases together, percent."""
    tallies = [each for phase in phases for each in phase.tallies]
    period = median_interval(expected_s)
    found = miou_interval(tallies, rate=1 / period if period else 0.0)
    return None if found is None else [round(value, 2) for value in found]


def _longest(times: Sequence[float], expected: Sequence[float] = ()) -> float | None:
    """Return the longest time without a mask, also at either end of the expected ones."""
    steps = [after - before for before, after in pairwise(times)]
    if expected and times:
        steps += [times[0] - expected[0], expected[-1] - times[-1]]
    return _round(max(0.0, *steps)) if steps else None


def _worst(values: Iterable[float | None]) -> float | None:
    return _round(max((value for value in values if value is not None), default=None))


def _percentiles(values: Sequence[float]) -> dict[str, float | None]:
    names = ('p50', 'p95', 'p99')
    if not values:
        return dict.fromkeys(names)
    found = np.percentile(values, (50, 95, 99))
    return {name: round(float(value), 2) for name, value in zip(names, found, strict=True)}


def _by_name(counts: dict[Modality, int]) -> dict[str, int]:
    return {str(modality): count for modality, count in counts.items()}


def _round(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)

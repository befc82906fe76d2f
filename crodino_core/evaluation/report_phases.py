"""Which masks of a replay were made before, during and after which failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from crodino_core.evaluation.records import Failure, Phase, ReplayResult
from crodino_core.iou import iou_by_class
from crodino_core.modality import Modality

MOST_FAILURES = 4
"""More failures than this do not each get a column of their own."""


SHORT_NAMES = {Modality.RGB: 'camera', Modality.DEPTH: 'depth'}


@dataclass(frozen=True)
class Period:
    """Some of the phases under a name."""

    name: str
    phases: tuple[Phase, ...]


def fault_span(result: ReplayResult, failure: Failure) -> tuple[float, float]:
    """Return start and end of a fault within the recording, seconds."""
    end = result.duration_s if failure.end_s is None else failure.end_s
    return failure.start_s, max(failure.start_s, min(end, result.duration_s))


def is_during(result: ReplayResult, failure: Failure) -> Callable[[Phase], bool]:
    """Return the test for phases of a failure: from its start until its sensor was trusted again.

    The masks of the stand-in count as during it, also those after the fault itself has ended.
    """
    start, end = fault_span(result, failure)
    end = max(end, failure.recovered_s or 0.0)
    return lambda phase: start <= (phase.start_s + phase.end_s) / 2 <= end


def periods(result: ReplayResult) -> list[Period]:
    """Return the periods to compare: before, during and after the failure.

    With several failures it is the time without any of them and each of them, or, with more than
    four, all of them together.
    """
    failures = [failure for failure in result.failures if failure.frames]
    if not failures:
        return []
    tests = [is_during(result, failure) for failure in failures]
    free = [phase for phase in result.phases if not any(test(phase) for test in tests)]
    found = [[phase for phase in result.phases if test(phase)] for test in tests]
    if len(failures) == 1:
        start = failures[0].start_s
        named = [
            ('Before', [phase for phase in free if phase.start_s < start]),
            ('During', found[0]),
            ('After', [phase for phase in free if phase.start_s >= start]),
        ]
    elif len(failures) <= MOST_FAILURES:
        named = [('No failure', free), *zip(_names(failures), found, strict=True)]
    else:
        during = [phase for phase in result.phases if any(test(phase) for test in tests)]
        named = [('No failure', free), ('During failures', during)]
    return [Period(name, tuple(phases)) for name, phases in named]


def _names(failures: list[Failure]) -> list[str]:
    """Name each failure by sensor and kind, and by its start where that is not enough."""
    names = [f'{SHORT_NAMES[f.sensor]} {f.kind}'.replace('_', ' ') for f in failures]
    return [
        name if names.count(name) == 1 else f'{name} at {failure.start_s:.1f} s'
        for name, failure in zip(names, failures, strict=True)
    ]


def class_iou(confusions: Iterable[np.ndarray | None]) -> np.ndarray | None:
    """Return the IoU of each class over some phases, percent [K]; NaN for absent classes.

    :param confusions: of each phase, int64 [K, K + 1]; None where nothing was scored.
    """
    matrices = [matrix for matrix in confusions if matrix is not None]
    return iou_by_class(np.sum(matrices, axis=0)) if matrices else None

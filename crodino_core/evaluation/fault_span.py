"""Which sensor fails when, and how: the spans of a scenario, and which of them fit together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import inf
from typing import Any

from crodino_core.errors import UsageError
from crodino_core.evaluation.faults import FAULTS
from crodino_core.modality import Modality


@dataclass(frozen=True)
class Moment:
    """A time in a recording: seconds since its first frame, or a share of its duration."""

    value: float
    relative: bool = False

    def seconds(self, duration: float) -> float:
        """Seconds since the first frame of a recording of `duration` seconds."""
        return self.value * duration if self.relative else self.value

    def __str__(self) -> str:
        return f'{self.value * 100:g}%' if self.relative else f'{self.value:g} s'


@dataclass(frozen=True)
class FaultSpan:
    """One fault of one sensor from one moment to another."""

    sensor: Modality
    kind: str
    """Name in `FAULTS`."""
    start: Moment
    end: Moment | None = None
    """None: until the recording ends."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """All parameters of the kind, defaults filled in."""

    def seconds(self, duration: float) -> tuple[float, float | None]:
        """Return start and end in seconds (end None: until the recording ends).

        :raises UsageError: the fault ends before it starts.
        """
        start = self.start.seconds(duration)
        end = None if self.end is None else self.end.seconds(duration)
        if end is not None and end <= start:
            raise UsageError(
                f'the {self.sensor} {self.kind} is to last from {self.start} to {self.end}; '
                'a fault ends after it starts: exchange from and to'
            )
        return start, end

    def described(self) -> str:
        """Return e.g. `rgb drop (25% to 6 s)`."""
        return f'{self} ({self.start} to {"the end" if self.end is None else self.end})'

    def __str__(self) -> str:
        return f'{self.sensor} {self.kind}'


@dataclass(frozen=True)
class Scenario:
    """A named set of faults."""

    name: str
    description: str = ''
    faults: tuple[FaultSpan, ...] = ()


def contradiction(scenario: Scenario, duration: float | None = None) -> str | None:
    """Say which two faults contradict each other, None if none do.

    :param duration: of the recording, seconds; None compares only times of one kind, seconds with
        seconds and percentages with percentages.
    """
    for first, second in combinations(scenario.faults, 2):
        decides = FAULTS[first.kind].decides
        if first.sensor is not second.sensor or decides is None:
            continue
        if FAULTS[second.kind].decides == decides and _overlap(first, second, duration):
            return (
                f'the faults {first.described()} and {second.described()} contradict each other: '
                f'both decide {decides}; let one end before the other begins'
            )
    return None


def _overlap(first: FaultSpan, second: FaultSpan, duration: float | None) -> bool:
    moments = [m for m in (first.start, first.end, second.start, second.end) if m is not None]
    if duration is None and len({moment.relative for moment in moments}) > 1:
        return False
    spans = [
        [inf if m is None else m.value if duration is None else m.seconds(duration) for m in span]
        for span in ((first.start, first.end), (second.start, second.end))
    ]
    return spans[0][0] < spans[1][1] and spans[1][0] < spans[0][1]


def warnings_for(scenario: Scenario, duration: float) -> list[str]:
    """Say which faults reach beyond the end of a recording of `duration` seconds.

    :raises UsageError: in such a recording a fault ends before it starts, or two contradict.
    """
    problem = contradiction(scenario, duration)
    if problem is not None:
        raise UsageError(problem)
    found = []
    for fault in scenario.faults:
        start, end = fault.seconds(duration)
        lasts = f'the recording lasts {duration:.2f} s'
        if start > duration:
            found.append(f'the fault {fault.described()} touches no frame: {lasts}')
        elif end is not None and end > duration:
            found.append(f'the fault {fault.described()} ends with the recording: {lasts}')
    return found

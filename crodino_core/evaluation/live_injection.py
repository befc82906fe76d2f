"""Faults in a live stream: switched on and off by hand, or played from a scenario."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml

from crodino_core.errors import UsageError
from crodino_core.evaluation.fault_line import Fault, FaultLine
from crodino_core.evaluation.fault_span import FaultSpan, Scenario, contradiction
from crodino_core.evaluation.faults import FAULTS
from crodino_core.known_words import nearest
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame
from crodino_core.strict_yaml import load_strictly

HEALTHY = 'none'


def parse_faults(text: str, sensor: Modality) -> list[Fault]:
    """Read `drop`, `noise severity=5` or `noise severity=5 + delay delay_s=0.2`; `none` is none.

    :raises UsageError: a kind or parameter is unknown, does not fit the sensor or is out of
        bounds, or two faults contradict each other.
    """
    if text.strip() in ('', HEALTHY):
        return []
    faults = [_parse_fault(part.split(), sensor) for part in text.split('+')]
    decided = [fault.kind.decides for fault in faults if fault.kind.decides]
    if len(set(decided)) < len(decided):
        raise UsageError(f'the faults {text!r} contradict each other: both decide {decided[0]}')
    return faults


def _parse_fault(words: list[str], sensor: Modality) -> Fault:
    fitting = sorted(name for name, kind in FAULTS.items() if sensor in kind.sensors)
    name = words[0] if words else ''
    if name not in fitting:
        raise UsageError(f'{sensor} has no fault {name!r}{nearest(name, [HEALTHY, *fitting])}')
    given: dict[str, Any] = {}
    for word in words[1:]:
        key, equals, value = word.partition('=')
        if not equals:
            raise UsageError(f'{name}: {word!r} was found; name=value was expected')
        try:
            given[key] = load_strictly(value)
        except yaml.YAMLError as error:
            raise UsageError(
                f'{name}: {key} is {value!r}; a number, true, false or a word was expected'
            ) from error
    return Fault(FAULTS[name], FAULTS[name].complete(given, f'{sensor} {name}'))


class LiveInjection:
    """Applies faults to the frames of a live stream, in order of arrival.

    Put every frame in with `push`, and give out what `due(now)` returns at `next_arrival`.
    """

    def __init__(self) -> None:
        self._by_hand: dict[Modality, list[Fault]] = {modality: [] for modality in Modality}
        self._spans: list[tuple[FaultSpan, float, float]] = []
        self._began: float | None = None
        self._played: list[Fault] = []
        """A fault for each of the spans, since they began."""
        self._line = FaultLine()

    def set(self, sensor: Modality, faults: list[Fault]) -> None:
        """Switch these faults of a sensor on, and those set before off."""
        self._by_hand[sensor] = [replace(fault) for fault in faults]  # to start as its own

    def play(self, scenario: Scenario | None, duration: float = 0.0) -> None:
        """Begin a scenario with the next message; None ends it.

        :param duration: seconds the percentages of the scenario refer to; 0 where unknown.
        :raises UsageError: a time is a percentage and the duration is unknown, a fault ends
            before it starts, or two contradict each other.
        """
        spans = () if scenario is None else scenario.faults
        moments = [m for span in spans for m in (span.start, span.end) if m is not None]
        if scenario is not None and duration <= 0 and any(m.relative for m in moments):
            raise UsageError(
                f'the scenario {scenario.name} has times in percent of a duration, and no '
                'duration is given'
            )
        problem = None if scenario is None else contradiction(scenario, duration or None)
        if problem is not None:
            raise UsageError(problem)
        times = [(span, *span.seconds(duration)) for span in spans]
        self._spans = [
            (span, start, float('inf') if end is None else end) for span, start, end in times
        ]
        self._began = None

    def active(self, now: float) -> list[str]:
        """Faults active at a time, as '<sensor> <kind>'."""
        return [
            f'{modality} {fault.kind.name}'
            for modality in Modality
            for fault in self._active(modality, now)
        ]

    def push(self, frame: Frame, now: float) -> list[Frame]:
        """Take a frame in; return what arrives instead, and hold what arrives later.

        :param now: the time that scenarios go by, seconds; when it falls they begin anew. 0 is
            not known yet, as simulated time before the first /clock: none has begun.
        """
        self._begin(now)
        return self._line.push(frame, list(self._active(frame.modality, now)))

    def swallows(self, sensor: Modality, now: float) -> bool:
        """Take in a message that cannot be decoded; return whether it is lost too."""
        self._begin(now)
        return any(fault.kind.decides for fault in self._active(sensor, now))

    @property
    def next_arrival(self) -> float | None:
        """When a frame that is held back is due; None if none is."""
        return self._line.next_arrival

    def due(self, now: float) -> list[Frame]:
        """Give out the frames held back that have arrived by `now`, in the time of arrivals."""
        return self._line.due(now)

    def _begin(self, now: float) -> None:
        """Begin the scenario with the first message, and anew when time has gone back."""
        if now > 0 and (self._began is None or now < self._began):
            self._began = now
            self._played = [Fault(FAULTS[span.kind], span.parameters) for span, *_ in self._spans]

    def _active(self, sensor: Modality, now: float) -> Iterator[Fault]:
        if self._began is not None:
            time_s = now - self._began
            for (span, start, end), fault in zip(self._spans, self._played, strict=True):
                if span.sensor is sensor and start <= time_s < end:
                    yield fault
        yield from self._by_hand[sensor]

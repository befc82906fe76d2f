"""A scenario applied to a recording: the stream that the broken sensors would have given.

Several faults of one sensor at one time work on each other's result in the order in which the
scenario lists them. Two that contradict each other are an error (see `fault_span`).
A fault that delays frames holds them; once it has ended they arrive at once, in the order in
which they would have, before the sensor's first untouched frame. What is still held when the
recording ends arrives after its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crodino_core.errors import UsageError
from crodino_core.evaluation.fault_line import Fault, FaultLine
from crodino_core.evaluation.faults import FAULTS
from crodino_core.evaluation.frame_set import FrameSet
from crodino_core.evaluation.recording import RecordedDamage, RecordedFrame, RecordedItem
from crodino_core.evaluation.records import Failure
from crodino_core.evaluation.scenario import FaultSpan, Scenario, contradiction
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame


class Injection:
    """Iterates the items of a recording with the scenario's faults applied.

    `failures` notes, while it is iterated, what each fault touched and when.

    :param duration: seconds the percentages of the scenario refer to.
    :raises UsageError: in a recording of this duration a fault ends before it starts, or two
        faults contradict each other.
    """

    def __init__(self, items: Iterable[RecordedItem], scenario: Scenario, duration: float) -> None:
        self._items = items
        self._faults = [_TimedFault(span, duration) for span in scenario.faults]
        problem = contradiction(scenario, duration)
        if problem is not None:
            raise UsageError(problem)
        self._line = FaultLine()

    @property
    def damaged(self) -> FrameSet:
        """Frames whose picture is not the one that the sensor took at that instant."""
        return self._line.damaged

    @property
    def failures(self) -> list[Failure]:
        """One record per fault, in the order of the scenario."""
        return [fault.record for fault in self._faults]

    def active(self, time_s: float) -> tuple[str, ...]:
        """Faults active at a time in seconds since the first frame, as '<sensor> <kind>'."""
        return tuple(
            dict.fromkeys(str(fault.span) for fault in self._faults if fault.covers(time_s))
        )

    def __iter__(self) -> Iterator[RecordedItem]:
        start: float | None = None
        for item in self._items:
            yield from map(RecordedFrame, self._line.due(item.arrival))
            if isinstance(item, RecordedFrame):
                start = item.arrival if start is None else start
                yield from map(RecordedFrame, self._pass(item.frame, item.arrival - start))
            elif isinstance(item, RecordedDamage):
                start = item.arrival if start is None else start
                if not self._swallows(item.modality, item.arrival - start):
                    yield item
            else:
                yield item
        yield from map(RecordedFrame, self._line.due(float('inf')))

    def _pass(self, frame: Frame, time_s: float) -> list[Frame]:
        """Return what arrives instead of a frame."""
        faults = [fault for fault in self._faults if fault.span.sensor is frame.modality]
        for fault in faults:
            fault.note(time_s)
        return self._line.push(frame, [each.fault for each in faults if each.covers(time_s)])

    def _swallows(self, sensor: Modality, time_s: float) -> bool:
        """Whether a message that cannot be decoded is lost too: content faults do not mend it."""
        return any(
            f.span.sensor is sensor and f.fault.kind.decides and f.covers(time_s)
            for f in self._faults
        )


class _TimedFault:
    """One fault of the scenario, when it is active, and what is to be said of it."""

    def __init__(self, span: FaultSpan, duration: float) -> None:
        self.span = span
        start, end = span.seconds(duration)
        kind = FAULTS[span.kind]
        self.fault = Fault(kind, kind.complete(span.parameters))
        given = self.fault.parameters
        self.record = Failure(span.sensor, span.kind, start, end, parameters=given)

    def covers(self, time_s: float) -> bool:
        """Whether the fault is active at `time_s`."""
        end = self.record.end_s
        return self.record.start_s <= time_s and (end is None or time_s < end)

    def note(self, time_s: float) -> None:
        """Note that a frame of the sensor came."""
        if self.covers(time_s):
            self.record.frames += 1
            if self.record.onset_s is None:
                self.record.onset_s = time_s
        elif self.record.frames and self.record.cleared_s is None:
            self.record.cleared_s = time_s

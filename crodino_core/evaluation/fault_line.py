"""Faults at work on the frames of both sensors, of a recording or live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from crodino_core.evaluation.delay_line import DelayLine
from crodino_core.evaluation.faults import Decides, FaultKind, Parameters, Push
from crodino_core.evaluation.frame_set import FrameSet
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame


@dataclass(frozen=True, eq=False)
class Fault:
    """One occurrence of a kind of fault; two with the same parameters are two."""

    kind: FaultKind
    parameters: Parameters
    """Those that differ from the defaults, or all."""


class FaultLine:
    """Starts faults, applies them to frames in order of arrival, and holds what they delay.

    Put every frame in with `push`, and give out what `due(now)` returns at `next_arrival`.
    """

    def __init__(self) -> None:
        self.damaged = FrameSet()
        """Frames whose picture is not the one that the sensor took at that instant."""
        self._running: dict[Modality, dict[Fault, Push]] = {modality: {} for modality in Modality}
        self._last: dict[Modality, Frame] = {}
        self._held = DelayLine()

    def push(self, frame: Frame, active: Sequence[Fault]) -> list[Frame]:
        """Apply faults to a frame; return what arrives now and hold what arrives later.

        :param active: the faults of its sensor, each to work on the result of the one before. One
            that was not active at the sensor's last frame is started, one that no longer is
            ends. Once none delays, the frames held arrive before this one.
        """
        sensor = frame.modality
        self._last[sensor], previous = frame, self._last.get(sensor)
        before = self._running[sensor]
        running = self._running[sensor] = {
            fault: before.get(fault)
            or fault.kind.start(previous, fault.parameters, self._last.get)
            for fault in active
        }
        frames = [frame]
        for push in running.values():
            frames = [out for each in frames for out in push(each)]
        delays = any(fault.kind.decides is Decides.ARRIVAL for fault in active)
        arrived = [] if delays else self._release(sensor, frame.arrival)
        for out in frames:
            if out.image is not frame.image:
                self.damaged.add(out)
            if out.arrival > frame.arrival:
                self._held.put(out)
            else:
                arrived.append(out)
        return arrived

    def _release(self, sensor: Modality, now: float) -> list[Frame]:
        """Have what is held of a sensor arrive by `now`; what is damaged remains so."""
        released = []
        for held in self._held.release(sensor):
            released.append(replace(held, arrival=min(held.arrival, now)))
            if held in self.damaged:
                self.damaged.add(released[-1])
        return released

    @property
    def next_arrival(self) -> float | None:
        """When a frame that is held back is due; None if none is."""
        return self._held.next_arrival

    def due(self, now: float) -> list[Frame]:
        """Give out the frames held back that have arrived by `now`, in the time of arrivals."""
        return self._held.due(now)

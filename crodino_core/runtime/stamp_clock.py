"""The clock behind a sensor's stamps, compared with the clock of the arrivals."""

from __future__ import annotations

from collections import deque
from statistics import median

from crodino_core.runtime.frame import Frame

REMEMBERED = 3
"""A single frame that was held up, or bears a wrong stamp, does not move the median of three; a
clock that was set anew is believed at its second frame."""


class StampClock:
    """Learns how far the stamps of a sensor are ahead of the arrivals.

    The offset is that of the sensor's clock less the time a frame takes to reach us; which of
    both it is, nobody can tell from here.
    """

    def __init__(self) -> None:
        self._offsets: deque[float] = deque(maxlen=REMEMBERED)
        self._last_stamp = 0

    @property
    def offset(self) -> float | None:
        """Stamp minus arrival, seconds; None while no frame bore a stamp."""
        return median(self._offsets) if self._offsets else None

    def learn(self, frame: Frame) -> None:
        """Take in a frame. A zero stamp, or one that stands still, tells nothing."""
        if frame.stamp_ns not in (0, self._last_stamp):
            self._offsets.append(frame.stamp_ns * 1e-9 - frame.arrival)
        self._last_stamp = frame.stamp_ns

    def agrees_with(self, other: StampClock, tolerance: float) -> bool:
        """Whether the offsets of both are known and within `tolerance` seconds of each other."""
        if self.offset is None or other.offset is None:
            return False
        return abs(self.offset - other.offset) <= tolerance

"""Holds frames back until the time they arrive."""

from __future__ import annotations

import heapq
import itertools

from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame


class DelayLine:
    """Frames that a fault gave a later arrival, given out in the order of their arrivals.

    For a live stream: put in what a fault gives out, wake up at `next_arrival`, take `due(now)`.
    """

    def __init__(self) -> None:
        self._held: list[tuple[float, int, Frame]] = []
        self._count = itertools.count()

    def put(self, frame: Frame) -> None:
        """Hold a frame until its arrival."""
        heapq.heappush(self._held, (frame.arrival, next(self._count), frame))

    @property
    def next_arrival(self) -> float | None:
        """When the next frame is due; None if none is held."""
        return self._held[0][0] if self._held else None

    def due(self, now: float) -> list[Frame]:
        """Give out the frames that have arrived by `now`, seconds."""
        frames = []
        while self._held and self._held[0][0] <= now:
            frames.append(heapq.heappop(self._held)[2])
        return frames

    def release(self, sensor: Modality) -> list[Frame]:
        """Give out every frame of a sensor at once: what delayed them has ended."""
        freed = sorted(entry for entry in self._held if entry[2].modality is sensor)
        if freed:
            self._held = [entry for entry in self._held if entry[2].modality is not sensor]
            heapq.heapify(self._held)
        return [frame for _, _, frame in freed]

"""Inference in a thread of its own: the newest work only."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable

import numpy as np

from crodino_core.runtime.selector import Selection

PERCENTILES = (50, 95, 99)


class InferenceWorker:
    """Calls `work(selection)` for the newest selection, one at a time.

    A selection that is still waiting when a newer one comes is dropped, so a slow engine lowers
    the rate of the masks but never delays the callbacks that watch the sensors.

    :param work: called in the worker's thread.
    :param on_error: called there with what `work` or a preparation raised; the worker goes on.
    """

    def __init__(
        self, work: Callable[[Selection], None], on_error: Callable[[Exception], None]
    ) -> None:
        self._work = work
        self._on_error = on_error
        self._selection: Selection | None = None
        self._preparations: dict[Hashable, Callable[[], None]] = {}
        self._prepared_last = False
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name='inference', daemon=True)
        self.dropped = 0
        """Selections that a newer one replaced before the engine was free."""
        self._thread.start()

    def submit(self, selection: Selection) -> None:
        """Have a selection segmented as soon as the engine is free, unless a newer one comes."""
        with self._changed:
            self.dropped += self._selection is not None
            self._selection = selection
            self._changed.notify()

    def prepare(self, key: Hashable, preparation: Callable[[], None]) -> None:
        """Run something in the worker's thread before the next selection.

        Only the newest preparation of a key is kept, and selections have their turn between two,
        so that a sensor which changes all the time does not end the masks.
        """
        with self._changed:
            self._preparations[key] = preparation
            self._changed.notify()

    def stop(self) -> None:
        """Finish what is running, forget what waits, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (task := self._next()) is not None:
            try:
                task()
            except Exception as error:  # a failing engine must not end the stream of masks
                self._on_error(error)

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopping or self._selection is not None or self._preparations
            )
            if self._stopping:
                return None
            waits = self._selection is not None
            self._prepared_last = bool(self._preparations) and not (waits and self._prepared_last)
            if self._prepared_last:
                return self._preparations.pop(next(iter(self._preparations)))
            selection, self._selection = self._selection, None
            assert selection is not None
            return lambda: self._work(selection)


class RecentDurations:
    """Percentiles of the last durations; filled by one thread, read by another."""

    def __init__(self, count: int = 300) -> None:
        self._seconds: deque[float] = deque(maxlen=count)

    def add(self, seconds: float) -> None:
        """Take in one duration."""
        self._seconds.append(seconds)

    def percentiles_ms(self) -> dict[str, float]:
        """`{'p50': ..., 'p95': ..., 'p99': ...}` in milliseconds; empty before the first."""
        seconds = list(self._seconds)
        if not seconds:
            return {}
        found = np.percentile(seconds, PERCENTILES)
        return {f'p{p}': float(v) * 1e3 for p, v in zip(PERCENTILES, found, strict=True)}


class RecentRate:
    """How many events a second there were lately; time comes in from the caller.

    Filled by one thread, read by another. Times that go back begin it anew.
    """

    WINDOW = 3.0

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=1000)

    def add(self, now: float) -> None:
        """Take in an event, seconds."""
        if self._times and now < self._times[-1]:
            self._times.clear()
        self._times.append(now)

    def per_second(self, now: float) -> float:
        """Events per second of the last `WINDOW` seconds; 0 with fewer than two."""
        recent = [t for t in list(self._times) if now - self.WINDOW < t <= now]
        if len(recent) < 2 or recent[0] == recent[-1] or now - recent[-1] > self.WINDOW / 2:
            return 0.0
        return (len(recent) - 1) / (recent[-1] - recent[0])

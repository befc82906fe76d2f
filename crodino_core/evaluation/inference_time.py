"""When a mask is out: after the decision, the time its network takes, on the recording's clock.

By default a mask is out at the moment of the decision, so that the figures of a replay are those
of the decisions alone, the same on every machine. With a given inference time they are still the
same everywhere, and are those of a robot whose network takes so long; with the measured one they
are those of this machine at this moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from crodino_core.errors import UsageError

MEASURED = 'measured'
InferenceTime = float | str | None
"""Milliseconds, `MEASURED`, or None for none."""

LONGEST_MS = 60_000

_Work = TypeVar('_Work')


def parse_inference_time(value: object) -> InferenceTime:
    """Check an inference time as an option or a plan gives it: milliseconds, or 'measured'.

    :raises UsageError: it is neither.
    """
    if value is None or value == MEASURED:
        return value  # type: ignore[return-value]
    try:
        milliseconds = -1.0 if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        milliseconds = -1.0
    if not 0 <= milliseconds <= LONGEST_MS:
        raise UsageError(
            f'the inference time is {value!r}; milliseconds (15, at most {LONGEST_MS}) or '
            f'{MEASURED!r} were expected'
        )
    return milliseconds


class InferenceQueue(Generic[_Work]):
    """One network at a time: work waits while it is busy, and newer work replaces what waits.

    It does on the recording's clock what the live node's worker does in a thread.

    :param begin: does the work at a time, seconds; returns the seconds that it takes.
    """

    def __init__(self, begin: Callable[[_Work, float], float]) -> None:
        self._begin = begin
        self._waiting: list[_Work] = []
        self._free_at = float('-inf')
        self.dropped = 0
        """Work that newer work replaced before the network was free."""

    def submit(self, work: _Work, now: float) -> None:
        """Have work done at `now`, or as soon as the network is free."""
        self.advance(now)
        self.dropped += len(self._waiting)
        self._waiting = [work]
        self._free_at = max(self._free_at, now)
        self.advance(now)

    def advance(self, now: float) -> None:
        """Begin what waits if the network is free by `now`."""
        if self._waiting and self._free_at <= now:
            work = self._waiting.pop()
            self._free_at += self._begin(work, self._free_at)

    def finish(self) -> None:
        """Do what still waits."""
        self.advance(float('inf'))

"""The period a sensor keeps, learned from the arrivals of its frames."""

from __future__ import annotations

from collections import deque

JITTER = 0.2
"""A healthy frame arrives up to this fraction of a period early or late."""
WINDOW = 30
"""Intervals remembered: the mean of 30 is within 1.4 % of the period of a jittering stream."""
MIN_INTERVALS = 4
"""With fewer intervals no period is claimed."""
REFUTING = 5
"""So many intervals running that do not fit mean that the sensor has a new rate."""
BURST = 0.5
"""Unless they last less than so many periods together: then frames that a queue had held came at
once, which says nothing of the rate."""


class LearnedPeriod:
    """Mean of the recent intervals that fit to each other.

    If every frame arrives within +-`JITTER` periods of its due time, an interval lasts at most
    (1 + 2 * JITTER) = 1.4 periods and the mean of n intervals, a telescoping sum, errs by at
    most 2 * JITTER / n of a period. Both bounds together give the longest interval that a
    healthy sensor can show (`longest_healthy`); what lasts longer was a missing frame, and is
    not learned. Neither is what is far too short, as two frames delivered in one go.
    """

    def __init__(self, late_factor: float) -> None:
        """Know nothing yet.

        :param late_factor: an interval of more than so many periods has missed a frame; it may
            be changed at any time, what was learned stays.
        """
        self.late_factor = late_factor
        self._intervals: deque[float] = deque(maxlen=WINDOW)
        self._misfits: list[float] = []

    @property
    def seconds(self) -> float | None:
        """The period, seconds; None before `MIN_INTERVALS` intervals were seen."""
        return self._mean() if len(self._intervals) >= MIN_INTERVALS else None

    @property
    def longest_healthy(self) -> float | None:
        """The longest interval without a missing frame, seconds; None while unknown."""
        return self._upper() if len(self._intervals) >= MIN_INTERVALS else None

    def learn(self, interval: float) -> None:
        """Take in the seconds between two successive arrivals."""
        if not self._intervals or self._lower() <= interval <= self._upper():
            self._intervals.append(interval)
            self._misfits.clear()
            return
        self._misfits.append(interval)
        if len(self._misfits) >= REFUTING and sum(self._misfits) >= BURST * self._mean():
            self._intervals = deque(self._misfits[-REFUTING:], maxlen=WINDOW)
            self._misfits.clear()

    def _mean(self) -> float:
        return sum(self._intervals) / len(self._intervals)

    def _upper(self) -> float:
        slack = 2 * JITTER
        uncertain = (1 + slack) / (1 - slack / len(self._intervals))
        return self._mean() * max(self.late_factor, uncertain)

    def _lower(self) -> float:
        return self._mean() * (1 - 2 * JITTER) / (1 + 2 * JITTER)

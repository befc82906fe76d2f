"""Which masks were lost, and which switches had a reason.

Pure functions over the records of a replay; nothing here looks at a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from crodino_core.evaluation.records import Failover, Failure
from crodino_core.modality import Modality

MISSING_PERIODS = 1.8
"""An interval of this many periods has lost a frame; with jitter of 20 % it reaches 1.4."""


def median_interval(times: Sequence[float]) -> float | None:
    """Return the median of the steps between successive times; None for fewer than two."""
    steps = [after - before for before, after in pairwise(times)]
    return median(steps) if steps else None


def lost_masks(
    expected: Sequence[float], produced: Sequence[float], tolerance: float
) -> list[float]:
    """Return the expected times that no mask replaced within `tolerance` seconds.

    Each mask replaces at most one expected one, and both keep their order. Of all such
    assignments the one that loses fewest is taken, and of these the one with the smallest sum of
    delays; so a loss is reported where it happened and not at the end of the stream.

    :param expected: times of the masks without the scenario, ascending.
    :param produced: times of the masks with it, ascending.
    """
    # What is known after an expected mask, by the index of the last mask used.
    states = {-1: _Matching(0, 0.0)}
    first = 0
    for time in expected:
        while first < len(produced) and produced[first] < time - tolerance:
            first += 1
        states = _forget(states, first)
        following = {used: state.lose(time) for used, state in states.items()}
        index = first
        while index < len(produced) and produced[index] <= time + tolerance:
            before = [state for used, state in states.items() if used < index]
            if before:
                matched = min(before).match(abs(produced[index] - time))
                following[index] = min(matched, following.get(index, matched))
            index += 1
        states = following
    return min(states.values()).lost_times()


@dataclass(frozen=True, order=True)
class _Matching:
    """An assignment of masks to the expected ones so far; the smaller the better."""

    lost: int
    delay: float
    last_lost: tuple[float, _Matching] | None = field(default=None, compare=False)
    """The last lost time, and the assignment as it was before it."""

    def lose(self, time: float) -> _Matching:
        return _Matching(self.lost + 1, self.delay, (time, self))

    def match(self, delay: float) -> _Matching:
        return _Matching(self.lost, self.delay + delay, self.last_lost)

    def lost_times(self) -> list[float]:
        times = []
        last = self.last_lost
        while last is not None:
            times.append(last[0])
            last = last[1].last_lost
        return times[::-1]


def _forget(states: dict[int, _Matching], first: int) -> dict[int, _Matching]:
    """Join the states whose last used mask lies before `first`: they have the same future."""
    past = [state for used, state in states.items() if used < first]
    kept = {used: state for used, state in states.items() if used >= first}
    return {first - 1: min(past), **kept} if past else kept


def pauses_of(arrivals: Sequence[float]) -> list[tuple[float, float]]:
    """Return start and end of each interval that has lost a frame, seconds."""
    period = median_interval(arrivals)
    if not period:
        return []
    steps = pairwise(arrivals)
    return [(a, b) for a, b in steps if b - a >= MISSING_PERIODS * period]


def failure_at(failures: Sequence[Failure], time_s: float) -> Failure | None:
    """Return the failure a loss at `time_s` belongs to: from its onset until its recovery."""
    for failure in failures:
        if failure.onset_s is not None and failure.onset_s <= time_s <= _over(failure):
            return failure
    return None


def _over(failure: Failure) -> float:
    if failure.cleared_s is None:
        return float('inf')
    return failure.cleared_s if failure.recovered_s is None else failure.recovered_s


@dataclass(frozen=True)
class Reason:
    """A time in which a sensor was not to be trusted, and why."""

    sensor: Modality
    start_s: float
    end_s: float
    text: str


def reasons_to_switch(
    failures: Sequence[Failure], arrivals_s: dict[Modality, list[float]]
) -> list[Reason]:
    """Return every good reason to leave a sensor.

    - an injected fault, from its start until the sensor was OK again;
    - frames missing in the recording itself: an interval of at least 1.8 median periods of one
      sensor in which the other went on. A pause of both sensors is no reason.
    """
    reasons = [
        Reason(f.sensor, f.start_s, _over(f), f'injected fault: {f.sensor} {f.kind}')
        for f in failures
        if f.frames
    ]
    for sensor, times in arrivals_s.items():
        period = median_interval(times)
        if not period:
            continue
        others = arrivals_s[sensor.other]
        for before, after in pauses_of(times):
            inside = (before + period / 2, after - period / 2)
            if any(inside[0] < other < inside[1] for other in others):
                text = f'the recording itself lacks {sensor} for {after - before:.2f} s'
                reasons.append(Reason(sensor, before, after, text))
    return reasons


def explain_failovers(
    failovers: Sequence[Failover],
    reasons: Sequence[Reason],
    last_served: Sequence[dict[Modality, float]],
) -> None:
    """Fill in `explained_by` of each failover; where nothing explains it, it is a false switch.

    A switch at time t from A to B is explained by a reason of A that covers t (A failed), or by
    a reason of B that began before t and ended after B was last served (B has come back).

    :param last_served: for each failover, when each modality was last served before it.
    """
    for failover, served in zip(failovers, last_served, strict=True):
        since = served.get(failover.to_modality, float('-inf'))
        for reason in reasons:
            leaves = reason.sensor is failover.from_modality and (
                reason.start_s <= failover.at_s <= reason.end_s
            )
            returns = reason.sensor is failover.to_modality and (
                reason.start_s <= failover.at_s and reason.end_s >= since
            )
            if leaves or returns:
                failover.explained_by = reason.text
                break

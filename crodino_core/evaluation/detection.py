"""When failures were noticed, and when their sensors were healthy again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crodino_core.evaluation.records import Failure, StateChange
from crodino_core.evaluation.timing import median_interval, pauses_of
from crodino_core.modality import Modality

FAILING_STATES = frozenset({'late', 'lost', 'frozen', 'invalid'})
"""Values of `SensorState` that say: this sensor has failed."""


def time_failures(
    failures: Sequence[Failure],
    changes: Sequence[StateChange],
    arrivals_s: Mapping[Modality, Sequence[float]],
) -> None:
    """Fill in when each failure was detected and when its sensor was healthy again.

    - detected: the first moment from the first touched frame (`onset_s`) to the first untouched
      one (`cleared_s`) at which the sensor's state was LATE, LOST, FROZEN or INVALID, and not
      because the recording itself pauses;
    - recovered: the first moment from `cleared_s` on at which its state was OK.

    :param arrivals_s: arrivals of each sensor's frames in the recording, before any fault.
    """
    for failure in failures:
        if failure.onset_s is None:
            continue
        own = [change for change in changes if change.sensor is failure.sensor]
        arrivals = arrivals_s.get(failure.sensor, ())
        found = _detection(failure, _states_from(own, failure.onset_s), arrivals)
        if found is not None:
            failure.detected_s, failure.detected_as = found
        if failure.cleared_s is None:
            continue
        for time, state in _states_from(own, failure.cleared_s):
            if state == 'ok':
                failure.recovered_s = time
                break


def _detection(
    failure: Failure, states: Sequence[tuple[float, str]], arrivals: Sequence[float]
) -> tuple[float, str] | None:
    """Return when a failure was detected and as what, None if it never was."""
    period = median_interval(arrivals) or 0.0
    # The frame before a pause is good for one period; what is missing after that nobody sent.
    silences = [(start + period, end) for start, end in pauses_of(arrivals)]
    latest = float('inf') if failure.cleared_s is None else failure.cleared_s
    ends = [time for time, _ in states[1:]] + [float('inf')]
    for (time, state), end in zip(states, ends, strict=False):
        began = next((stop for start, stop in silences if start < time < stop), time)
        if state in FAILING_STATES and time <= latest and (began == time or began < end):
            return (began, state) if began <= latest else None
    return None


def _states_from(changes: Sequence[StateChange], since: float) -> list[tuple[float, str]]:
    """Return the state at `since` and each later one with its time."""
    before = [change for change in changes if change.time_s <= since]
    later = [(change.time_s, change.state) for change in changes if change.time_s > since]
    return [(since, before[-1].state), *later] if before else later

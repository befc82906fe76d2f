"""The period a sensor keeps, learned from its arrivals."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crodino_core.runtime.period import LearnedPeriod

STEADY = [0.1] * 20


def learned(intervals: list[float]) -> LearnedPeriod:
    period = LearnedPeriod(late_factor=1.45)
    for interval in intervals:
        period.learn(interval)
    return period


def test_no_period_is_claimed_from_three_intervals():
    period = learned([0.1] * 3)
    assert period.seconds is None and period.longest_healthy is None


def test_a_steady_period_is_learned_exactly():
    period = learned(STEADY)
    assert period.seconds == pytest.approx(0.1)
    assert period.longest_healthy == pytest.approx(0.145)


def test_another_late_factor_keeps_what_was_learned():
    period = learned(STEADY)
    period.late_factor = 2.0
    assert period.seconds == pytest.approx(0.1)
    assert period.longest_healthy == pytest.approx(0.2)


def test_few_intervals_leave_more_room():
    assert learned([0.1] * 4).longest_healthy == pytest.approx(0.1556, abs=1e-4)


@pytest.mark.parametrize('misfit', [0.0, 0.02, 0.2, 1.0, 60.0])
def test_a_missing_frame_a_pause_or_a_burst_is_not_learned(misfit: float):
    assert learned([*STEADY, misfit, misfit]).seconds == pytest.approx(0.1)


@pytest.mark.parametrize('rate', [0.02, 0.2, 1.0])
def test_a_new_rate_is_learned_from_five_intervals(rate: float):
    assert learned([*STEADY, *[rate] * 5]).seconds == pytest.approx(rate)


@pytest.mark.parametrize('count', [5, 50])
def test_frames_that_come_all_at_once_are_no_new_rate(count: int):
    assert learned([*STEADY, *[1e-4] * count, *[0.1] * 5]).seconds == pytest.approx(0.1)


def test_a_long_first_interval_is_soon_forgotten():
    assert learned([1.0, *STEADY]).seconds == pytest.approx(0.1)


@given(st.lists(st.floats(-0.2, 0.2), min_size=6, max_size=80))
def test_no_interval_between_jittering_stamps_is_too_long(jitter: list[float]):
    arrivals = [index + early for index, early in enumerate(jitter)]
    period = LearnedPeriod(late_factor=1.45)
    for before, after in itertools.pairwise(arrivals):
        limit = period.longest_healthy
        assert limit is None or after - before <= limit + 1e-9
        period.learn(after - before)
    if len(jitter) > 30:
        assert period.seconds == pytest.approx(1.0, abs=0.4 / 30 + 1e-9)


@given(st.integers(0, 2**32))
def test_no_jittering_interval_is_too_long(seed: int):
    randomness = random.Random(seed)
    period = LearnedPeriod(late_factor=1.45)
    for _ in range(200):
        interval = randomness.uniform(0.8, 1.2)
        limit = period.longest_healthy
        assert limit is None or interval <= limit
        period.learn(interval)

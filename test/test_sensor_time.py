"""The time that sensors are judged by, with clocks driven by hand."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from crodino_ros.middleware import ClockChange
from crodino_ros.sensor_time import Attention, SensorTime, SimulatedTime


def ticking(
    rate: float = 1.0, hz: float = 40.0, seconds: float = 2.0
) -> tuple[SimulatedTime, float]:
    """Return a simulated time after some ticks, and the steady time of the last one."""
    simulated, steady = SimulatedTime(), 0.0
    for index in range(round(2 * hz) + 1):
        steady = index / hz
        simulated.tick(1000.0 + rate * steady, steady)
    return simulated, steady


def test_there_is_no_time_before_the_first_tick():
    assert SimulatedTime().now(5.0) == 0.0


@pytest.mark.parametrize('rate', [0.5, 1.0, 3.0])
def test_time_goes_on_between_ticks_at_their_rate(rate):
    simulated, last = ticking(rate)
    assert simulated.now(last + 0.010) == pytest.approx(1000 + rate * (last + 0.010), abs=1e-6)


def test_a_camera_of_30_hz_does_not_seem_to_jitter_by_ticks_of_40_hz():
    simulated, last = ticking()
    arrivals, next_tick, next_frame = [], last + 0.025, last + 1 / 30
    while len(arrivals) < 30:
        if next_tick <= next_frame:
            simulated.tick(1000.0 + next_tick, next_tick)
            next_tick += 0.025
        else:
            arrivals.append(simulated.now(next_frame))
            next_frame += 1 / 30
    intervals = [b - a for a, b in itertools.pairwise(arrivals)]
    assert max(intervals) < 1.05 / 30


def test_a_paused_clock_stands_still():
    simulated, last = ticking()
    paused = simulated.now(last + 1.0)
    assert paused - (1000 + last) <= 0.025 + 1e-6
    assert simulated.now(last + 100.0) == paused


def test_time_never_falls_and_a_pause_does_not_slow_it_down():
    simulated, last = ticking()
    before = simulated.now(last + 50.0)
    simulated.tick(1000 + last + 0.001, last + 50.0)
    assert simulated.now(last + 50.0) >= before
    simulated.tick(1000 + last + 0.026, last + 50.025)
    assert simulated.now(last + 50.035) == pytest.approx(1000 + last + 0.036, abs=2e-3)


class HandDrivenClock:
    """A clock of ROS time that calls back at each step, as that of a node with `use_sim_time`."""

    ros_time_is_active = True

    def __init__(self) -> None:
        self._nanoseconds = 0

    def create_jump_callback(self, threshold, *, pre_callback=None, post_callback):
        self._called = post_callback
        return SimpleNamespace(unregister=lambda: None)

    def now(self):
        return SimpleNamespace(nanoseconds=self._nanoseconds)

    def go_to(self, seconds: float) -> None:
        before, self._nanoseconds = self._nanoseconds, round(seconds * 1e9)
        delta = SimpleNamespace(nanoseconds=self._nanoseconds - before)
        self._called(SimpleNamespace(clock_change=ClockChange.ROS_TIME_NO_CHANGE, delta=delta))


@pytest.mark.parametrize('step', [0.001, 0.025, 1.25, 10.0])
def test_ticks_are_no_jumps_however_long_they_are(step):
    clock, jumps = HandDrivenClock(), []
    SensorTime(clock, on_jump=lambda: jumps.append(clock.now()), on_due=lambda: None)
    for index in range(3):  # the first that is so long may be a jump or a tick
        clock.go_to(1000.0 + index * step)
    jumps.clear()
    for index in [*range(3, 30), 32, 33]:  # one message was lost
        clock.go_to(1000.0 + index * step)
    assert not jumps
    clock.go_to(1000.0 + 34 * step + 60.0)
    assert len(jumps) == 1
    clock.go_to(1000.0 + 35 * step + 60.0)
    assert len(jumps) == 1
    clock.go_to(1000.0)
    assert len(jumps) == 2


def test_without_a_deadline_time_is_the_time_given():
    assert Attention().attend(12.5) == 12.5


def test_looking_in_time_costs_nothing():
    attention = Attention()
    attention.deadline = 10.0
    assert attention.attend(10.002) == 10.002


def test_time_that_nobody_watched_does_not_count():
    attention = Attention()
    attention.deadline = 10.0
    assert 9.99 < attention.attend(14.0) < 10.0
    assert 10.99 < attention.glance(15.0) < 11.0


def test_a_missed_deadline_is_forgiven_once():
    attention = Attention()
    attention.deadline = 10.0
    attention.attend(14.0)
    assert attention.attend(15.0) > 10.9
    attention.deadline = 12.0
    assert attention.attend(20.0) < 12.0

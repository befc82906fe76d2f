"""Time, clocks, jumps and timers of the embedded middleware, driven by hand."""

from __future__ import annotations

import pytest

pytest.importorskip('cyclonedds')

from crodino_ros.middleware.embedded.clock import Clock, ClockChange, JumpThreshold, ROSClock
from crodino_ros.middleware.embedded.duration import Duration
from crodino_ros.middleware.embedded.time import ClockType, Time
from crodino_ros.middleware.embedded.timer import Timer

BACK = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1))


def ros_time(seconds: float) -> Time:
    return Time(seconds=seconds, clock_type=ClockType.ROS_TIME)


@pytest.fixture
def clock() -> ROSClock:
    clock = Clock(clock_type=ClockType.ROS_TIME)
    clock._set_ros_time_is_active(True)
    clock.set_ros_time_override(ros_time(10))
    return clock


def test_times_and_durations_add_and_compare():
    assert ros_time(3) - ros_time(1) == Duration(seconds=2)
    assert ros_time(3) + Duration(seconds=1) == ros_time(4)
    assert ros_time(3) - Duration(seconds=1) == ros_time(2)
    assert ros_time(3) > ros_time(2)
    assert Duration(seconds=-0.5) < Duration()
    with pytest.raises(TypeError, match='cannot be compared'):
        assert ros_time(3) > Time(seconds=2)


def test_times_and_durations_become_messages_and_back():
    stamp = ros_time(1.25)
    assert (stamp.to_msg().sec, stamp.to_msg().nanosec) == (1, 250_000_000)
    assert Time.from_msg(stamp.to_msg()) == stamp
    assert Duration.from_msg(Duration(seconds=-0.5).to_msg()) == Duration(seconds=-0.5)


def test_ros_time_follows_the_override_only_while_it_is_active(clock):
    assert clock.now() == ros_time(10)
    clock._set_ros_time_is_active(False)
    assert clock.now() > ros_time(1_000_000_000)


def test_a_jump_back_is_reported_with_its_size_and_a_step_forward_is_not(clock):
    seen = []
    clock.create_jump_callback(BACK, post_callback=seen.append)
    clock.set_ros_time_override(ros_time(11))
    assert seen == []
    clock.set_ros_time_override(ros_time(4))
    assert [jump.delta for jump in seen] == [Duration(seconds=-7)]


def test_switching_the_time_source_is_a_jump():
    clock, seen = Clock(clock_type=ClockType.ROS_TIME), []
    with clock.create_jump_callback(BACK, post_callback=seen.append):
        clock._set_ros_time_is_active(True)
    clock._set_ros_time_is_active(False)
    assert [jump.clock_change for jump in seen] == [ClockChange.ROS_TIME_ACTIVATED]


def test_callbacks_run_before_and_after_the_jump(clock):
    order = []
    clock.create_jump_callback(
        BACK,
        pre_callback=lambda: order.append(clock.now()),
        post_callback=lambda _: order.append(clock.now()),
    )
    clock.set_ros_time_override(ros_time(2))
    assert order == [ros_time(10), ros_time(2)]


def test_a_timer_in_ros_time_waits_for_the_clock_to_move(clock):
    timer = Timer(lambda: None, 1_000_000_000, clock, autostart=True)
    assert not timer.is_ready()
    clock.set_ros_time_override(ros_time(11))
    assert timer.is_ready()
    timer.execute()
    assert not timer.is_ready()


def test_a_timer_skips_the_periods_it_missed(clock):
    calls = []
    timer = Timer(lambda: calls.append(clock.now()), 1_000_000_000, clock, autostart=True)
    clock.set_ros_time_override(ros_time(14.5))
    while timer.is_ready():
        timer.execute()
    assert calls == [ros_time(14.5)]
    assert timer.time_until_next_call() == 500_000_000


def test_a_timer_starts_again_when_time_jumps_back(clock):
    timer = Timer(lambda: None, 1_000_000_000, clock, autostart=True)
    clock.set_ros_time_override(ros_time(3))
    assert timer.time_until_next_call() == 1_000_000_000


def test_a_canceled_timer_is_silent_until_it_is_reset(clock):
    timer = Timer(lambda: None, 1_000_000_000, clock, autostart=False)
    clock.set_ros_time_override(ros_time(20))
    assert timer.is_canceled()
    assert not timer.is_ready()
    timer.reset()
    clock.set_ros_time_override(ros_time(21))
    assert timer.is_ready()

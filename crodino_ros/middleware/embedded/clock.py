"""Clocks, and callbacks for jumps of ROS time."""

from __future__ import annotations

import time as std_time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from crodino_ros.middleware.embedded.duration import Duration
from crodino_ros.middleware.embedded.exceptions import NotOfferedError
from crodino_ros.middleware.embedded.time import ClockType, Time


class ClockChange(IntEnum):
    ROS_TIME_NO_CHANGE = 1
    ROS_TIME_ACTIVATED = 2
    ROS_TIME_DEACTIVATED = 3
    SYSTEM_TIME_NO_CHANGE = 4


@dataclass(frozen=True)
class TimeJump:
    """What happened to the clock: its source changed, or it moved by `delta` at once."""

    clock_change: ClockChange
    delta: Duration


class JumpThreshold:
    """How large a step of ROS time counts as a jump; None disables that direction."""

    def __init__(
        self,
        *,
        min_forward: Duration | None,
        min_backward: Duration | None,
        on_clock_change: bool = True,
    ) -> None:
        if min_forward is not None and min_forward.nanoseconds <= 0:
            raise ValueError('min_forward must be a positive non-zero duration')
        if min_backward is not None and min_backward.nanoseconds >= 0:
            raise ValueError('min_backward must be a negative non-zero duration')
        if min_forward is None and min_backward is None and not on_clock_change:
            raise ValueError('at least one jump threshold must be enabled')
        self.min_forward = min_forward
        self.min_backward = min_backward
        self.on_clock_change = on_clock_change

    def exceeded(self, change: ClockChange, delta: Duration) -> bool:
        """Whether a step of the clock is a jump for this threshold."""
        if change in (ClockChange.ROS_TIME_ACTIVATED, ClockChange.ROS_TIME_DEACTIVATED):
            return self.on_clock_change
        if self.min_forward is not None and delta >= self.min_forward:
            return True
        return self.min_backward is not None and delta <= self.min_backward


class JumpHandle:
    """A registered jump callback, until `unregister()` or the end of its `with`."""

    def __init__(
        self,
        *,
        clock: Clock,
        threshold: JumpThreshold,
        pre_callback: Callable[[], None] | None,
        post_callback: Callable[[TimeJump], None] | None,
    ) -> None:
        if pre_callback is None and post_callback is None:
            raise ValueError('one of pre_callback and post_callback must be given')
        self._clock = clock
        self.threshold = threshold
        self.pre_callback = pre_callback
        self.post_callback = post_callback
        clock._jump_handles.append(self)

    def unregister(self) -> None:
        """Stop calling back."""
        if self in self._clock._jump_handles:
            self._clock._jump_handles.remove(self)

    def __enter__(self) -> JumpHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.unregister()


class Clock:
    """`Clock(clock_type=ClockType.STEADY_TIME)`; of ROS_TIME it is a `ROSClock`."""

    _clock_type: ClockType
    _jump_handles: list[JumpHandle]

    def __new__(cls, *, clock_type: ClockType = ClockType.SYSTEM_TIME) -> Clock:
        self = super().__new__(ROSClock if clock_type is ClockType.ROS_TIME else cls)
        self._clock_type = clock_type
        self._jump_handles = []
        return self

    @property
    def clock_type(self) -> ClockType:
        return self._clock_type

    def __repr__(self) -> str:
        return f'Clock(clock_type={self.clock_type.name})'

    def now(self) -> Time:
        """The current time of this clock."""
        return Time(nanoseconds=self._nanoseconds(), clock_type=self.clock_type)

    def _nanoseconds(self) -> int:
        if self.clock_type is ClockType.STEADY_TIME:
            return std_time.monotonic_ns()
        return std_time.time_ns()

    def create_jump_callback(
        self,
        threshold: JumpThreshold,
        *,
        pre_callback: Callable[[], None] | None = None,
        post_callback: Callable[[TimeJump], None] | None = None,
    ) -> JumpHandle:
        """Call back around every step of this clock that exceeds the threshold.

        Only ROS time ever jumps; keep the returned handle.
        """
        return JumpHandle(
            clock=self,
            threshold=threshold,
            pre_callback=pre_callback,
            post_callback=post_callback,
        )

    def sleep_until(self, *_: Any, **__: Any) -> bool:
        raise NotOfferedError('Clock.sleep_until')

    def sleep_for(self, *_: Any, **__: Any) -> bool:
        raise NotOfferedError('Clock.sleep_for')


class ROSClock(Clock):
    """The system clock, or the time of `/clock` while ROS time is active."""

    _override_ns: int
    _active: bool

    def __new__(cls) -> ROSClock:
        return super().__new__(cls, clock_type=ClockType.ROS_TIME)  # type: ignore[return-value]

    def __init__(self, *, clock_type: ClockType = ClockType.ROS_TIME) -> None:
        self._override_ns = 0
        self._active = False

    @property
    def ros_time_is_active(self) -> bool:
        return self._active

    def set_ros_time_override(self, time: Time) -> None:
        """Set the time that `now()` gives while ROS time is active."""
        delta = Duration(nanoseconds=time.nanoseconds - self._override_ns)

        def step() -> None:
            self._override_ns = time.nanoseconds

        if self._active:
            self._jump(ClockChange.ROS_TIME_NO_CHANGE, delta, step)
        else:
            step()

    def _set_ros_time_is_active(self, active: bool) -> None:
        if active == self._active:
            return
        change = ClockChange.ROS_TIME_ACTIVATED if active else ClockChange.ROS_TIME_DEACTIVATED
        before, after = self._nanoseconds(), self._override_ns if active else std_time.time_ns()

        def step() -> None:
            self._active = active

        self._jump(change, Duration(nanoseconds=after - before), step)

    def _jump(self, change: ClockChange, delta: Duration, step: Callable[[], None]) -> None:
        due = [h for h in self._jump_handles if h.threshold.exceeded(change, delta)]
        for handle in due:
            if handle.pre_callback is not None:
                handle.pre_callback()
        step()
        for handle in due:
            if handle.post_callback is not None:
                handle.post_callback(TimeJump(change, delta))

    def _nanoseconds(self) -> int:
        return self._override_ns if self._active else std_time.time_ns()

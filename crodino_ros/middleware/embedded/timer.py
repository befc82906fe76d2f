"""Timers on any clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crodino_ros.middleware.embedded.clock import Clock, JumpThreshold, TimeJump
from crodino_ros.middleware.embedded.duration import Duration
from crodino_ros.middleware.embedded.time import ClockType
from crodino_ros.middleware.embedded.waitable import plain_callback


class Timer:
    """Made by `Node.create_timer`; calls back every period, and skips periods it missed."""

    def __init__(
        self, callback: Callable[[], Any], period_ns: int, clock: Clock, autostart: bool
    ) -> None:
        if period_ns < 0:
            raise ValueError('a timer period cannot be negative')
        self.callback = plain_callback(callback)
        self.clock = clock
        self.destroyed = False
        self._period_ns = period_ns
        self._canceled = not autostart
        self._next_ns = self._now() + period_ns
        self._jump = None
        if clock.clock_type is ClockType.ROS_TIME:
            threshold = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1))
            self._jump = clock.create_jump_callback(threshold, post_callback=self._on_jump)

    @property
    def timer_period_ns(self) -> int:
        return self._period_ns

    @timer_period_ns.setter
    def timer_period_ns(self, value: int) -> None:
        self._period_ns = int(value)

    def is_ready(self) -> bool:
        return not self._canceled and not self.destroyed and self._now() >= self._next_ns

    def is_canceled(self) -> bool:
        return self._canceled

    def cancel(self) -> None:
        """Stop calling back, until `reset`."""
        self._canceled = True

    def reset(self) -> None:
        """Start again: the next call is one period from now."""
        self._canceled = False
        self._next_ns = self._now() + self._period_ns

    def time_until_next_call(self) -> int | None:
        """Nanoseconds, negative when overdue; None if canceled."""
        return None if self._canceled else self._next_ns - self._now()

    def execute(self) -> None:
        now = self._now()
        self._next_ns += self._period_ns
        if self._next_ns <= now:
            behind = now - self._next_ns
            missed = behind // self._period_ns + 1 if self._period_ns else 0
            self._next_ns += missed * self._period_ns
        self.callback()

    def destroy(self) -> None:
        self.destroyed = True
        if self._jump is not None:
            self._jump.unregister()

    def _now(self) -> int:
        return self.clock.now().nanoseconds

    def _on_jump(self, _: TimeJump) -> None:
        """Time went back or its source changed: count the period from the new now."""
        self._next_ns = self._now() + self._period_ns

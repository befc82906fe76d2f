"""A point in time on one kind of clock."""

from __future__ import annotations

from enum import IntEnum
from functools import total_ordering
from typing import Any, overload

from crodino_ros.middleware.embedded.duration import S_TO_NS, Duration
from crodino_ros.middleware.embedded.interfaces import interface


class ClockType(IntEnum):
    """ROS time follows `/clock` where `use_sim_time` is set, the system clock otherwise."""

    ROS_TIME = 1
    SYSTEM_TIME = 2
    STEADY_TIME = 3


@total_ordering
class Time:
    """`seconds` plus `nanoseconds` since the clock's epoch; never negative."""

    def __init__(
        self,
        *,
        seconds: float = 0,
        nanoseconds: int = 0,
        clock_type: ClockType = ClockType.SYSTEM_TIME,
    ) -> None:
        self._nanoseconds = int(seconds * S_TO_NS) + int(nanoseconds)
        if self._nanoseconds < 0:
            raise ValueError(f'a time cannot be negative ({self._nanoseconds} ns)')
        self._clock_type = clock_type

    @property
    def nanoseconds(self) -> int:
        return self._nanoseconds

    @property
    def clock_type(self) -> ClockType:
        return self._clock_type

    def seconds_nanoseconds(self) -> tuple[int, int]:
        """Whole seconds, and the nanoseconds beyond them."""
        return divmod(self.nanoseconds, S_TO_NS)

    def __repr__(self) -> str:
        return f'Time(nanoseconds={self.nanoseconds}, clock_type={self.clock_type.name})'

    def __add__(self, other: Duration) -> Time:
        if not isinstance(other, Duration):
            return NotImplemented
        return Time(nanoseconds=self.nanoseconds + other.nanoseconds, clock_type=self.clock_type)

    __radd__ = __add__

    @overload
    def __sub__(self, other: Time) -> Duration: ...
    @overload
    def __sub__(self, other: Duration) -> Time: ...
    def __sub__(self, other: Time | Duration) -> Duration | Time:
        if isinstance(other, Time):
            self._same_clock(other)
            return Duration(nanoseconds=self.nanoseconds - other.nanoseconds)
        if isinstance(other, Duration):
            return self + Duration(nanoseconds=-other.nanoseconds)
        return NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Time):
            return NotImplemented
        self._same_clock(other)
        return self.nanoseconds == other.nanoseconds

    def __lt__(self, other: Time) -> bool:
        if not isinstance(other, Time):
            return NotImplemented
        self._same_clock(other)
        return self.nanoseconds < other.nanoseconds

    def __hash__(self) -> int:
        return hash((self.nanoseconds, self.clock_type))

    def _same_clock(self, other: Time) -> None:
        if self.clock_type != other.clock_type:
            raise TypeError(
                f'{self.clock_type.name} and {other.clock_type.name} cannot be compared'
            )

    def to_msg(self) -> Any:
        """As builtin_interfaces/msg/Time."""
        sec, nanosec = self.seconds_nanoseconds()
        return interface('builtin_interfaces/msg/Time')(sec=sec, nanosec=nanosec)

    @classmethod
    def from_msg(cls, message: Any, clock_type: ClockType = ClockType.ROS_TIME) -> Time:
        """From builtin_interfaces/msg/Time."""
        return cls(nanoseconds=message.sec * S_TO_NS + message.nanosec, clock_type=clock_type)

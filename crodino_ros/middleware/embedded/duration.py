"""A length of time in nanoseconds."""

from __future__ import annotations

from functools import total_ordering
from typing import Any

from crodino_ros.middleware.embedded.interfaces import interface

S_TO_NS = 1_000_000_000


@total_ordering
class Duration:
    """`seconds` plus `nanoseconds`; may be negative."""

    def __init__(self, *, seconds: float = 0, nanoseconds: int = 0) -> None:
        self._nanoseconds = int(seconds * S_TO_NS) + int(nanoseconds)

    @property
    def nanoseconds(self) -> int:
        return self._nanoseconds

    def __repr__(self) -> str:
        return f'Duration(nanoseconds={self.nanoseconds})'

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Duration):
            return NotImplemented
        return self.nanoseconds == other.nanoseconds

    def __lt__(self, other: Duration) -> bool:
        if not isinstance(other, Duration):
            return NotImplemented
        return self.nanoseconds < other.nanoseconds

    def __hash__(self) -> int:
        return hash(self.nanoseconds)

    def to_msg(self) -> Any:
        """As builtin_interfaces/msg/Duration."""
        sec, nanosec = divmod(self.nanoseconds, S_TO_NS)
        return interface('builtin_interfaces/msg/Duration')(sec=sec, nanosec=nanosec)

    @classmethod
    def from_msg(cls, message: Any) -> Duration:
        """From builtin_interfaces/msg/Duration."""
        return cls(nanoseconds=message.sec * S_TO_NS + message.nanosec)


class Infinite:
    """Stands for no limit in a QoS profile."""

    nanoseconds = 2**63 - 1

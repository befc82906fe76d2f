"""The stamp of a serialised message that begins with a std_msgs/Header (CDR, DDS-XTypes 7.4)."""

from __future__ import annotations

import struct

_STAMP = slice(4, 12)
"""After the four bytes that say how the message is encapsulated: int32 sec, uint32 nanosec."""
_SECOND = 1_000_000_000
STAMPED = _STAMP.stop
"""Bytes that a message with a stamp has at least."""
LATEST = (1 << 31) * _SECOND
"""Nanoseconds; no stamp can be so late."""


def stamp_of(data: bytes) -> int:
    """Return the stamp, nanoseconds."""
    sec, nanosec = struct.unpack(_layout(data), data[_STAMP])
    return int(sec * _SECOND + nanosec)


def restamped(data: bytes, stamp_ns: int) -> bytes:
    """Return the message with another stamp, nanoseconds."""
    whole = memoryview(data)
    stamp = struct.pack(_layout(data), *divmod(stamp_ns, _SECOND))
    return b''.join([whole[: _STAMP.start], stamp, whole[_STAMP.stop :]])


def _layout(data: bytes) -> str:
    return '<iI' if data[1] & 1 else '>iI'  # the encapsulation says which end comes first

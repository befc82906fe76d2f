"""What can still be read of a bag file that was cut off: a full disk, a killed recorder."""

from __future__ import annotations

import heapq
import io
import os
import sqlite3
import struct
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO

from rosbags.rosbag2 import Reader, ReaderError

from crodino_ros.bag_span import span_of

Message = tuple[str, int, bytes]
"""Topic, receive time in nanoseconds, CDR bytes."""

_MCAP_MAGIC = b'\x89MCAP0\r\n'
_MCAP_EMPTY_FOOTER = struct.pack('<BQQQI', 0x02, 20, 0, 0, 0) + _MCAP_MAGIC
_REORDER = 32
"""Messages kept back to put a file without index into receive order."""


class CutMcap:
    """An MCAP file without its end: the whole records before the cut.

    `rosbags` reads it through `_MendedFile`, which ends like an MCAP that never had an index.
    """

    def __init__(self, path: Path) -> None:
        self.warnings: list[str] = []
        self._source = _mended(path)
        with Reader(self._source) as reader:
            self.topics = {c.topic: c.msgtype for c in reader.connections}
            self.counts = {topic: info.msgcount for topic, info in reader.topics.items()}
            self._end_ns = reader.end_time

    def messages(self, topics: Collection[str], since: int | None = None) -> Iterator[Message]:
        """Yield the messages of some topics in receive order, from a time on (ns)."""
        with Reader(self._source) as reader:
            connections = [c for c in reader.connections if c.topic in topics]
            storage: Any = reader.storage
            found = storage.messages_scan(connections, since)
            yield from _in_order((c.topic, time_ns, data) for c, time_ns, data in found)

    def span(self, topics: Collection[str]) -> tuple[int, int] | None:
        """Return when the first and last message of some topics came, ns; None without any."""
        return span_of(
            lambda since: (time_ns for _, time_ns, _ in self.messages(topics, since)), self._end_ns
        )


def _mended(path: Path) -> Any:
    """Return what `Reader` takes for a path: it asks no more of one than `_MendedFile` has."""
    return _MendedFile(path, _end_of_whole_records(path))


def _end_of_whole_records(path: Path) -> int:
    """Return where the data section of a cut MCAP file ends: after its last whole record."""
    size = path.stat().st_size
    with path.open('rb') as stream:
        if stream.read(8) != _MCAP_MAGIC:
            raise ReaderError('File magic is invalid.')
        end = 8
        while len(head := stream.read(9)) == 9:
            opcode, length = head[0], int.from_bytes(head[1:], 'little')
            # 0x0F ends the data, 0x02 is the footer: what follows is the index.
            if opcode in (0x00, 0x02, 0x0F) or end + 9 + length > size:
                break
            end += 9 + length
            stream.seek(end)
    return end


class _MendedFile:
    """A path whose content ends at `end`, followed by the footer of an MCAP without index."""

    def __init__(self, path: Path, end: int) -> None:
        self.suffix = path.suffix
        self._path = path
        self._end = end

    def exists(self) -> bool:
        """As `Path.exists`."""
        return self._path.exists()

    def is_dir(self) -> bool:
        """As `Path.is_dir`."""
        return False

    def open(self, mode: str = 'rb') -> BinaryIO:
        """As `Path.open`, for reading."""
        return io.BufferedReader(_MendedStream(self._path, self._end))  # type: ignore[return-value]

    def __str__(self) -> str:
        return str(self._path)


class _MendedStream(io.RawIOBase):
    """The first `end` bytes of a file and then the empty footer."""

    def __init__(self, path: Path, end: int) -> None:
        self._file = path.open('rb')
        self._end = end
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence, self._size())
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = len(buffer)
        if self._at < self._end:
            self._file.seek(self._at)
            data = self._file.read(min(wanted, self._end - self._at))
        else:
            start = self._at - self._end
            data = _MCAP_EMPTY_FOOTER[start : start + wanted]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _size(self) -> int:
        return self._end + len(_MCAP_EMPTY_FOOTER)


class CutSqlite:
    """A .db3 file that was cut off: its rows up to the first that is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.warnings: list[str] = []
        with self._connect() as database:
            rows = database.execute('SELECT id, name, type FROM topics').fetchall()
            self._names = {int(number): str(name) for number, name, _ in rows}
            self.topics = {str(name): str(kind) for _, name, kind in rows}
            self.counts = dict.fromkeys(self.topics, 0)
            self._times: dict[str, list[int]] = {}
            with suppress(sqlite3.DatabaseError):
                # length(data) reaches the end of a message without copying it.
                query = 'SELECT topic_id, timestamp, length(data), substr(data, -1) FROM messages'
                for topic, time_ns, _, _ in database.execute(f'{query} NOT INDEXED'):
                    self.counts[self._names[topic]] += 1
                    self._times.setdefault(self._names[topic], []).append(time_ns)

    def span(self, topics: Collection[str]) -> tuple[int, int] | None:
        """As `CutMcap.span`."""
        times = [time_ns for topic in topics for time_ns in self._times.get(topic, ())]
        return (min(times), max(times)) if times else None

    def messages(self, topics: Collection[str]) -> Iterator[Message]:
        """Yield the readable messages of some topics in receive order."""
        with self._connect() as database:
            yield from _in_order(self._rows(database, topics))

    def _rows(self, database: sqlite3.Connection, topics: Collection[str]) -> Iterator[Message]:
        with suppress(sqlite3.DatabaseError):
            query = 'SELECT topic_id, timestamp, data FROM messages NOT INDEXED'
            for topic, time_ns, data in database.execute(query):
                if self._names[topic] in topics:
                    yield self._names[topic], time_ns, data

    def _connect(self) -> closing[sqlite3.Connection]:
        database = sqlite3.connect(f'file:{self._path}?mode=ro&immutable=1', uri=True)
        # SQLite refuses a file shorter than its header says unless this is on.
        database.execute('PRAGMA writable_schema = ON')
        return closing(database)


def _in_order(messages: Iterable[Message]) -> Iterator[Message]:
    """Sort messages that are at most `_REORDER` places away from their place in time."""
    waiting: list[tuple[int, int, str, bytes]] = []
    for number, (topic, time_ns, data) in enumerate(messages):
        heapq.heappush(waiting, (time_ns, number, topic, data))
        if len(waiting) > _REORDER:
            time_ns, _, topic, data = heapq.heappop(waiting)
            yield topic, time_ns, data
    while waiting:
        time_ns, _, topic, data = heapq.heappop(waiting)
        yield topic, time_ns, data

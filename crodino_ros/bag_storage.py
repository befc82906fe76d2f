"""Messages of a ROS 2 bag in receive order; of a damaged bag, those that can still be read."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import yaml
from rosbags.rosbag2 import Reader, ReaderError

from crodino_core.errors import CrodinoError
from crodino_ros.bag_salvage import CutMcap, CutSqlite, Message
from crodino_ros.bag_span import span_of

_SUFFIXES = ('.mcap', '.db3')


class BagStorage(Protocol):
    """An open bag."""

    topics: dict[str, str]
    """Message type of each topic."""
    counts: dict[str, int]
    """Messages on each topic, as far as known before reading."""
    warnings: list[str]
    """What is wrong with the bag, one line each; complete once its messages were read."""

    def messages(self, topics: Collection[str]) -> Iterator[Message]: ...
    def span(self, topics: Collection[str]) -> tuple[int, int] | None: ...


def open_bag(path: Path) -> BagStorage:
    """Open a bag folder, or a single .mcap or .db3 file.

    :raises CrodinoError: it is not a bag, or nothing of it can be read.
    """
    if not path.exists():
        raise CrodinoError(f'there is no bag {path}; name a rosbag2 folder, .mcap or .db3 file')
    files = _storage_files(path)
    if not files and not (path / 'metadata.yaml').is_file():
        raise CrodinoError(
            f'{path} is not a ROS 2 bag; a folder with metadata.yaml and .mcap or .db3 files, '
            'or one such file, was expected'
        )
    try:
        return _Whole(path)
    except FileNotFoundError:
        reason = 'metadata.yaml is missing'
    except (ReaderError, OSError, ValueError, IndexError, struct.error, AssertionError) as error:
        reason = ' '.join(str(error).split()) or 'it is damaged'
    except Exception as error:  # rosbags lets errors of its decoders through
        reason = f'{type(error).__name__}: {" ".join(str(error).split())}'
    return _Salvaged(path, files, reason)


def _storage_files(path: Path) -> list[Path]:
    """Storage files of a bag in the order of recording."""
    if path.is_file():
        return [path] if path.suffix in _SUFFIXES else []
    files = [file for file in path.iterdir() if file.suffix in _SUFFIXES]
    return sorted(files, key=lambda file: (len(file.name), file.name))


class _Whole:
    """An undamaged bag, read by `rosbags`."""

    def __init__(self, path: Path) -> None:
        self.warnings: list[str] = []
        self._path = path
        with Reader(self._path) as reader:
            self.topics = {c.topic: c.msgtype for c in reader.connections}
            self.counts = {topic: info.msgcount for topic, info in reader.topics.items()}

    def span(self, topics: Collection[str]) -> tuple[int, int] | None:
        """Return when the first and last message of some topics came, ns; None without any."""
        if not any(self.counts.get(topic, 0) for topic in topics):
            return None
        with Reader(self._path) as reader:
            connections = [c for c in reader.connections if c.topic in topics]

            def times(since: int | None) -> Iterator[int]:
                return (time_ns for _, time_ns, _ in reader.messages(connections, since))

            try:
                return span_of(times, reader.end_time)
            except Exception:  # a damaged chunk, as in `messages`, which says so
                return reader.start_time, reader.end_time

    def messages(self, topics: Collection[str]) -> Iterator[Message]:
        """Yield the messages of some topics in receive order."""
        with Reader(self._path) as reader:
            connections = [c for c in reader.connections if c.topic in topics]
            if not connections:
                return
            try:
                for connection, time_ns, data in reader.messages(connections):
                    yield connection.topic, time_ns, data
            except GeneratorExit:
                raise
            except Exception as error:  # a damaged chunk raises what its decompressor raises
                reason = ' '.join(str(error).split()) or type(error).__name__
                warning = f'{self._path} is damaged inside, what follows is lost: {reason}'
                if warning not in self.warnings:  # it may be read twice
                    self.warnings.append(warning)


class _Salvaged:
    """A damaged bag: each storage file is read as far as it goes."""

    def __init__(self, path: Path, files: list[Path], reason: str) -> None:
        self._path = path
        self._promised = _promised_messages(path)
        self.topics: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.warnings = [f'{path} is damaged ({reason}); what is readable is used']
        self._parts: list[_Whole | CutSqlite | CutMcap] = []
        for file in files:
            part = _open_part(file)
            if part is None:
                self.warnings.append(f'nothing in {file.name} is readable')
                continue
            self._parts.append(part)
            self.topics.update(part.topics)
            for topic, count in part.counts.items():
                self.counts[topic] = self.counts.get(topic, 0) + count
        readable = sum(self.counts.values())
        if not readable:
            raise CrodinoError(
                f'{path} is damaged and nothing in it can be read ({reason}); copy it again, or '
                'try ros2 bag reindex (mcap: mcap recover; db3: sqlite3 FILE .recover)'
            )
        if self._promised is not None:
            lost = self._promised - readable
            self.warnings.append(
                f'{readable} of {self._promised} messages are readable, {lost} are lost'
            )
        else:
            self.warnings.append(f'{readable} messages are readable; how many are lost is unknown')

    def messages(self, topics: Collection[str]) -> Iterator[Message]:
        """Yield the readable messages of some topics in receive order, file by file."""
        for part in self._parts:
            yield from part.messages(topics)
            self.warnings += [w for w in part.warnings if w not in self.warnings]

    def span(self, topics: Collection[str]) -> tuple[int, int] | None:
        """As `_Whole.span`, of what is readable."""
        spans = [span for part in self._parts if (span := part.span(topics)) is not None]
        return (min(s[0] for s in spans), max(s[1] for s in spans)) if spans else None


def _promised_messages(path: Path) -> int | None:
    """Return how many messages metadata.yaml says the bag has."""
    with suppress(OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        content = yaml.safe_load((path / 'metadata.yaml').read_text())
        return int(content['rosbag2_bagfile_information']['message_count'])
    return None


def _open_part(file: Path) -> _Whole | CutMcap | CutSqlite | None:
    kinds: tuple[Any, ...] = (_Whole, CutMcap if file.suffix == '.mcap' else CutSqlite)
    for kind in kinds:
        # Whatever a damaged file makes a reader raise, the next way of reading it is tried.
        with suppress(Exception):
            part: _Whole | CutMcap | CutSqlite = kind(file)
            return part
    return None

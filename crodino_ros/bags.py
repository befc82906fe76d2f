"""ROS 2 bags as recordings: a colour and a depth topic, and ground truth if there is some."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_typestore

from crodino_core.errors import CrodinoError
from crodino_core.evaluation.recording import (
    RecordedDamage,
    RecordedFrame,
    RecordedItem,
    RecordedLabel,
)
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame
from crodino_ros.bag_storage import open_bag
from crodino_ros.bag_topics import choose_topics
from crodino_ros.messages import (
    UnsupportedEncodingError,
    decode_color,
    decode_depth,
    decode_label,
    stamp_ns,
)

_FIGURES = re.compile(r'\d+(\.\d+)?')


def name_without_ending(bag: Path) -> str:
    """Name what is made of a bag: a folder's dots are its name, a file's last one is not."""
    bag = bag.resolve()
    return bag.stem if bag.is_file() else bag.name


class BagRecording:
    """A rosbag2 folder or file (MCAP, sqlite3) that iterates the items of a replay.

    Messages are read and decoded one at a time, when they are asked for. `arrival` is the
    receive time in seconds since the first image; a label may have come before it.

    A label topic that was not named and holds other pictures is left out with a warning.

    :param topics: topics by role ('rgb', 'depth', 'label') where the defaults do not fit, see
        `parse_topics`.
    :raises CrodinoError: it is not a bag, nothing of it is readable, or a topic is missing.
    """

    def __init__(self, path: str | Path, topics: Mapping[str, str] | None = None) -> None:
        self.path = Path(path)
        self.name = self.path.resolve().name
        self._storage = open_bag(self.path)
        self._types = get_typestore(Stores.ROS2_JAZZY)
        self._undecodable: dict[tuple[str, str], tuple[str, int]] = {}
        """By topic and cause without its figures: the first warning, and how many are like it."""
        self.topics = choose_topics(self._storage.topics, topics or {}, str(self.path))
        self._is_label_named = 'label' in (topics or {})
        if not self._is_label_named:
            self._leave_out_other_pictures()
        self._roles = {topic: role for role, topic in self.topics.items()}
        self.counts = {role: self._storage.counts[t] for role, t in self.topics.items()}
        """Messages by role."""
        self.types = {role: self._storage.topics[t] for role, t in self.topics.items()}
        """Message types by role, e.g. 'sensor_msgs/msg/Image'."""
        for role in ('rgb', 'depth'):
            if not self.counts[role]:
                raise CrodinoError(f'the {role} topic {self.topics[role]} of {path} is empty')
        self.labelled = self.counts.get('label', 0) > 0
        sensors = [self.topics[role] for role in ('rgb', 'depth')]
        # Other topics may begin long before them and end long after: /tf_static, a microphone.
        self.start_ns, end_ns = self._storage.span(sensors) or (0, 0)
        self.duration = (end_ns - self.start_ns) * 1e-9

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the bag, one line each; complete once it was iterated."""
        undecodable = [
            warning if count == 1 else f'{warning}; and {count - 1} more like it'
            for warning, count in self._undecodable.values()
        ]
        return [*self._storage.warnings, *undecodable]

    def __iter__(self) -> Generator[RecordedItem, None, None]:
        alike: Counter[tuple[str, str]] = Counter()
        for topic, time_ns, data in self._storage.messages(list(self._roles)):
            role, arrival = self._roles[topic], (time_ns - self.start_ns) * 1e-9
            item: RecordedItem
            try:
                item = self._decode(role, topic, arrival, data)
            except CrodinoError as error:
                is_unsupported = isinstance(error, UnsupportedEncodingError)
                if is_unsupported and (role != 'label' or self._is_label_named):
                    cause = f'{self.path}, topic {topic}: {error}'
                    raise UnsupportedEncodingError(cause) from error
                self._note_undecodable(topic, str(error), alike)
                if role == 'label':
                    continue
                item = RecordedDamage(Modality(role), arrival, str(error))
            yield item

    def first_sizes(self, within: int = 32) -> dict[Modality, tuple[int, int]]:
        """Height and width of each sensor's first image, if it is among the first messages.

        Engines made ready for it need not be compiled again when it comes.
        """
        sizes: dict[Modality, tuple[int, int]] = {}
        with closing(iter(self)) as items:
            for item in islice(items, within):
                if isinstance(item, RecordedFrame):
                    sizes.setdefault(item.frame.modality, item.frame.size)
                if len(sizes) == len(Modality):
                    break
        return sizes

    def _leave_out_other_pictures(self) -> None:
        """Take a topic that has only the name of a label topic for none."""
        topic = self.topics.get('label')
        first = next(self._storage.messages([topic]), None) if topic else None
        if topic is None or first is None:
            return
        try:
            decode_label(self._deserialize(topic, first[2]))
        except UnsupportedEncodingError as error:
            del self.topics['label']
            self._storage.warnings.append(
                f'{topic} is not taken for labels: {error}; name the topic of the labels, or '
                'none, with --topics label=...'
            )
        except CrodinoError:  # damaged, which says nothing about the others
            pass

    def _decode(self, role: str, topic: str, arrival: float, data: bytes) -> RecordedItem:
        message = self._deserialize(topic, data)
        if role == 'label':
            return RecordedLabel(stamp_ns(message.header), arrival, decode_label(message))
        return RecordedFrame(_frame(Modality(role), arrival, message))

    def _note_undecodable(self, topic: str, cause: str, alike: Counter[tuple[str, str]]) -> None:
        """Count a message that cannot be decoded among those of this reading that are like it."""
        key = topic, _FIGURES.sub('#', cause)
        alike[key] += 1
        warning = f'a message on {topic} cannot be decoded: {cause}'
        first, most = self._undecodable.get(key, (warning, 0))
        self._undecodable[key] = first, max(most, alike[key])

    def _deserialize(self, topic: str, data: bytes) -> Any:
        try:
            return self._types.deserialize_cdr(data, self._storage.topics[topic])
        except (SerdeError, ValueError, IndexError, AssertionError) as error:
            raise CrodinoError(f'the message is damaged: {error}') from error
        except Exception as error:  # struct.error and others from generated code
            raise CrodinoError(f'the message is damaged: {type(error).__name__}') from error


def _frame(modality: Modality, arrival: float, message: Any) -> Frame:
    decode = decode_color if modality is Modality.RGB else decode_depth
    return Frame(
        modality=modality,
        image=decode(message),
        stamp_ns=stamp_ns(message.header),
        arrival=arrival,
        frame_id=str(message.header.frame_id),
    )

"""A longer bag made of a short one: its messages again and again, with times that go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from crodino_ros.bag_storage import open_bag
from crodino_ros.bag_topics import choose_topics

_STAMP = slice(4, 12)
"""Where a serialised message keeps the stamp of its header: after the 4 bytes of encapsulation."""


def write_looped_bag(source: Path, target: Path, seconds: float, pause: float = 0.1) -> Path:
    """Write camera, depth and label messages of a bag over and over, as an MCAP bag.

    The images are copied as they are; only their stamps and receive times are changed.

    :param seconds: the least duration of the new bag; 0 copies it once.
    :param pause: from the last message of a round to the first of the next one, seconds.
    :raises CrodinoError: the source is not a bag with a camera and a depth topic.
    """
    storage = open_bag(source)
    topics = list(choose_topics(storage.topics, {}, str(source)).values())
    round_ns = storage.end_ns - storage.start_ns + round(pause * 1e9)
    types = get_typestore(Stores.ROS2_JAZZY)
    with Writer(target, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {
            topic: writer.add_connection(topic, storage.topics[topic], typestore=types)
            for topic in topics
        }
        for index in range(int(np.ceil((seconds + pause) * 1e9 / round_ns))):
            for topic, time_ns, data in storage.messages(topics):
                shift = index * round_ns
                writer.write(connections[topic], time_ns + shift, _shifted(data, shift))
    return target


def _shifted(data: bytes, shift_ns: int) -> bytes:
    """Return a serialised message whose stamp is later."""
    order = '<' if data[1] & 1 else '>'  # the encapsulation says which end comes first
    stamp = np.frombuffer(data[_STAMP], f'{order}u4')
    nanoseconds = int(stamp[0]) * 1_000_000_000 + int(stamp[1]) + shift_ns
    later = np.array(divmod(nanoseconds, 1_000_000_000), f'{order}u4').tobytes()
    return data[: _STAMP.start] + later + data[_STAMP.stop :]

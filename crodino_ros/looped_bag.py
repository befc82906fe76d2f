"""A longer bag made of a short one: its messages again and again, with times that go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from crodino_ros.bag_storage import open_bag
from crodino_ros.bag_topics import choose_topics
from crodino_ros.cdr_stamp import restamped, stamp_of


def write_looped_bag(source: Path, target: Path, seconds: float, pause: float = 0.1) -> Path:
    """Write camera, depth and label messages of a bag over and over, as an MCAP bag.

    The images are copied as they are; only their stamps and receive times are changed.

    :param seconds: the least duration of the new bag; 0 copies it once.
    :param pause: from the last message of a round to the first of the next one, seconds.
    :raises CrodinoError: the source is not a bag with a camera and a depth topic.
    """
    storage = open_bag(source)
    topics = list(choose_topics(storage.topics, {}, str(source)).values())
    first_ns, last_ns = storage.span(topics) or (0, 0)
    round_ns = last_ns - first_ns + round(pause * 1e9)
    types = get_typestore(Stores.ROS2_JAZZY)
    with Writer(target, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {
            topic: writer.add_connection(topic, storage.topics[topic], typestore=types)
            for topic in topics
        }
        for index in range(int(np.ceil((seconds + pause) * 1e9 / round_ns))):
            for topic, time_ns, data in storage.messages(topics):
                shift = index * round_ns
                later = restamped(data, stamp_of(data) + shift)
                writer.write(connections[topic], time_ns + shift, later)
    return target

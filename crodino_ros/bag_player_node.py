"""Plays a bag as two drivers would: colour and depth (and ground truth) on the usual topics.

For demonstrations, and where `ros2 bag play` is not installed. Messages go out as they were
recorded, but for their stamps: those of a round are all moved by as much, so that they begin now,
as a driver's do, and a label bears the stamp of its image (`stamps:=recorded` keeps them). The
topics are `color/image_raw`, `depth/image_rect` and `ground_truth/label`, with the suffix of the
transport where the bag holds compressed images.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_core.evaluation.recording import prefetch
from crodino_core.modality import Modality
from crodino_core.resources import share_directory
from crodino_ros.bag_salvage import Message
from crodino_ros.bag_storage import open_bag
from crodino_ros.bag_topics import choose_topics, parse_topics
from crodino_ros.cdr_stamp import LATEST, STAMPED, restamped, stamp_of
from crodino_ros.middleware import Clock, ClockType, Node, QoSProfile
from crodino_ros.middleware.msg import interface
from crodino_ros.node_main import run_node
from crodino_ros.node_parameters import ParameterSpec, check_choices, declare, values
from crodino_ros.sensor_input import TOPICS

SAMPLE = 'samples/room'
_ROLES = {str(modality): topic for modality, topic in TOPICS.items()}
_LABEL_TOPIC = 'ground_truth/label'
_LINGER = 0.3
"""Seconds between the last message and the end, for what is still on its way."""

PARAMETERS = (
    ParameterSpec('bag', '', 'The bag to play; empty: the sample that ships.', read_only=True),
    ParameterSpec(
        'topics',
        '',
        'rgb=/topic,depth=/topic,label=/topic of the bag where the defaults do not fit.',
        read_only=True,
    ),
    ParameterSpec('rate', 1.0, 'Speed of the playback.', limits=(0.01, 100.0), read_only=True),
    ParameterSpec('loop', False, 'Whether to begin anew at the end.', read_only=True),
    ParameterSpec(
        'stamps',
        'now',
        'Stamps of the messages: moved so that those of a round begin now, or as recorded.',
        choices=('now', 'recorded'),
        read_only=True,
    ),
    ParameterSpec(
        'wait_for_subscribers',
        True,
        'Whether to begin only when colour and depth are both subscribed to.',
        read_only=True,
    ),
)


class StampShift:
    """Moves recorded stamps so that the first one is of a given time, and their steps fit a rate.

    :param begin_ns: what the first stamp becomes, nanoseconds.
    """

    def __init__(self, begin_ns: int, rate: float = 1.0) -> None:
        self._begin_ns = begin_ns
        self._rate = rate
        self._first_ns: int | None = None

    def moved(self, stamp_ns: int, now_ns: int) -> int:
        """Return the stamp that takes the place of a recorded one.

        :param now_ns: stands for a stamp that was never set (0), or is so wrong that none of
            ours would correspond to it.
        """
        if stamp_ns <= 0:
            return now_ns
        if self._first_ns is None:
            self._first_ns = stamp_ns
        moved = self._begin_ns + round((stamp_ns - self._first_ns) / self._rate)
        return moved if 0 < moved < LATEST else now_ns


class BagPlayerNode(Node):
    """Publishes each message when it is due; `finished` after the last."""

    def __init__(self, node_name: str = 'bag_player', **options: Any) -> None:
        super().__init__(node_name, **options)
        declare(self, PARAMETERS)
        given = values(self, PARAMETERS)
        check_choices(PARAMETERS, given)
        self.finished = False
        self.published = dict.fromkeys((*_ROLES, 'label'), 0)
        """Messages by role."""
        self._rate, self._loop = given['rate'], given['loop']
        self._stamp_now = given['stamps'] == 'now'
        path = Path(given['bag']) if given['bag'] else share_directory() / SAMPLE
        self._storage = open_bag(path)
        asked = parse_topics(given['topics'])
        self._topics = choose_topics(self._storage.topics, asked, str(path))
        self._publishers_by_topic = {
            topic: (role, self._create_publisher_for(role, topic))
            for role, topic in self._topics.items()
        }
        self._messages: Iterator[Message] = iter(())
        self._next: Message | None = None
        self._began, self._first_ns = 0.0, 0
        self._shift = StampShift(0, self._rate)
        self._timer = self.create_timer(
            0.05, self._wait_for_subscribers, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._wait = given['wait_for_subscribers']

    def _create_publisher_for(self, role: str, topic: str) -> Any:
        kind = self._storage.topics[topic]
        name = _ROLES.get(role, _LABEL_TOPIC)
        if kind.endswith('CompressedImage'):
            name += '/compressed' if role == str(Modality.RGB) else '/compressedDepth'
        return self.create_publisher(interface(kind), name, QoSProfile(depth=5))

    def _wait_for_subscribers(self) -> None:
        sensors = [p for role, p in self._publishers_by_topic.values() if role in _ROLES]
        if self._wait and not all(p.get_subscription_count() for p in sensors):
            return
        self.destroy_timer(self._timer)
        self._timer = self.create_timer(
            3600.0, self._play, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._begin()

    def _begin(self) -> None:
        self._messages = prefetch(self._storage.messages(list(self._publishers_by_topic)))
        self._next = next(self._messages, None)
        if self._next is None:
            raise CrodinoError('the bag holds no message of its sensors')
        self._began, self._first_ns = time.monotonic(), self._next[1]
        self._shift = StampShift(self.get_clock().now().nanoseconds, self._rate)
        self._set_timer(self._next)

    def _play(self) -> None:
        """Publish the message that is due, and all that are overdue."""
        while self._next is not None and time.monotonic() >= self._due(self._next):
            topic, _, data = self._next
            self._publish(topic, data)
            self._next = next(self._messages, None)
        if self._next is not None:
            self._set_timer(self._next)
        elif self._loop:
            self._begin()
        else:
            self.destroy_timer(self._timer)
            self._timer = self.create_timer(_LINGER, self._finish)

    def _finish(self) -> None:
        self.finished = True
        self._timer.cancel()

    def _publish(self, topic: str, data: bytes) -> None:
        role, publisher = self._publishers_by_topic[topic]
        if self._stamp_now and len(data) >= STAMPED:
            now_ns = self.get_clock().now().nanoseconds
            data = restamped(data, self._shift.moved(stamp_of(data), now_ns))
        publisher.publish(bytes(data))
        self.published[role] += 1

    def _due(self, message: Message) -> float:
        return self._began + (message[1] - self._first_ns) * 1e-9 / float(self._rate)

    def _set_timer(self, message: Message) -> None:
        left = max(self._due(message) - time.monotonic(), 0.0005)
        self._timer.timer_period_ns = int(left * 1e9)
        self._timer.reset()


def main(args: list[str] | None = None) -> int:
    """Play the bag to its end, or until interrupted."""
    return run_node(BagPlayerNode, args, until=lambda node: node.finished)


if __name__ == '__main__':
    raise SystemExit(main())

"""Receiving messages from a topic."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cyclonedds.core import InstanceState, ReadCondition, SampleState, ViewState

from crodino_ros.middleware.embedded import cdr
from crodino_ros.middleware.embedded.event_handler import (
    EventHandler,
    SubscriptionEventCallbacks,
)
from crodino_ros.middleware.embedded.interfaces import deserialize
from crodino_ros.middleware.embedded.participant import delete, gid
from crodino_ros.middleware.embedded.qos import QoSProfile
from crodino_ros.middleware.embedded.waitable import plain_callback

if TYPE_CHECKING:
    from crodino_ros.middleware.embedded.node import Node

ANY_SAMPLE = SampleState.Any | ViewState.Any | InstanceState.Any


class Subscription:
    """Made by `Node.create_subscription`.

    The callback gets the message, or with a second parameter also a dict with
    `source_timestamp` and `received_timestamp` (ns of the system clock); with `raw` the
    message is its CDR bytes.
    """

    def __init__(
        self,
        node: Node,
        msg_type: Any,
        topic: str,
        callback: Callable[..., Any],
        qos_profile: QoSProfile,
        event_callbacks: SubscriptionEventCallbacks | None,
        raw: bool,
    ) -> None:
        self._node = node
        self.msg_type = msg_type
        self.topic_name = self.topic = topic
        self.callback = plain_callback(callback)
        self.qos_profile = qos_profile
        self.raw = raw
        self.destroyed = False
        self._wants_info = _parameter_count(callback) == 2
        self._reader = node.context.participant.reader(
            f'rt{topic}', msg_type.__msgtype__, qos_profile
        )
        self._gid = gid(self._reader)
        self.condition = ReadCondition(self._reader, ANY_SAMPLE)
        self.events = EventHandler(
            self._reader,
            True,
            event_callbacks or SubscriptionEventCallbacks(),
            topic,
            node.get_logger(),
        )
        node.context.graph.change(node.key, True, readers=(self._gid,))

    def execute(self) -> None:
        for data, info in cdr.take(self._reader):
            if self.raw:
                message: Any = data
            else:
                try:
                    message = deserialize(data, self.msg_type)
                except ValueError as error:
                    self._node.get_logger().error(
                        f'a message on {self.topic_name} was dropped: {error}',
                        throttle_duration_sec=5.0,
                    )
                    continue
            if self._wants_info:
                stamps = {
                    'source_timestamp': info.source_timestamp,
                    'received_timestamp': time.time_ns(),
                }
                self.callback(message, stamps)
            else:
                self.callback(message)

    def get_publisher_count(self) -> int:
        """How many publishers match this subscription now."""
        if self.destroyed:
            return 0
        return int(self._reader._get_matched_publications(self._reader._ref, None, 0))

    def destroy(self) -> None:
        """Stop receiving; safe to call again."""
        if not self.destroyed:
            self.destroyed = True
            self.events.destroyed = True
            self._node.context.graph.change(self._node.key, False, readers=(self._gid,))
            delete(self.condition)
            delete(self._reader)


def _parameter_count(callback: Callable[..., Any]) -> int:
    """How many positional parameters without a default `callback` takes; 1 if it cannot say."""
    try:
        parameters = inspect.signature(callback).parameters.values()
    except (TypeError, ValueError):
        return 1
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in positional and p.default is p.empty for p in parameters)

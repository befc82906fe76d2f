"""Publishing messages on a topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crodino_ros.middleware.embedded import cdr
from crodino_ros.middleware.embedded.event_handler import EventHandler, PublisherEventCallbacks
from crodino_ros.middleware.embedded.exceptions import NotOfferedError
from crodino_ros.middleware.embedded.participant import delete, gid
from crodino_ros.middleware.embedded.qos import QoSProfile

if TYPE_CHECKING:
    from crodino_ros.middleware.embedded.node import Node


class Publisher:
    """Made by `Node.create_publisher`; may be used from any thread."""

    def __init__(
        self,
        node: Node,
        msg_type: Any,
        topic: str,
        qos_profile: QoSProfile,
        event_callbacks: PublisherEventCallbacks | None,
    ) -> None:
        self._node = node
        self.msg_type = msg_type
        self.topic_name = self.topic = topic
        self.qos_profile = qos_profile
        self.destroyed = False
        self._writer = node.context.participant.writer(
            f'rt{topic}', msg_type.__msgtype__, qos_profile
        )
        self._gid = gid(self._writer)
        self.events = EventHandler(
            self._writer,
            False,
            event_callbacks or PublisherEventCallbacks(),
            topic,
            node.get_logger(),
        )
        node.context.graph.change(node.key, True, writers=(self._gid,))

    def publish(self, msg: Any) -> None:
        """Send a message of `msg_type`, or `bytes` that are already its CDR."""
        if self.destroyed:
            raise RuntimeError(f'the publisher on {self.topic_name} has been destroyed')
        if isinstance(msg, bytes):
            cdr.write_bytes(self._writer, msg.ljust(len(msg) + -len(msg) % 4, b'\0'))
            return
        if getattr(msg, '__msgtype__', None) != self.msg_type.__msgtype__:
            raise TypeError(
                f'{self.topic_name} carries {self.msg_type.__msgtype__}, not {type(msg).__name__}'
            )
        cdr.write(self._writer, msg)

    def get_subscription_count(self) -> int:
        """How many subscriptions match this publisher now."""
        if self.destroyed:
            return 0
        return int(self._writer._get_matched_subscriptions(self._writer._ref, None, 0))

    def assert_liveliness(self) -> None:
        raise NotOfferedError('Publisher.assert_liveliness')

    def destroy(self) -> None:
        """Stop publishing; safe to call again."""
        if not self.destroyed:
            self.destroyed = True
            self.events.destroyed = True
            self._node.context.graph.change(self._node.key, False, writers=(self._gid,))
            delete(self._writer)

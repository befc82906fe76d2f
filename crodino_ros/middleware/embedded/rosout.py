"""A node's log lines on `/rosout`, where `ros2 topic echo /rosout` and Foxglove read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crodino_ros.middleware.embedded import logging
from crodino_ros.middleware.embedded.duration import Duration
from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.qos import DurabilityPolicy, QoSProfile
from crodino_ros.middleware.embedded.time import Time

if TYPE_CHECKING:
    from crodino_ros.middleware.embedded.node import Node

_QOS = QoSProfile(
    depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL, lifespan=Duration(seconds=10)
)


class Rosout:
    """Publishes what the node's logger, and the loggers below it, write."""

    def __init__(self, node: Node) -> None:
        self._name = node.get_logger().name
        self._type = interface('rcl_interfaces/msg/Log')
        self._publisher = node.create_publisher(self._type, '/rosout', _QOS)
        logging.add_sink(self._name, self._publish)

    def close(self) -> None:
        """Publish no more."""
        logging.remove_sink(self._name)

    def _publish(
        self,
        name: str,
        severity: logging.LoggingSeverity,
        text: str,
        stamp_ns: int,
        where: logging.Location,
    ) -> None:
        stamp = Time(nanoseconds=stamp_ns).to_msg()
        self._publisher.publish(
            self._type(
                stamp=stamp, level=int(severity), name=name, msg=text, file=where[0], line=where[1]
            )
        )

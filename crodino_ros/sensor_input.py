"""One sensor's topic: subscribing, decoding, and explaining why nothing comes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame
from crodino_ros.inference_worker import RecentRate
from crodino_ros.messages import decode_color, decode_depth, stamp_ns
from crodino_ros.middleware import (
    Node,
    QoSOverridingOptions,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    SubscriptionEventCallbacks,
    qos_policy_name_from_kind,
)
from crodino_ros.middleware.msg import CompressedImage, Image

TOPICS = {Modality.RGB: 'color/image_raw', Modality.DEPTH: 'depth/image_rect'}
NEWEST_ONLY = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_DECODE = {Modality.RGB: decode_color, Modality.DEPTH: decode_depth}


class SensorInput:
    """Subscribes to the images of one sensor, raw or compressed.

    :param now: the clock that arrivals are measured by.
    :param on_frame: called with every decoded image.
    :param on_damage: called with (modality, arrival, cause) for one that cannot be decoded.
    """

    def __init__(
        self,
        node: Node,
        modality: Modality,
        transport: str,
        *,
        now: Callable[[], float],
        on_frame: Callable[[Frame], None],
        on_damage: Callable[[Modality, float, str], None],
    ) -> None:
        self._node = node
        self.modality = modality
        self.rate = RecentRate()
        self.stamp_ns: int | None = None
        """Stamp of the newest message."""
        self.delay_s: float | None = None
        """How old it was when it came: the node's clock less the stamp, seconds."""
        self._now = now
        self._on_frame = on_frame
        self._on_damage = on_damage
        self._incompatible = ''
        self._base = node.resolve_topic_name(TOPICS[modality])
        self._suffix = '' if transport == 'raw' else f'/{transport}'
        self._subscription = node.create_subscription(
            Image if transport == 'raw' else CompressedImage,
            self._base + self._suffix,
            self._receive,
            copy.copy(NEWEST_ONLY),  # rclpy writes the overrides into it
            event_callbacks=SubscriptionEventCallbacks(
                incompatible_qos=self._note_incompatible_qos
            ),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self.topic: str = self._subscription.topic_name
        self._type = 'sensor_msgs/msg/' + ('Image' if transport == 'raw' else 'CompressedImage')

    def close(self) -> None:
        """Receive no more."""
        self._node.destroy_subscription(self._subscription)

    def explain(self) -> str:
        """Say what is wrong with the publishers of the topic; '' if nothing is."""
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        fitting = [p for p in publishers if p.topic_type == self._type]
        if len(fitting) > 1:
            names = ', '.join(sorted(f'{p.node_namespace}/{p.node_name}' for p in fitting))
            return f'{len(fitting)} publishers mix on it ({names.replace("//", "/")})'
        if fitting:
            return '' if self._subscription.get_publisher_count() else self._incompatible
        if publishers:
            return (
                f'{publishers[0].node_name} publishes {publishers[0].topic_type} there; '
                f'{self._type} was expected'
            )
        return self._elsewhere()

    def _elsewhere(self) -> str:
        """Nobody publishes on the topic; perhaps the images come in the other transport."""
        compressed = '/compressed' if self.modality is Modality.RGB else '/compressedDepth'
        other, transport = (
            (self._base, 'raw') if self._suffix else (self._base + compressed, compressed[1:])
        )
        if self._node.count_publishers(other) == 0:
            return f'nobody publishes on {self.topic}'
        name = 'color_transport' if self.modality is Modality.RGB else 'depth_transport'
        return f'nobody publishes on {self.topic}, but on {other}: set {name} to {transport}'

    def _receive(self, message: Any) -> None:
        arrival = self._now()
        self.rate.add(arrival)
        try:
            self.stamp_ns = stamp_ns(message.header)
            self.delay_s = (self._node.get_clock().now().nanoseconds - self.stamp_ns) * 1e-9
            image = _DECODE[self.modality](message)
        except CrodinoError as error:
            self._on_damage(self.modality, arrival, str(error))
            return
        frame_id = str(message.header.frame_id)
        self._on_frame(Frame(self.modality, image, self.stamp_ns, arrival, frame_id))

    def _note_incompatible_qos(self, event: Any) -> None:
        if event.last_policy_kind == QoSPolicyKind.INVALID:  # so Cyclone calls another type
            return
        policy = qos_policy_name_from_kind(event.last_policy_kind).lower()
        self._incompatible = (
            f'a publisher offers another {policy}; change it there, or here with the parameter '
            f'qos_overrides.{self.topic}.subscription.{policy}'
        )

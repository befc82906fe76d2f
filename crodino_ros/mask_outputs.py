"""The topics a mask goes out on."""

from __future__ import annotations

import copy
from typing import Any

from crodino_core.labels import LabelSet
from crodino_core.runtime.segmenter import Segmentation
from crodino_ros.message_content import class_map
from crodino_ros.messages import encode_image, set_stamp
from crodino_ros.middleware import (
    DurabilityPolicy,
    LifecycleNode,
    PublisherEventCallbacks,
    QoSOverridingOptions,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_policy_name_from_kind,
)
from crodino_ros.middleware.msg import Header, Image, LabelInfo, String, VisionClass
from crodino_ros.overlay import draw_overlay

RELIABLE = QoSProfile(depth=2, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class MaskOutputs:
    """Publishes masks and all that goes with them, while the node is active.

    `publish` may be called from another thread than the rest.
    """

    def __init__(self, node: LifecycleNode, labels: LabelSet) -> None:
        self._node = node
        self._labels = labels
        self._modality: str | None = None
        self._refused: dict[str, str] = {}
        """What is to be said of a topic whose QoS did not suit somebody."""
        self._warned = False
        self._publishers: list[Any] = []
        try:
            self._mask = self._images('segmentation/mask')
            self._confidence = self._images('segmentation/confidence')
            self._overlay = self._images('segmentation/overlay')
            self._label_info = self._latched(LabelInfo, 'segmentation/label_info')
            self._active_modality = self._latched(String, 'segmentation/active_modality')
        except Exception:  # a QoS override or a remapped topic that makes no sense
            self.close()
            raise

    def wanted(self) -> bool:
        """Whether anybody listens to what needs inference."""
        image_topics = (self._mask, self._confidence, self._overlay)
        return any(publisher.get_subscription_count() > 0 for publisher in image_topics)

    def announce_labels(self) -> None:
        """Publish the classes; the topic is latched, once an activation is enough."""
        stamp = self._node.get_clock().now().to_msg()
        self._label_info.publish(
            LabelInfo(
                header=Header(stamp=stamp),
                class_map=class_map(self._labels, VisionClass),
                threshold=0.0,
            )
        )

    def announce_modality(self, active: str) -> None:
        """Publish which sensor is served, if it has changed."""
        if active != self._modality:
            self._modality = active
            self._active_modality.publish(String(data=active))

    def publish(self, found: Segmentation, overlay_opacity: float) -> None:
        """Publish a mask with the stamp and frame of its image, and the rest on demand."""
        header = Header(frame_id=found.frame_id)
        set_stamp(header, found.stamp_ns)
        self._mask.publish(encode_image(Image, header, found.mask))
        if self._confidence.get_subscription_count() > 0:
            self._confidence.publish(encode_image(Image, header, found.confidence))
        if self._overlay.get_subscription_count() > 0:
            image = draw_overlay(found, self._labels, overlay_opacity)
            self._overlay.publish(encode_image(Image, header, image))

    def close(self) -> None:
        """Leave the topics."""
        for publisher in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)

    def explain(self) -> str:
        """Say who subscribes in vain, or publishes masks too; '' if nobody does."""
        for publisher in self._publishers:
            refused = self._refused.get(publisher.topic_name, '')
            served = publisher.get_subscription_count()
            if refused and self._node.count_subscribers(publisher.topic_name) > served:
                return refused
        return self._others()

    def warn_of_others(self) -> None:
        """Log once that somebody else publishes masks too."""
        others = self._others()
        if others and not self._warned:
            self._warned = True
            self._node.get_logger().warning(others)

    def _others(self) -> str:
        """Say that the masks of several publishers mix; '' if they do not."""
        topic = self._mask.topic_name
        count = self._node.count_publishers(topic)
        if count < 2:
            return ''
        return f'{count} publishers mix on {topic}: give each node a namespace of its own'

    def _images(self, topic: str) -> Any:
        return self._publisher(
            Image,
            topic,
            copy.copy(RELIABLE),  # rclpy writes the overrides into it
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def _latched(self, kind: Any, topic: str) -> Any:
        return self._publisher(kind, topic, LATCHED)

    def _publisher(self, kind: Any, topic: str, qos: QoSProfile, **options: Any) -> Any:
        made = self._node.create_lifecycle_publisher(
            kind, topic, qos, event_callbacks=self._noting_refusals(topic), **options
        )
        self._publishers.append(made)
        return made

    def _noting_refusals(self, topic: str) -> PublisherEventCallbacks:
        topic = self._node.resolve_topic_name(topic)

        def note(event: Any) -> None:
            if event.last_policy_kind == QoSPolicyKind.INVALID:  # so Cyclone calls another type
                return
            policy = qos_policy_name_from_kind(event.last_policy_kind).lower()
            refused = f'a subscriber of {topic} wants another {policy} and gets nothing'
            self._refused[topic] = refused
            self._node.get_logger().warning(refused, throttle_duration_sec=5.0)

        return PublisherEventCallbacks(incompatible_qos=note)

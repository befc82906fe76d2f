"""One sensor's images through the fault injector: in as messages, out as messages."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from crodino_core.errors import CrodinoError
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame
from crodino_ros.messages import decode_color, decode_depth, encode_image, set_stamp, stamp_ns
from crodino_ros.middleware import Node, QoSOverridingOptions, QoSProfile, ReliabilityPolicy
from crodino_ros.middleware.msg import CompressedImage, Header, Image
from crodino_ros.sensor_input import TOPICS

RECEIVE = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
SEND = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
"""Reliable publishers suit both kinds of subscribers."""
_LARGEST_MM = 65535


class ImageRelay:
    """Subscribes to `input/<topic>`, raw or compressed, and publishes raw images on `<topic>`.

    :param on_frame: called with every decoded image.
    :param on_damage: called with the cause where one cannot be decoded; returns whether it is to
        be passed on all the same.
    """

    def __init__(
        self,
        node: Node,
        modality: Modality,
        transport: str,
        now: Callable[[], float],
        on_frame: Callable[[Frame], None],
        on_damage: Callable[[str], bool],
    ) -> None:
        self._modality = modality
        self._now = now
        self._on_frame = on_frame
        self._on_damage = on_damage
        self._decode = decode_color if modality is Modality.RGB else decode_depth
        self._newest: tuple[Any, Frame] | None = None
        self._depth_encoding = '32FC1'
        raw = transport == 'raw'
        topic = node.resolve_topic_name(f'input/{TOPICS[modality]}')
        options = QoSOverridingOptions.with_default_policies()
        self._subscription = node.create_subscription(
            Image if raw else CompressedImage,
            topic if raw else f'{topic}/{transport}',
            self._receive,
            copy.copy(RECEIVE),  # rclpy writes the overrides into it
            qos_overriding_options=options,
        )
        self._publisher = node.create_publisher(
            Image, TOPICS[modality], copy.copy(SEND), qos_overriding_options=options
        )

    def publish(self, frame: Frame) -> None:
        """Publish a frame; one that no fault has touched goes out as the message it came in."""
        if self._newest is not None and hasattr(self._newest[0], 'encoding'):
            message, original = self._newest
            if frame.image is original.image:
                self._publisher.publish(_with_stamp(message, frame.stamp_ns))
                return
        header = Header(frame_id=frame.frame_id)
        set_stamp(header, frame.stamp_ns)
        if frame.modality is Modality.RGB:
            self._publisher.publish(encode_image(Image, header, frame.image))
        else:
            self._publisher.publish(encode_depth(header, frame.image, self._depth_encoding))

    def _receive(self, message: Any) -> None:
        try:
            stamp = stamp_ns(message.header)
            image = self._decode(message)
        except CrodinoError as error:
            if self._on_damage(str(error)) and hasattr(message, 'encoding'):
                self._publisher.publish(message)
            return
        if self._modality is Modality.DEPTH:
            kind = getattr(message, 'encoding', '') or str(message.format)
            self._depth_encoding = '32FC1' if kind.startswith('32FC1') else '16UC1'
        frame_id = str(message.header.frame_id)
        frame = Frame(self._modality, image, stamp, self._now(), frame_id)
        self._newest = message, frame
        self._on_frame(frame)


def encode_depth(header: Any, depth: np.ndarray, encoding: str) -> Any:
    """Make a sensor_msgs/Image of a depth image (REP-118).

    :param depth: float32 [H, W], metres; 0, NaN and +-Inf are invalid.
    :param encoding: 32FC1 (metres) or 16UC1 (millimetres, 0 invalid).
    """
    if encoding == '16UC1':
        with np.errstate(invalid='ignore'):
            millimetres = np.rint(depth * 1000)
            fits = np.isfinite(millimetres) & (millimetres >= 0) & (millimetres <= _LARGEST_MM)
        depth = np.where(fits, millimetres, 0).astype(np.uint16)
    message = encode_image(Image, header, np.ascontiguousarray(depth).view(np.uint8))
    message.encoding, message.width = encoding, depth.shape[1]
    return message


def _with_stamp(message: Any, stamp: int) -> Any:
    if stamp_ns(message.header) == stamp:
        return message
    changed = copy.copy(message)
    changed.header = Header(frame_id=message.header.frame_id)
    set_stamp(changed.header, stamp)
    return changed

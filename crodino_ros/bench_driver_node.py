"""Publishes two synthetic sensors at 30 Hz, for `crodino bench node`.

The messages are made and serialised before the first goes out, so that this process costs little
beside the node that is measured; only their stamps change.
"""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np
from rosbags.typesys import Stores, get_typestore

from crodino_core.modality import Modality
from crodino_ros.cdr_stamp import restamped
from crodino_ros.middleware import Clock, ClockType, Node, QoSProfile
from crodino_ros.middleware.msg import Image
from crodino_ros.node_main import run_node
from crodino_ros.node_parameters import ParameterSpec, declare, values
from crodino_ros.sensor_input import TOPICS

RATE = 30.0
"""Frames per second of each sensor."""
VARIANTS = 8
"""Different images of each sensor, in turn."""
_LINGER = 0.3
"""Seconds between the last message and the end, for what is still on its way."""

PARAMETERS = (
    ParameterSpec('height', 480, 'Height of the images.', limits=(16, 4096), read_only=True),
    ParameterSpec('width', 640, 'Width of the images.', limits=(16, 4096), read_only=True),
    ParameterSpec('frames', 600, 'Frames of each sensor.', limits=(1, 10**9), read_only=True),
    ParameterSpec(
        'cut_from', -1, 'First frame the camera misses.', limits=(-1, 10**9), read_only=True
    ),
    ParameterSpec(
        'cut_frames', 0, 'How many frames it misses.', limits=(0, 10**9), read_only=True
    ),
)


class BenchDriverNode(Node):
    """Begins when colour is subscribed to; `finished` after the last frame."""

    def __init__(self, node_name: str = 'bench_driver', **options: Any) -> None:
        super().__init__(node_name, **options)
        declare(self, PARAMETERS)
        given = values(self, PARAMETERS)
        self.finished = False
        self._frames = given['frames']
        self._cut = range(given['cut_from'], given['cut_from'] + given['cut_frames'])
        size = (given['height'], given['width'])
        self._messages = {m: serialised_images(m, size) for m in Modality}
        self._sensors = {
            m: self.create_publisher(Image, topic, QoSProfile(depth=5))
            for m, topic in TOPICS.items()
        }
        self._index = 0
        self._began: float | None = None
        self._timer = self._create_timer(0.05)

    def _create_timer(self, seconds: float) -> Any:
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        return self.create_timer(seconds, self._tick, clock=steady)

    def _tick(self) -> None:
        if self._began is None:
            if not self._sensors[Modality.RGB].get_subscription_count():
                return
            self._began = time.monotonic()
        if self._index >= self._frames:
            self.finished = True
            return
        for modality in Modality:
            if modality is Modality.DEPTH or self._index not in self._cut:
                self._publish(modality)
        self._index += 1
        left = self._began + self._index / RATE - time.monotonic()
        if self._index >= self._frames:
            left += _LINGER
        self._timer.timer_period_ns = int(max(left, 0.0005) * 1e9)
        self._timer.reset()

    def _publish(self, modality: Modality) -> None:
        data = self._messages[modality][self._index % VARIANTS]
        self._sensors[modality].publish(restamped(data, self.get_clock().now().nanoseconds))


def serialised_images(modality: Modality, size: tuple[int, int]) -> list[bytes]:
    """Make `VARIANTS` sensor_msgs/Image in CDR: rgb8 or 16UC1; the frame is the modality.

    :param size: height and width.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    new = store.types
    messages = []
    for seed in range(VARIANTS):
        image = _example_image(modality, size, np.random.default_rng(seed))
        stamp = new['builtin_interfaces/msg/Time'](sec=0, nanosec=0)
        message = new['sensor_msgs/msg/Image'](
            header=new['std_msgs/msg/Header'](stamp=stamp, frame_id=str(modality)),
            height=size[0],
            width=size[1],
            encoding='rgb8' if modality is Modality.RGB else '16UC1',
            is_bigendian=0,
            step=image.nbytes // size[0],
            data=np.ascontiguousarray(image).reshape(-1).view(np.uint8),
        )
        messages.append(bytes(store.serialize_cdr(message, 'sensor_msgs/msg/Image')))
    return messages


def _example_image(
    modality: Modality, size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Large soft shapes under fine noise: uint8 [H, W, 3], or uint16 [H, W] in millimetres."""
    low, high, noise = (20, 235, 8.0) if modality is Modality.RGB else (600, 5000, 12.0)
    channels = 3 if modality is Modality.RGB else 1
    coarse = rng.uniform(low, high, (6, 8, channels)).astype(np.float32)
    image = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_LINEAR).reshape(*size, channels)
    image = image + rng.normal(0.0, noise, image.shape)
    if modality is Modality.RGB:
        return image.clip(0, 255).astype(np.uint8)
    image[rng.random(image.shape) < 0.05] = 0.0  # holes
    return image[..., 0].astype(np.uint16)


def main(args: list[str] | None = None) -> int:
    """Publish all frames, or until interrupted."""
    return run_node(BenchDriverNode, args, until=lambda node: node.finished)


if __name__ == '__main__':
    raise SystemExit(main())

"""A sample bag of a synthetic room, as a colour camera and a depth sensor would record it.

`python -m crodino_ros.sample_bag samples/room` made the one that ships with the package.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import typer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from crodino_core.errors import CrodinoError
from crodino_core.learning.data.scenes import Camera, SceneFrame, render_sequence
from crodino_core.progress import progress_bar
from crodino_ros.messages import encode_image, set_stamp

COLOR_TOPIC = '/camera/color/image_raw/compressed'
DEPTH_TOPIC = '/camera/aligned_depth_to_color/image_raw/compressedDepth'
LABEL_TOPIC = '/ground_truth/label'
FRAME_ID = 'camera_color_optical_frame'
START_NS = 1_700_000_000_000_000_000
# What a driver and the middleware add before a message is recorded, seconds.
COLOR_DELAY, DEPTH_DELAY, LABEL_DELAY = 0.012, 0.019, 0.024
DEPTH_STAMP_OFFSET = 0.003


def write_scene_bag(
    path: Path,
    seed: int,
    frames: int = 80,
    camera: Camera | None = None,
    rate_hz: float = 10.0,
    jpeg_quality: int = 85,
) -> None:
    """Render a walk through a room and write it as a rosbag2 MCAP bag.

    :param path: the bag folder to make; it is whole at the end or it is not there.
    :param camera: 240x320 with a horizontal field of view of 70 degrees if not given.
    :raises CrodinoError: something lies at the path already.
    """
    if path.exists():
        raise CrodinoError(f'{path} exists; name a new folder for the bag')
    camera = camera or Camera.from_fov(240, 320, horizontal_fov_deg=70.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f'.{path.name}-', dir=path.parent))
    try:
        bag = staging / path.name
        _write(bag, render_sequence(seed, frames, camera, rate_hz), frames, rate_hz, jpeg_quality)
        os.replace(bag, path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(bag: Path, sequence: Any, frames: int, rate_hz: float, jpeg_quality: int) -> None:
    types = get_typestore(Stores.ROS2_JAZZY)
    writer = Writer(bag, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    jitter = np.random.default_rng(0)
    with writer, progress_bar() as bar:
        kinds = {
            COLOR_TOPIC: 'sensor_msgs/msg/CompressedImage',
            DEPTH_TOPIC: 'sensor_msgs/msg/CompressedImage',
            LABEL_TOPIC: 'sensor_msgs/msg/Image',
        }
        connections = {
            topic: writer.add_connection(topic, kind, typestore=types)
            for topic, kind in kinds.items()
        }
        tracked = bar.track(sequence, total=frames, description='rendering')
        for index, frame in enumerate(tracked):
            stamp = index / rate_hz + jitter.uniform(-0.002, 0.002) + 0.01
            for topic, delay, offset, make in (
                (COLOR_TOPIC, COLOR_DELAY, 0.0, _color(types, jpeg_quality)),
                (DEPTH_TOPIC, DEPTH_DELAY, DEPTH_STAMP_OFFSET, _depth(types)),
                (LABEL_TOPIC, LABEL_DELAY, 0.0, _label(types)),
            ):
                header = _header(types, stamp + offset)
                received = START_NS + round((stamp + delay + jitter.uniform(0, 0.003)) * 1e9)
                data = types.serialize_cdr(make(frame, header), kinds[topic])
                writer.write(connections[topic], received, data)


Maker = Callable[[SceneFrame, Any], Any]


def _color(types: Any, quality: int) -> Maker:
    def make(frame: SceneFrame, header: Any) -> Any:
        bgr = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return _compressed(types, header, 'rgb8; jpeg compressed bgr8', data)

    return make


def _depth(types: Any) -> Maker:
    def make(frame: SceneFrame, header: Any) -> Any:
        millimetres = np.rint(frame.depth * 1000).astype(np.uint16)
        _, png = cv2.imencode('.png', millimetres, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        # compressed_depth_image_transport puts {int32, float, float} before the PNG.
        data = np.concatenate([np.zeros(12, np.uint8), png.ravel()])
        return _compressed(types, header, '16UC1; compressedDepth png', data)

    return make


def _label(types: Any) -> Maker:
    image_type = types.types['sensor_msgs/msg/Image']
    return lambda frame, header: encode_image(image_type, header, frame.label)


def _compressed(types: Any, header: Any, encoding: str, data: np.ndarray) -> Any:
    kind = types.types['sensor_msgs/msg/CompressedImage']
    return kind(header=header, format=encoding, data=data.ravel())


def _header(types: Any, seconds: float) -> Any:
    stamp = types.types['builtin_interfaces/msg/Time'](sec=0, nanosec=0)
    header = types.types['std_msgs/msg/Header'](stamp=stamp, frame_id=FRAME_ID)
    set_stamp(header, START_NS + round(seconds * 1e9))
    return header


def main(path: Path, seed: int = 11, frames: int = 80) -> None:
    """Write the sample bag of a synthetic room."""
    write_scene_bag(path, seed, frames)


if __name__ == '__main__':
    typer.run(main)

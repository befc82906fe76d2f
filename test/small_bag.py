"""Small real bags for the tests, and engines that can read their pictures.

Each frame shows three vertical bands that move to the right. The colour of a band and its
distance both tell its class, so an engine that knows the code gets every pixel right.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from crodino_core.labels import LabelSet
from crodino_core.modality import Modality
from crodino_core.runtime.engines.engine import Prediction

START_NS = 1_700_000_000_000_000_000
LABELS = LabelSet(('left', 'middle', 'right'), ((200, 40, 40), (40, 200, 40), (40, 40, 200)))
COLORS = np.array(LABELS.colors, np.uint8)
DISTANCES = np.array([1.0, 2.0, 4.0], np.float32)
COLOR_TOPIC = '/camera/color/image_raw'
DEPTH_TOPIC = '/camera/aligned_depth_to_color/image_raw'
LABEL_TOPIC = '/ground_truth/label'
OTHER_TOPIC = '/diagnostics'
TYPES = get_typestore(Stores.ROS2_JAZZY)


def label_of(index: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Ground truth of a frame, uint8 [H, W]."""
    columns = (np.arange(size[1]) + 3 * index) * 3 // size[1] % 3
    return np.tile(columns.astype(np.uint8), (size[0], 1))


def color_of(index: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Colour image of a frame, uint8 [H, W, 3], with a little texture that changes."""
    noise = np.random.default_rng(index).integers(-9, 10, (*size, 1))
    return np.clip(COLORS[label_of(index, size)].astype(int) + noise, 0, 255).astype(np.uint8)


def depth_of(index: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Depth image of a frame, float32 [H, W] metres, whole millimetres; the top row is invalid."""
    noise = np.random.default_rng(index).integers(-9, 10, size) * 0.001
    depth = np.round(DISTANCES[label_of(index, size)] + noise, 3).astype(np.float32)
    depth[0] = 0
    return depth


class BandEngine:
    """Tells the class of each pixel from its colour or its distance."""

    name, device, version = 'bands', 'CPU', '1'

    def __init__(self, modality: Modality, logits: bool = False) -> None:
        self.modality = modality
        self.logits = logits
        self.served = 0

    def prepare(self, size: tuple[int, int]) -> None:
        pass

    def infer(self, image: np.ndarray) -> Prediction:
        self.served += 1
        if self.modality is Modality.RGB:
            mask = image.argmax(axis=2).astype(np.uint8)
        else:
            mask = np.abs(image[..., None] - DISTANCES).argmin(axis=2).astype(np.uint8)
        confidence, logits = np.full(mask.shape, 255, np.uint8), None
        if self.logits:
            logits = 10 * (mask == np.arange(len(LABELS))[:, None, None]).astype(np.float32)
        return Prediction(mask, confidence, logits)


def new(kind: str, **fields: object):
    """Make a message of `rosbags`, e.g. `new('std_msgs/msg/String', data='x')`."""
    return TYPES.types[kind](**fields)


def header(stamp_ns: int, frame_id: str = 'camera_optical_frame'):
    """Make a std_msgs/Header."""
    sec, nanosec = divmod(stamp_ns, 1_000_000_000)
    stamp = new('builtin_interfaces/msg/Time', sec=sec, nanosec=nanosec)
    return new('std_msgs/msg/Header', stamp=stamp, frame_id=frame_id)


def image_message(array: np.ndarray, encoding: str, stamp_ns: int = 0, padding: int = 0, **fields):
    """Make a sensor_msgs/Image; `padding` bytes are added to each row."""
    rows = np.ascontiguousarray(array).view(np.uint8).reshape(array.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    content = {
        'header': header(stamp_ns),
        'height': array.shape[0],
        'width': array.shape[1],
        'encoding': encoding,
        'is_bigendian': 0,
        'step': rows.shape[1],
        'data': rows.reshape(-1),
    }
    return new('sensor_msgs/msg/Image', **{**content, **fields})


def compressed_message(data: bytes, form: str, stamp_ns: int = 0):
    """Make a sensor_msgs/CompressedImage."""
    return new(
        'sensor_msgs/msg/CompressedImage',
        header=header(stamp_ns),
        format=form,
        data=np.frombuffer(data, np.uint8),
    )


def color_message(image: np.ndarray, encoding: str, stamp_ns: int = 0):
    """Make a colour message: rgb8, bgr8, jpeg or png."""
    if encoding in ('jpeg', 'png'):
        extension = {'jpeg': '.jpg', 'png': '.png'}[encoding]
        data = cv2.imencode(extension, image[..., ::-1])[1].tobytes()
        return compressed_message(data, f'rgb8; {encoding} compressed bgr8', stamp_ns)
    return image_message(image if encoding == 'rgb8' else image[..., ::-1], encoding, stamp_ns)


def depth_message(depth: np.ndarray, encoding: str, stamp_ns: int = 0):
    """Make a depth message: 16UC1, 32FC1 (NaN for invalid) or compressedDepth."""
    if encoding == '32FC1':
        return image_message(np.where(depth == 0, np.float32(np.nan), depth), encoding, stamp_ns)
    millimetres = np.round(depth * 1000).astype(np.uint16)
    if encoding == '16UC1':
        return image_message(millimetres, encoding, stamp_ns)
    data = bytes(12) + cv2.imencode('.png', millimetres)[1].tobytes()
    return compressed_message(data, '16UC1; compressedDepth png', stamp_ns)


def write_small_bag(
    path: Path,
    *,
    storage: str = 'mcap',
    color: str = 'rgb8',
    depth: str = '16UC1',
    frames: int = 30,
    period: float = 0.1,
    size: tuple[int, int] = (48, 64),
    labels: bool = True,
    label_encoding: str = 'mono8',
    pause_before: int | None = None,
    resize_from: int | None = None,
    topics: dict[str, str] | None = None,
    compression: str | None = None,
    others_at: Sequence[float] = (),
) -> Path:
    """Write a bag with one colour, depth and label message per frame.

    :param label_encoding: `rgb8` for ground truth in class colours.
    :param pause_before: index of a frame before which both sensors pause for one second.
    :param resize_from: index of the frame from which images have twice the size.
    :param compression: 'file', 'message' or 'storage' (MCAP chunks), with zstd.
    :param topics: other topics by role, e.g. `{'rgb': '/x/image'}`.
    :param others_at: receive times of messages on `OTHER_TOPIC`, seconds since `START_NS`.
    """
    truth_of = label_of if label_encoding == 'mono8' else color_of
    plugin = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}[storage]
    image_type, compressed_type = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
    plain = {
        'rgb8': '',
        'bgr8': '',
        '16UC1': '',
        '32FC1': '',
        'compressedDepth': '/compressedDepth',
    }
    suffixes = {'rgb': plain.get(color, '/compressed'), 'depth': plain[depth], 'label': ''}
    bases = {'rgb': COLOR_TOPIC, 'depth': DEPTH_TOPIC, 'label': LABEL_TOPIC}
    names = {role: bases[role] + suffixes[role] for role in bases} | (topics or {})
    writer = Writer(path, version=9, storage_plugin=plugin)
    if compression:
        writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    with writer:
        connections = {
            role: writer.add_connection(
                names[role], compressed_type if suffixes[role] else image_type, typestore=TYPES
            )
            for role in bases
            if role != 'label' or labels
        }
        if others_at:
            other = writer.add_connection(OTHER_TOPIC, 'std_msgs/msg/String', typestore=TYPES)
            data = TYPES.serialize_cdr(new('std_msgs/msg/String', data='hello'), other.msgtype)
        for seconds in sorted(others_at):
            writer.write(other, START_NS + round(seconds * 1e9), data)
        for index in range(frames):
            stamp = START_NS + round(index * period * 1e9)
            if pause_before is not None and index >= pause_before:
                stamp += 1_000_000_000
            if resize_from == index:
                size = (2 * size[0], 2 * size[1])
            messages = {
                'rgb': (10, color_message(color_of(index, size), color, stamp)),
                'depth': (13, depth_message(depth_of(index, size), depth, stamp + 3_000_000)),
                'label': (16, image_message(truth_of(index, size), label_encoding, stamp)),
            }
            for role, connection in connections.items():
                delay_ms, message = messages[role]
                data = TYPES.serialize_cdr(message, message.__msgtype__)
                writer.write(connection, stamp + delay_ms * 1_000_000, data)
    return path

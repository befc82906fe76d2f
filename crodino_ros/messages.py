"""ROS image messages to arrays and back: the one image decoder of the package.

Messages are recognised by their fields, so rclpy's classes and those of `rosbags` both fit.
Pixel formats are converted by `rosbags-image`; here are row padding (`step`), the checks on what
a driver claims, and compressed depth, which neither it nor cv_bridge's Python side decodes.
"""

from __future__ import annotations

import array
import re
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from rosbags.image import image_to_cvimage

from crodino_core.errors import CrodinoError

COLOR_ENCODINGS = {
    'rgb8': 3,
    'bgr8': 3,
    'rgba8': 4,
    'bgra8': 4,
    'mono8': 1,
    'yuv422': 2,
    'uyvy': 2,
    'yuv422_yuy2': 2,
    'yuyv': 2,
    'bayer_rggb8': 1,
    'bayer_bggr8': 1,
    'bayer_gbrg8': 1,
    'bayer_grbg8': 1,
}
"""Colour encodings and their bytes per pixel."""
DEPTH_ENCODINGS = {'16UC1': 2, 'mono16': 2, '32FC1': 4}
"""Depth encodings and their bytes per pixel; 16 bit means millimetres, 0 = invalid (REP-118)."""
DEPTH_FORMATS = ('compressedDepth png', 'png')

_JPEG, _PNG = b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n'
_DEPTH_HEADER = 12
_MILLIMETRE = np.float32(0.001)
_SECOND = 1_000_000_000


class UnsupportedEncodingError(CrodinoError):
    """The encoding of a topic is not supported: no message of it can be used."""


@dataclass
class _TightImage:
    """The fields of sensor_msgs/Image that `rosbags-image` reads, without row padding."""

    height: int
    width: int
    encoding: str
    is_bigendian: bool
    data: np.ndarray


def decode_color(message: Any) -> np.ndarray:
    """Decode a sensor_msgs/Image or CompressedImage of a colour camera.

    :return: RGB image, uint8 [H, W, 3].
    :raises UnsupportedEncodingError: the encoding or format is not supported.
    :raises CrodinoError: the message is damaged.
    """
    if hasattr(message, 'format'):
        return _decode_compressed_color(message)
    tight = _tight(message, COLOR_ENCODINGS, 'colour')
    if tight.encoding in ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv') and tight.width % 2:
        raise CrodinoError(
            f'the image is {tight.width} pixels wide; {tight.encoding} needs an even width'
        )
    image = image_to_cvimage(tight, 'rgb8')  # type: ignore[arg-type]
    return np.ascontiguousarray(image)


def decode_depth(message: Any) -> np.ndarray:
    """Decode a sensor_msgs/Image or CompressedImage of a depth sensor.

    :return: depth in metres, float32 [H, W]; invalid is what the driver says: 0, NaN or +-Inf.
    :raises UnsupportedEncodingError: the encoding or format is not supported.
    :raises CrodinoError: the message is damaged.
    """
    if hasattr(message, 'format'):
        return _decode_compressed_depth(message)
    image = image_to_cvimage(_tight(message, DEPTH_ENCODINGS, 'depth'))  # type: ignore[arg-type]
    return _in_metres(image)


def decode_label(message: Any) -> np.ndarray:
    """Decode a sensor_msgs/Image with class indices (mono8, 8UC1).

    :return: uint8 [H, W], 255 = unlabelled.
    :raises UnsupportedEncodingError: the encoding is another one.
    """
    return _tight(message, {'mono8': 1, '8UC1': 1}, 'label').data


def encode_image(image_type: Any, header: Any, image: np.ndarray) -> Any:
    """Make a sensor_msgs/Image.

    :param image_type: the message class, of rclpy or of `rosbags`.
    :param header: a std_msgs/Header of the same library.
    :param image: uint8 [H, W] (mono8) or uint8 [H, W, 3] (rgb8).
    """
    flat = np.ascontiguousarray(image).reshape(-1)
    is_rosbags = hasattr(image_type, '__dataclass_fields__')
    return image_type(
        header=header,
        height=image.shape[0],
        width=image.shape[1],
        encoding='mono8' if image.ndim == 2 else 'rgb8',
        is_bigendian=0,
        step=flat.size // image.shape[0],
        # rclpy checks bytes one by one but takes an array of unsigned bytes as it is.
        data=flat if is_rosbags else array.array('B', flat.tobytes()),
    )


def stamp_ns(header: Any) -> int:
    """Stamp of a std_msgs/Header in nanoseconds.

    :raises CrodinoError: the stamp is no time that ROS allows.
    """
    seconds, nanoseconds = int(header.stamp.sec), int(header.stamp.nanosec)
    if seconds < 0 or nanoseconds >= _SECOND:
        raise CrodinoError(
            f'the stamp is no time: sec {seconds}, nanosec {nanoseconds}; sec from 0 and nanosec '
            f'below {_SECOND} were expected'
        )
    return seconds * _SECOND + nanoseconds


def set_stamp(header: Any, stamp_ns: int) -> None:
    """Write a stamp, nanoseconds, into a std_msgs/Header of rclpy or of `rosbags`."""
    header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, _SECOND)


def _tight(message: Any, encodings: dict[str, int], what: str) -> _TightImage:
    """Check what the message claims and remove the padding of its rows.

    :return: the image with data uint8 [H, W * bytes per pixel].
    """
    encoding = str(message.encoding)
    if encoding not in encodings:
        raise UnsupportedEncodingError(
            f'the {what} encoding {encoding!r} is not supported; '
            f'supported are {", ".join(encodings)}'
        )
    height, width, step = int(message.height), int(message.width), int(message.step)
    row = width * encodings[encoding]
    if height == 0 or width == 0:
        raise CrodinoError(f'the {what} image is empty: {width}x{height}')
    if step < row:
        raise CrodinoError(
            f'the {what} image claims rows of {step} bytes (step), but {width} pixels of '
            f'{encoding} need {row}'
        )
    data = np.frombuffer(message.data, np.uint8)
    # The last row may come without its padding.
    needed = (height - 1) * step + row
    if data.size < needed:
        raise CrodinoError(
            f'the {what} image is cut off: {data.size} bytes, {width}x{height} {encoding} needs '
            f'{needed}'
        )
    rows = np.lib.stride_tricks.as_strided(data, (height, row), (step, 1), writeable=False)
    return _TightImage(
        height, width, encoding, bool(message.is_bigendian), np.ascontiguousarray(rows)
    )


def _in_metres(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.uint16:
        return image.astype(np.float32) * _MILLIMETRE
    return np.array(image, np.float32)


def _decode_compressed_color(message: Any) -> np.ndarray:
    data = bytes(memoryview(message.data)[:8])
    if not data.startswith((_JPEG, _PNG)):
        raise UnsupportedEncodingError(
            f'the colour format {message.format!r} is not supported: the data is neither jpeg '
            'nor png; record the topic in one of these, or raw'
        )
    pixels = np.frombuffer(message.data, np.uint8)
    image = _imdecode(pixels, cv2.IMREAD_COLOR, 'colour', message.format)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _decode_compressed_depth(message: Any) -> np.ndarray:
    """Decode compressed_depth_image_transport (12-byte header, PNG), or a bare 16-bit PNG.

    The header is {int32 format, float A, float B}. With 32FC1 the PNG holds v = A / depth + B,
    and v = 0 is an invalid pixel.
    """
    data = np.frombuffer(message.data, np.uint8)
    head = data[: _DEPTH_HEADER + len(_PNG)].tobytes()
    text = str(message.format)
    if head.startswith(_JPEG):
        raise UnsupportedEncodingError(
            f'the depth topic holds JPEG ({text!r}), which destroys depth; record '
            'compressedDepth (png) or the raw image'
        )
    if head.startswith(_PNG):
        start = 0
    elif head.startswith(_PNG, _DEPTH_HEADER):
        start = _DEPTH_HEADER
    else:
        kind = 'RVL' if 'rvl' in text.lower() else 'no PNG'
        raise UnsupportedEncodingError(
            f'the depth format {text!r} is not supported ({kind}); supported are '
            f'{", ".join(DEPTH_FORMATS)} of 16UC1 and 32FC1'
        )
    image = _imdecode(data[start:], cv2.IMREAD_UNCHANGED, 'depth', text)
    if image.dtype != np.uint16 or image.ndim != 2:
        raise UnsupportedEncodingError(
            f'the depth PNG holds {image.dtype} {list(image.shape)}; 16 bit, one channel was '
            'expected'
        )
    encoding = re.split(r'[;\s]', text.strip(), maxsplit=1)[0]
    if encoding != '32FC1' or start == 0:
        return _in_metres(image)
    a, b = np.frombuffer(head, '<f4', count=2, offset=4)
    with np.errstate(divide='ignore', invalid='ignore'):
        depth = a / (image.astype(np.float32) - b)
    return np.where(image == 0, np.float32(np.nan), depth).astype(np.float32)


def _imdecode(data: np.ndarray, flags: int, what: str, text: str) -> np.ndarray:
    try:
        image = cv2.imdecode(data, flags)
    except cv2.error:
        image = None
    if image is None:
        raise CrodinoError(f'the compressed {what} image ({text!r}) is damaged')
    return np.asarray(image)

"""Images of the report as data URIs: JPEG for what sensors gave, palette PNG for masks."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import cv2
import numpy as np

from crodino_core.labels import LabelSet


def jpeg_uri(image: np.ndarray, width: int, quality: int = 82) -> str:
    """Return an RGB image (uint8 [h, w, 3]), at most `width` wide, as a data URI."""
    small = _fitted(image, width, cv2.INTER_AREA)
    done, content = cv2.imencode('.jpg', small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f'OpenCV could not encode an image of shape {image.shape} as JPEG')
    return _data_uri('jpeg', content.tobytes())


def mask_uri(mask: np.ndarray, labels: LabelSet | None, width: int) -> str:
    """Return a mask in the colours of its classes as a data URI.

    :param mask: class indices, uint8 [h, w]; what is no class is black.
    :param labels: None shows the indices as grey values.
    :param width: of the picture at most, pixels.
    """
    return _data_uri('png', mask_png(_fitted(mask, width, cv2.INTER_NEAREST), labels))


def mask_png(mask: np.ndarray, labels: LabelSet | None, level: int = 5) -> bytes:
    """Return a mask as a PNG with the colours of its classes as palette.

    :param level: of the compression, 1 is fast, 9 small.
    """
    if labels is None:
        palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
        return _palette_png(mask, palette, level)
    indices = np.minimum(mask, len(labels)).astype(np.uint8)
    return _palette_png(indices, np.array([*labels.colors, (0, 0, 0)], np.uint8), level)


def depth_limits(depths: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the nearest and farthest distance worth a colour of its own, metres."""
    valid = [depth[np.isfinite(depth) & (depth > 0)][::7] for depth in depths]
    found = np.concatenate(valid) if valid else np.zeros(0)
    if not found.size:
        return 0.0, 1.0
    near, far = np.percentile(found, (2, 98))
    return float(near), float(far)


def depth_colors(depth: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
    """Return depth as a picture that colour-blind readers can read too (cividis).

    :param depth: float32 [h, w], metres, 0 = invalid.
    :param limits: distances of the first (yellow) and last (blue) colour; None takes its own.
    :return: RGB uint8 [h, w, 3]; invalid pixels are black.
    """
    valid = np.isfinite(depth) & (depth > 0)
    near, far = limits or depth_limits([depth])
    known = np.where(valid, depth, near)
    scaled = np.clip((known - near) / max(far - near, 1e-6), 0, 1)
    levels = (255 * (1 - scaled)).astype(np.uint8)
    colors = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_CIVIDIS), cv2.COLOR_BGR2RGB)
    colors[~valid] = 0
    return colors


def _fitted(image: np.ndarray, width: int, interpolation: int) -> np.ndarray:
    """Return an image at most `width` wide."""
    if image.shape[1] <= width:
        return image
    size = (width, max(1, round(image.shape[0] * width / image.shape[1])))
    return np.asarray(cv2.resize(image, size, interpolation=interpolation))


def _palette_png(indices: np.ndarray, palette: np.ndarray, level: int) -> bytes:
    """Return a PNG of colour type 3, which OpenCV does not write (PNG specification, 11.2).

    :param indices: uint8 [h, w], rows of `palette` (uint8 [n, 3]).
    """
    height, width = indices.shape
    header = struct.pack('>IIBBBBB', width, height, 8, 3, 0, 0, 0)
    rows = np.pad(indices, ((0, 0), (1, 0)))  # a byte 0 before each row: no filter
    chunks = (
        (b'IHDR', header),
        (b'PLTE', palette.tobytes()),
        (b'IDAT', zlib.compress(rows.tobytes(), level)),
        (b'IEND', b''),
    )
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _data_uri(kind: str, content: bytes) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'

"""The pictures under the cursor of the report's timeline: many small ones inside the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crodino_core.evaluation.records import KeyPicture, ReplayResult
from crodino_core.evaluation.report_images import (
    depth_colors,
    depth_limits,
    jpeg_uri,
    mask_uri,
)
from crodino_core.labels import LabelSet

ROWS = {'colour': 'Colour', 'depth': 'Depth', 'mask': 'Mask', 'truth': 'Ground truth'}
"""The pictures of an instant, in the order the report shows them."""


@dataclass(frozen=True)
class _Size:
    width: int
    quality: int


_SIZES = (_Size(224, 80), _Size(224, 68), _Size(192, 64), _Size(160, 60), _Size(128, 55))
"""From the best; the first that fits is taken."""
_SAMPLE = 6


def film(result: ReplayResult, budget: int) -> dict[str, Any]:
    """Return the film as plain data, at most `budget` characters of pictures.

    :return: `times` of the instants, `images` (data URIs, each once), and for each row of `ROWS`
        that has any picture, under its name, which image each instant shows (-1: no new frame).
    """
    pictures = list(result.film)
    limits = depth_limits([p.depth for p in pictures if p.depth is not None])
    spread = pictures[:: max(1, len(pictures) // _SAMPLE)]
    for size in _SIZES:
        share = len(pictures) / max(1, len(spread))
        if share * _length(_encode(spread, result.labels, limits, size)) <= 0.9 * budget:
            break
    content = _encode(pictures, result.labels, limits, size)
    while _length(content) > budget and len(pictures) > 1:
        pictures = pictures[::2]
        content = _encode(pictures, result.labels, limits, size)
    return content


def _length(content: dict[str, Any]) -> int:
    return sum(len(image) for image in content['images'])


def _encode(
    pictures: Sequence[KeyPicture],
    labels: LabelSet | None,
    limits: tuple[float, float],
    size: _Size,
) -> dict[str, Any]:
    encoders: dict[str, tuple[str, Callable[[np.ndarray], str]]] = {
        'colour': ('rgb', lambda image: jpeg_uri(image, size.width, size.quality)),
        'depth': (
            'depth',
            lambda image: jpeg_uri(depth_colors(image, limits), size.width, size.quality),
        ),
        'mask': ('mask', lambda image: mask_uri(image, labels, size.width)),
        'truth': ('label', lambda image: mask_uri(image, labels, size.width)),
    }
    images: dict[str, int] = {}
    content: dict[str, Any] = {'times': [round(picture.time_s, 4) for picture in pictures]}
    for row, (name, encode) in encoders.items():
        shown = [getattr(picture, name) for picture in pictures]
        if any(image is not None for image in shown):
            content[row] = [
                -1 if image is None else images.setdefault(encode(image), len(images))
                for image in shown
            ]
    return {**content, 'images': list(images)}

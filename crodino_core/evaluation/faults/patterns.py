"""Random patterns that faults lay over an image: noise, blobs, drops.

A pattern is drawn once for an image size; frame by frame it is only cut, compared or blended,
so that a fault costs a few passes over the image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import cv2
import numpy as np

Size = tuple[int, int]
"""Height and width in pixels."""
_MARGIN = 64
_COARSE = 128

T = TypeVar('T')


class PerSize(Generic[T]):
    """Keeps what was made for an image size until another size is asked for."""

    def __init__(self, make: Callable[[Size], T]) -> None:
        self._make = make
        self._kept: tuple[Size, T] | None = None

    def __call__(self, size: Size) -> T:
        if self._kept is None or self._kept[0] != size:
            self._kept = (size, self._make(size))
        return self._kept[1]


class Grain:
    """Random values per pixel, other ones in every frame.

    One tile is drawn, a little larger than the image, and cut at another place for each frame.

    :param draw: returns an array of the shape it is given, e.g. [H, W, 3].
    """

    def __init__(
        self,
        rng: np.random.Generator,
        draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray],
    ) -> None:
        seed = int(rng.integers(2**63))
        self._tile = PerSize(lambda shape: draw(np.random.default_rng(seed), shape))

    def cut(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Return values for an image of `shape`, a view of the tile."""
        height, width = shape[:2]
        tile = self._tile((height + _MARGIN, width + _MARGIN, *shape[2:]))  # type: ignore[arg-type]
        top, left = rng.integers(_MARGIN + 1, size=2)
        return tile[top : top + height, left : left + width]


def gaussian(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal values, float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Values from 0 to 1, float32."""
    return rng.random(shape, dtype=np.float32)


def blobs(rng: np.random.Generator, size: tuple[int, ...], cells: int) -> np.ndarray:
    """Return float32 [H, W] from 0 to 1 whose part below s is blobs that cover about s of it.

    So the blobs of a small share lie within those of a greater one.

    :param cells: about how many blobs there are from side to side.
    """
    coarse = (min(size[0], _COARSE), min(size[1], _COARSE))
    field = np.zeros(coarse, np.float32)
    for octave, weight in ((1, 1.0), (3, 0.5)):
        grid = rng.standard_normal((octave * cells + 3, octave * cells + 3), dtype=np.float32)
        field += weight * cv2.resize(grid, coarse[::-1], interpolation=cv2.INTER_CUBIC)
    return spread(field, size)


def spread(field: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Return `field` at another size with its values replaced by their ranks, 0 to 1, float32."""
    ranks = np.empty(field.size, np.float32)
    ranks[np.argsort(field, axis=None, kind='stable')] = np.linspace(
        0, 1, field.size, dtype=np.float32
    )
    stretched = cv2.resize(
        ranks.reshape(field.shape), (size[1], size[0]), interpolation=cv2.INTER_LINEAR
    )
    return np.asarray(stretched)


def distance_from(point: tuple[float, float], size: Size, aspect: float = 1.0) -> np.ndarray:
    """Return a coarse float32 field of distances from a point (y, x in image sides, 0 to 1)."""
    rows = np.linspace(0, 1, min(size[0], _COARSE), dtype=np.float32)[:, None] - point[0]
    columns = np.linspace(0, 1, min(size[1], _COARSE), dtype=np.float32)[None] - point[1]
    return np.hypot(rows * aspect, columns)


def covering(field: np.ndarray, share: float, softness: float) -> np.ndarray:
    """Return float32 [H, W]: 1 where `field` is below `share`, 0 above, a ramp between."""
    if share >= 1:
        return np.ones_like(field)
    return np.clip((share - field) / softness + 0.5, 0, 1)


def blend(image: np.ndarray, over: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Lay one uint8 [H, W, 3] over another; `opacity` is float32 [H, W], 0 to 1."""
    return np.asarray(cv2.blendLinear(image, over, 1 - opacity, opacity))

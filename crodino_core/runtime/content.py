"""Content checks: is there anything in this image that can be segmented?"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame

SAMPLES_PER_SIDE = 60
"""The statistics are taken on every n-th row and column, so that they cost far below 1 ms."""
DARK, BRIGHT = 16, 250
"""RGB values up to DARK carry no texture, values from BRIGHT on are clipped."""
NEARLY_ALL = 0.99
MOSTLY = 0.9
UNIFORM_STD = 2.0
"""A covered lens shows its read-out noise (about 1) around one colour."""
CONSTANT_DEPTH_STD = 0.001
"""Metres; a real depth sensor is noisier than this even in front of a flat wall."""
FARTHEST_PLAUSIBLE = 100.0
"""Metres; a median beyond it, and beyond what the sensor can mean, in a float image means that the
values are millimetres."""


@dataclass(frozen=True)
class Problem:
    """Why an image cannot be segmented: a stable cause and what was seen."""

    cause: str
    detail: str


def find_problem(
    frame: Frame, depth_range: tuple[float, float], min_valid_depth: float
) -> Problem | None:
    """Look for content that cannot be segmented.

    :param depth_range: nearest and farthest depth the sensor can mean, metres.
    :param min_valid_depth: the least share of depth pixels that must lie in that range.
    :return: the first problem found, None for a good image.
    """
    layout = _layout_problem(frame)
    if layout is not None:
        return layout
    rows, columns = (max(1, side // SAMPLES_PER_SIDE) for side in frame.size)
    sample = np.ascontiguousarray(frame.image[::rows, ::columns])
    if frame.modality is Modality.RGB:
        return _color_problem(sample)
    return _depth_problem(sample, depth_range, min_valid_depth)


def _layout_problem(frame: Frame) -> Problem | None:
    """Compare shape and type with the promise of `Frame`."""
    image = frame.image
    if image.size == 0:
        return Problem('empty image', f'its shape is {list(image.shape)}')
    if frame.modality is Modality.RGB:
        fits = image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
        expected = 'uint8 [H, W, 3]'
    else:
        fits = image.ndim == 2 and image.dtype == np.float32
        expected = 'float32 [H, W]'
    if fits:
        return None
    return Problem('wrong layout', f'found {image.dtype} {list(image.shape)}, expected {expected}')


def _color_problem(sample: np.ndarray) -> Problem | None:
    """Black, saturated or uniform: `sample` is uint8 [h, w, 3]."""
    dark = np.count_nonzero(sample <= DARK) / sample.size
    if dark >= NEARLY_ALL:
        return Problem('black image', f'{dark:.0%} of the values are {DARK} or less')
    bright = np.count_nonzero(sample >= BRIGHT) / sample.size
    if bright >= MOSTLY:
        return Problem('saturated image', f'{bright:.0%} of the values are {BRIGHT} or more')
    spread = _spread(sample)
    if spread < UNIFORM_STD:
        return Problem('uniform image', f'the standard deviation of the colours is {spread:.1f}')
    return None


def _depth_problem(
    sample: np.ndarray, depth_range: tuple[float, float], min_valid_depth: float
) -> Problem | None:
    """Wrong unit, too few valid pixels or one plane: `sample` is float32 [h, w]."""
    nearest, farthest = depth_range
    measured = sample[(sample > 0) & (sample < np.inf)]
    if 2 * np.count_nonzero(measured > max(FARTHEST_PLAUSIBLE, farthest)) > measured.size:
        median = float(np.median(measured))
        return Problem(
            'wrong unit', f'the median depth is {median:.0f}: millimetres, metres were expected'
        )
    valid = measured[(measured >= nearest) & (measured <= farthest)]
    share = valid.size / sample.size
    if share < min_valid_depth or valid.size == 0:
        return Problem(
            'too few valid depths',
            f'{share:.1%} of the pixels lie in {nearest:g} to {farthest:g} m, '
            f'{min_valid_depth:.0%} are needed',
        )
    spread = _spread(valid)
    if spread < CONSTANT_DEPTH_STD:
        return Problem('constant depth', f'every valid pixel is {float(valid[0]):.3f} m away')
    return None


def _spread(sample: np.ndarray) -> float:
    """Return the greatest standard deviation of a channel."""
    _, deviations = cv2.meanStdDev(sample)
    return float(deviations.max())

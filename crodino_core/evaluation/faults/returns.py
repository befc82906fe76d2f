"""Faults of a depth sensor's returns: pixels that measure nothing, or the wrong thing."""

from __future__ import annotations

import numpy as np

from crodino_core.evaluation.faults.kind import Change, Given, content_fault
from crodino_core.evaluation.faults.patterns import Grain, PerSize, Size, blobs, uniform
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame

_DEPTH = frozenset({Modality.DEPTH})
_NOTHING = np.float32(0)
_PLANE_M = np.float32(0.6)


@content_fault(
    'depth has holes',
    sensors=_DEPTH,
    measure='share',
    meaning='share of the pixels without a measurement',
    levels=(0.05, 0.12, 0.25, 0.45, 0.7),
)
def holes(given: Given) -> Change:
    """Glossy, black or transparent surfaces return nothing: patches of 0 of many sizes, at other
    places in every frame.

    Source: Sweeney, Izatt & Tedrake, "A Supervised Approach to Predicting Noise in Depth Images",
    ICRA 2019 (what they predict).
    """
    patches = Grain(given.rng(), lambda rng, shape: blobs(rng, shape, 14))

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        lost = patches.cut(frame.image.shape, rng) < given.level
        return np.where(lost, _NOTHING, frame.image)

    return change


@content_fault(
    'far surfaces are not measured',
    sensors=_DEPTH,
    measure='reach_m',
    meaning='farthest distance measured, metres',
    levels=(6.0, 4.0, 3.0, 2.0, 1.0),
    greatest=1e3,
)
def range_clip(given: Given) -> Change:
    """A weak emitter, a short-range mode, a wrong range setting: what is farther is 0.

    Source: REP-117 and the range limits of RGB-D cameras' modes.
    """
    reach = np.float32(given.level)
    return lambda frame, rng: np.where(frame.image > reach, _NOTHING, frame.image)


@content_fault(
    'sunlight drowns the emitter',
    sensors=_DEPTH,
    measure='ambient',
    meaning='infrared of the sun against the emitter, at 1 m',
    levels=(0.02, 0.06, 0.2, 0.7, 3.0),
    greatest=1e6,
)
def sunlight(given: Given) -> Change:
    """The sun's infrared outshines the projected pattern: its signal falls with the square of the
    distance, so far surfaces are lost first, and those in sunlit patches before those in shade.
    At the edge of what can be measured, pixels come and go.

    Source: Gupta, Yin & Nayar, "Structured Light in Sunlight", ICCV 2013.
    """
    grain = Grain(given.rng(1), uniform)

    def draw(size: Size) -> np.ndarray:
        return given.level * (0.05 + blobs(given.rng(), size, 3) ** 2)

    sun = PerSize(draw)

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        noise_to_signal = sun(frame.size) * frame.image * frame.image
        lost = noise_to_signal > grain.cut(frame.size, rng) + np.float32(0.5)
        return np.where(lost, _NOTHING, frame.image)

    return change


@content_fault(
    'pixels are NaN',
    sensors=_DEPTH,
    measure='share',
    meaning='share of the pixels that are NaN',
    levels=(0.05, 0.15, 0.35, 0.65, 1.0),
    severity=5,
)
def nan_fill(given: Given) -> Change:
    """A driver that marks what it could not measure with NaN instead of 0, as it may, and measures
    ever less.

    Source: REP-117 (NaN is an invalid measurement).
    """
    patches = PerSize(lambda size: blobs(given.rng(), size, 6))

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        lost = patches(frame.size) <= given.level
        return np.where(lost, np.float32(np.nan), frame.image)

    return change


@content_fault(
    'a flat plane is measured instead of the scene',
    sensors=_DEPTH,
    measure='share',
    meaning='share of the view at one distance of 0.6 m',
    levels=(0.2, 0.4, 0.6, 0.8, 1.0),
    severity=5,
)
def plane(given: Given) -> Change:
    """Light reflected by a film of water or dust on the sensor's window, or a firmware that fills
    in one value: a part of the view, in the end all of it, is exactly 0.6 m away.

    Source: the constant images that the health check of this package looks for (constant depth).
    """
    patches = PerSize(lambda size: blobs(given.rng(), size, 2))

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        return np.where(patches(frame.size) <= given.level, _PLANE_M, frame.image)

    return change

"""Faults of content that either sensor can have."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from crodino_core.evaluation.faults.kind import Change, Given, content_fault
from crodino_core.evaluation.faults.patterns import (
    PerSize,
    Size,
    blend,
    blobs,
    covering,
    distance_from,
    spread,
)
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame

_GAMMA = 2.2
_FULL_REACH_M = 8.0
_GRIPPER = (46, 42, 40)
_DEGREES_PER_SHARE = 20.0


@content_fault(
    'every pixel is 0: a black picture, or depth without one valid pixel',
    measure='blocked',
    meaning='share of the light that is blocked',
    levels=(0.5, 0.75, 0.9, 0.97, 1.0),
    severity=5,
)
def black(given: Given) -> Change:
    """A covered lens, an emitter that goes out. Below severity 5 some light is left: the picture
    is dark, and only near surfaces return enough for a depth (the return falls with the square of
    the distance; all of it reaches 8 m here).

    Source: Secci & Ceccarelli, "On Failures of RGB Cameras and Their Effects in Autonomous Driving
    Applications", ISSRE 2020 (brightness, black image).
    """
    light = 1 - min(given.level, 1.0)
    curve = np.round(np.arange(256) * light ** (1 / _GAMMA)).astype(np.uint8)
    reach = _FULL_REACH_M * light**0.5

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        if light == 0:
            return np.zeros_like(frame.image)
        if frame.modality is Modality.RGB:
            return np.asarray(cv2.LUT(frame.image, curve))
        return np.where(frame.image > reach, np.float32(0), frame.image)

    return change


@content_fault(
    'a thing in front of the lens covers a part of the view',
    measure='share',
    meaning='covered share of the view',
    levels=(0.05, 0.12, 0.25, 0.45, 0.75),
)
def occlusion(given: Given) -> Change:
    """A gripper, a strap or a hand comes in from the side: dark and out of focus in colour, nearer
    than a depth sensor can measure (0).

    Source: DeVries & Taylor, "Improved Regularization of CNNs with Cutout", 2017, with a soft
    edge and a place at the border.
    """
    cover = PerSize(partial(_cover_from_the_side, given))

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        opacity, thing = cover(frame.size)
        if frame.modality is Modality.RGB:
            return blend(frame.image, thing, opacity)
        return np.where(opacity >= 0.5, np.float32(0), frame.image)

    return change


def _cover_from_the_side(given: Given, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Return the opacity, float32 [H, W], and the colour, uint8 [H, W, 3], of the thing."""
    rng = given.rng()
    along = rng.uniform(0.2, 0.8)
    side = [(along, 0.0), (along, 1.0), (1.0, along), (0.0, along)][rng.integers(4)]
    distance = distance_from(side, size, aspect=rng.uniform(0.6, 1.6))
    distance += 0.2 * blobs(rng, distance.shape, 4)
    field = spread(distance, size)
    thing = np.full((*size, 3), _GRIPPER, np.uint8)
    return covering(field, given.level, 0.04), thing


@content_fault(
    'the picture is shifted and turned against the other sensor',
    measure='shift',
    meaning='shift, share of the image width (turned by 20 degrees per width)',
    levels=(0.005, 0.01, 0.02, 0.04, 0.08),
)
def misregistration(given: Given) -> Change:
    """The mount was bent by a knock, or the factory's calibration is gone: the picture no longer
    lies over that of the other sensor. Depth that would come from outside the view is 0.

    Source: Herrera C. et al., "Joint Depth and Color Camera Calibration with Distortion
    Correction", PAMI 2012 (what such a calibration corrects).
    """
    rng = given.rng()
    direction = rng.uniform(0, 2 * np.pi)
    turn = rng.choice((-1, 1)) * given.level * _DEGREES_PER_SHARE

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        height, width = frame.size
        move = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, 1.0)
        move[:, 2] += given.level * width * np.array([np.cos(direction), np.sin(direction)])
        color = frame.modality is Modality.RGB
        moved = cv2.warpAffine(
            frame.image,
            move,
            (width, height),
            flags=cv2.INTER_LINEAR if color else cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_REFLECT_101 if color else cv2.BORDER_CONSTANT,
        )
        return np.asarray(moved)

    return change


@content_fault(
    'the pictures become smaller',
    measure='reduction',
    meaning='factor by which width and height shrink',
    levels=(1.5, 2.0, 3.0, 4.0, 8.0),
    least=1,
    greatest=64,
)
def resolution(given: Given) -> Change:
    """The driver falls back to a smaller mode (a USB 2 port, a power-saving mode, a restart with
    default settings): the frames really have another size, and the masks follow it.

    Source: ImageNet-C's pixelate (Hendrycks & Dietterich 2019) without the enlargement.
    """
    reduction = max(given.level, 1.0)

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        height, width = (max(1, round(side / reduction)) for side in frame.size)
        way = cv2.INTER_AREA if frame.modality is Modality.RGB else cv2.INTER_NEAREST
        return np.asarray(cv2.resize(frame.image, (width, height), interpolation=way))

    return change

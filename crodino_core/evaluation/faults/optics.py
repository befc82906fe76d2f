"""Faults of the colour camera's view: what lies in the air, on the lens and in the optics."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from crodino_core.evaluation.faults.kind import Change, Given, Newest, content_fault
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

_COLOR = frozenset({Modality.RGB})
_CONTRAST_THRESHOLD = 0.02
_AIRLIGHT = (214, 217, 220)
_CAMERA_HEIGHT_M = 1.5
_HORIZON_M = 200.0
_DROP_RADIUS = (0.012, 0.05)
_MOST_DROPS = 400
_MUD = (74, 60, 45)


@content_fault(
    'the picture is smeared by motion',
    sensors=_COLOR,
    measure='length',
    meaning='length of the smear, share of the image width (of its height if vertical)',
    levels=(0.01, 0.02, 0.035, 0.055, 0.08),
    vertical=False,
)
def motion_blur(given: Given) -> Change:
    """The robot turns (or, `vertical`, drives over a bump) while the shutter is open: every point
    is spread evenly along a line as long as turning rate x exposure time x focal length.

    Source: ImageNet-C motion blur (Hendrycks & Dietterich 2019), along an image axis.
    """
    vertical = given.values['vertical']

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        side = frame.size[0 if vertical else 1]
        length = 2 * round(given.level * side / 2) + 1
        return np.asarray(cv2.blur(frame.image, (1, length) if vertical else (length, 1)))

    return change


@content_fault(
    'the picture is out of focus',
    sensors=_COLOR,
    measure='radius',
    meaning='radius of the circle of confusion, share of the image width',
    levels=(0.004, 0.008, 0.014, 0.022, 0.035),
    greatest=0.25,
)
def defocus(given: Given) -> Change:
    """The focus motor lost its place, or the lens came loose: every point becomes a disc. A large
    disc is drawn on a smaller picture, which the blur makes up for.

    Source: ImageNet-C defocus blur (Hendrycks & Dietterich 2019).
    """

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        height, width = frame.size
        radius = given.level * width
        factor = max(1, round(radius / 2))
        small = frame.image
        if factor > 1:
            size = (max(1, width // factor), max(1, height // factor))
            small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
        blurred = cv2.filter2D(small, -1, _disc(radius / factor))
        return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR))

    return change


def _disc(radius: float) -> np.ndarray:
    """Return a disc with a smooth rim, float32 [n, n], its sum 1."""
    reach = int(np.ceil(radius))
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    disc = np.clip(radius + 0.5 - np.hypot(offsets[:, None], offsets), 0, 1)
    return disc / disc.sum()


@content_fault(
    'fog lies over the scene',
    sensors=_COLOR,
    measure='visibility_m',
    meaning='meteorological visibility, metres',
    levels=(60.0, 30.0, 15.0, 8.0, 4.0),
    least=0.1,
    greatest=1e5,
)
def fog(given: Given) -> Change:
    """Light from a surface fades with its distance d and air light takes its place:
    I = J t + A (1 - t), t = exp(-ln(50) d / visibility), so that 2 % of the contrast is left at
    the visibility. d is the newest depth (unknown where invalid: the farthest there is); without
    a depth sensor, a flat ground seen from 1.5 m above it. The severities suit rooms; a fog bank
    on a road has a visibility of 50 to 200 m.

    Source: Koschmieder 1924; Sakaridis et al., "Semantic Foggy Scene Understanding with Synthetic
    Data", IJCV 2018.
    """
    extinction = -np.log(_CONTRAST_THRESHOLD) / given.level
    ground = PerSize(_flat_ground)
    air = PerSize(lambda size: np.full((*size, 3), _AIRLIGHT, np.uint8))

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        distance = _newest_distance(given.newest, frame.size)
        if distance is None:
            distance = ground(frame.size)
        clear = cv2.exp(distance * np.float32(-extinction))
        return blend(frame.image, air(frame.size), 1 - clear)

    return change


def _newest_distance(newest: Newest, size: Size) -> np.ndarray | None:
    """Return the newest depth at the size of the picture, float32 [H, W] metres, without holes."""
    frame = newest(Modality.DEPTH)
    if frame is None or frame.image.ndim != 2 or frame.image.size == 0:
        return None
    depth = frame.image.astype(np.float32, copy=False)
    valid = (depth > 0) & (depth < _HORIZON_M)
    farthest = depth.max(where=valid, initial=0)
    if farthest == 0:
        return None
    filled = np.where(valid, depth, farthest)
    if frame.size != size:
        filled = cv2.resize(filled, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.blur(filled, (5, 5)))


def _flat_ground(size: Size) -> np.ndarray:
    """Return the distance of a flat ground, float32 [H, W] metres; above the horizon it is far."""
    below = np.arange(size[0], dtype=np.float32) + 0.5 - size[0] / 2
    rows = _CAMERA_HEIGHT_M * size[0] / np.maximum(below, 1e-3)
    return np.repeat(np.minimum(rows, _HORIZON_M)[:, None], size[1], axis=1)


@content_fault(
    'rain drops sit on the lens',
    sensors=_COLOR,
    measure='share',
    meaning='share of the view behind drops',
    levels=(0.04, 0.08, 0.15, 0.25, 0.4),
    greatest=0.8,
)
def rain(given: Given) -> Change:
    """A drop on the lens is itself a lens of short focal length: within it the scene stands on its
    head, small and out of focus. The drops stay where they fell.

    Source: Roser & Geiger, "Video-based Raindrop Detection for Improved Image Registration", ICCV
    Workshops 2009; Secci & Ceccarelli, ISSRE 2020.
    """
    drops = PerSize(partial(_drops, given))

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        height, width = frame.size
        size = (max(1, width // 16), max(1, height // 16))
        small = cv2.flip(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), -1)
        inside = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        return blend(frame.image, inside, drops(frame.size))

    return change


def _drops(given: Given, size: Size) -> np.ndarray:
    """Return the opacity of drops, float32 [H, W]; a greater share adds drops to the smaller."""
    rng = given.rng()
    height, width = size
    drops = np.zeros(size, np.uint8)
    for _ in range(_MOST_DROPS):
        y, x, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(*_DROP_RADIUS)
        axes = (max(1, round(radius * width)), max(1, round(radius * width * rng.uniform(1, 1.4))))
        cv2.ellipse(drops, (round(x), round(y)), axes, 0, 0, 360, 255, cv2.FILLED)
        if drops.mean() >= 255 * given.level:
            break
    soft = cv2.GaussianBlur(drops, (0, 0), max(0.3, 0.003 * width))
    return soft.astype(np.float32) / 255


@content_fault(
    'mud sits on the lens',
    sensors=_COLOR,
    measure='share',
    meaning='share of the view behind mud',
    levels=(0.04, 0.1, 0.2, 0.35, 0.55),
)
def dirt(given: Given) -> Change:
    """Splashes of mud or dust stick to the lens: opaque patches with soft edges (they are far out
    of focus) that stay where they are.

    Source: Uricar et al., "SoilingNet: Soiling Detection on Automotive Surround-View Cameras",
    ITSC 2019; Secci & Ceccarelli, ISSRE 2020.
    """

    def draw(size: Size) -> tuple[np.ndarray, np.ndarray]:
        patches = blobs(given.rng(), size, 9)
        return covering(patches, given.level, 0.05), np.full((*size, 3), _MUD, np.uint8)

    soiled = PerSize(draw)

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        opacity, mud = soiled(frame.size)
        return blend(frame.image, mud, opacity)

    return change


@content_fault(
    'a light shines into the lens',
    sensors=_COLOR,
    measure='share',
    meaning='share of the view that is blown out to white',
    levels=(0.05, 0.15, 0.35, 0.6, 1.0),
)
def saturated(given: Given) -> Change:
    """A low sun or a headlight: its surroundings are blown out to white, and light scattered in
    the lens (veiling glare) lies over the rest and fades away from it.

    Source: Talvala et al., "Veiling Glare in High Dynamic Range Imaging", SIGGRAPH 2007.
    """

    def draw(size: Size) -> np.ndarray:
        rng = given.rng()
        light = (rng.uniform(0.1, 0.4), rng.uniform(0.2, 0.8))
        rank = spread(distance_from(light, size), size)
        glare = 255 * np.minimum(1, (given.level / np.maximum(rank, 1e-6)) ** 1.5)
        return cv2.merge([glare.astype(np.uint8)] * 3)

    glare = PerSize(draw)
    return lambda frame, rng: np.asarray(cv2.add(frame.image, glare(frame.size)))

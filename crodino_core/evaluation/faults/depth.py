"""Faults of a depth sensor's values: noise, steps, bias, a wrong unit.

Where nothing was measured (0, NaN, Inf) these leave the image as it is.
"""

from __future__ import annotations

import cv2
import numpy as np

from crodino_core.evaluation.faults.kind import Change, Given, content_fault
from crodino_core.evaluation.faults.patterns import Grain, gaussian, uniform
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame

_DEPTH = frozenset({Modality.DEPTH})
_BASELINE_FOCAL = 0.05 * 0.7
"""Baseline of 5 cm x focal length of 0.7 image widths: metres x widths, as a D435's."""
_MATCHED_WIDTH = 640
_NEAREST_M = 0.01
_WIGGLE_M = 1.5


def is_measured(depth: np.ndarray) -> np.ndarray:
    """Return where depth, float32 [H, W], is a distance: bool [H, W] (REP-117)."""
    return (depth > 0) & (depth < np.inf)


@content_fault(
    'the depth is noisy',
    sensors=_DEPTH,
    measure='times',
    meaning='noise, times that of a Kinect (1.4 cm at 3 m)',
    levels=(1.5, 3.0, 6.0, 12.0, 25.0),
    greatest=1e3,
)
def depth_noise(given: Given) -> Change:
    """Weak returns: axial noise whose deviation grows with the square of the distance,
    0.0012 + 0.0019 (z - 0.4)^2 metres for a Kinect.

    Source: Nguyen, Izadi & Lovell, "Modeling Kinect Sensor Noise for Improved 3D Reconstruction
    and Tracking", 3DIMPVT 2012.
    """
    grain = Grain(given.rng(), gaussian)
    times = np.float32(given.level)

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        depth = frame.image
        sigma = (depth - np.float32(0.4)) ** 2 * np.float32(0.0019) + np.float32(0.0012)
        noisy = depth + times * sigma * grain.cut(depth.shape, rng)
        return np.where(is_measured(depth), np.maximum(noisy, _NEAREST_M), depth)

    return change


@content_fault(
    'depth comes in coarse steps',
    sensors=_DEPTH,
    measure='step_px',
    meaning='step of the disparity, pixels of a picture 640 wide',
    levels=(0.25, 0.5, 1.0, 2.0, 4.0),
    greatest=64,
)
def quantization(given: Given) -> Change:
    """A stereo matcher without sub-pixel interpolation: disparity comes in whole steps, so that
    far surfaces fall apart into slices.

    Source: Khoshelham & Elberink, "Accuracy and Resolution of Kinect Depth Data for Indoor Mapping
    Applications", Sensors 2012; Keselman et al., "Intel RealSense Stereoscopic Depth Cameras",
    2017.
    """
    # Depth of one step: z = b f / (n step); the image width cancels.
    one_step = np.float32(_BASELINE_FOCAL * _MATCHED_WIDTH / given.level)

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        depth = frame.image
        stepped = one_step / np.maximum(np.rint(one_step / depth), 1)
        return np.where(is_measured(depth), stepped, depth)

    return change


@content_fault(
    'depth is systematically too large',
    sensors=_DEPTH,
    measure='share',
    meaning='share of the distance added',
    levels=(0.01, 0.02, 0.05, 0.1, 0.2),
    greatest=10,
)
def bias(given: Given) -> Change:
    """A sensor that has warmed up or lost its calibration: every distance is too large by a share
    of it, and by a wave along the distance as time-of-flight sensors have it ("wiggling").

    Source: Lindner & Kolb, "Lateral and Depth Calibration of PMD-Distance Sensors", ISVC 2006.
    """
    share = np.float32(given.level)
    turn = np.float32(2 * np.pi / _WIGGLE_M)

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        depth = frame.image
        known = is_measured(depth)
        # 0.15 m of wave per unit of share keeps the order of the distances at any share.
        wave = np.float32(0.15) * (1 - np.cos(turn * np.where(known, depth, 0)))
        return np.where(known, depth + share * (depth + wave), depth)

    return change


@content_fault(
    'scattered light bends the depth',
    sensors=_DEPTH,
    measure='scattered',
    meaning='scattered light, share of the direct light',
    levels=(0.02, 0.05, 0.12, 0.3, 0.7),
    greatest=100,
)
def multipath(given: Given) -> Change:
    """Light that reached a time-of-flight pixel by detours (over other surfaces, within the lens)
    mixes with the direct light: each distance is drawn towards those around it, most to near
    and therefore bright ones, and far walls and corners bend.

    Source: Kavli et al., "Modelling and Compensating Measurement Errors Caused by Scattering in
    Time-of-Flight Cameras", SPIE 2008; Fuchs, "Multipath Interference Compensation in
    Time-of-Flight Camera Images", ICPR 2010.
    """
    scattered = np.float32(given.level)

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        depth = frame.image
        height, width = frame.size
        known = is_measured(depth)
        distance = np.where(known, depth, np.float32(1))
        light = np.where(known, np.maximum(distance, 0.5) ** -2, np.float32(0))
        size = (max(1, width // 8), max(1, height // 8))
        reach = 2 * (size[0] // 8) + 1

        def spread_out(part: np.ndarray) -> np.ndarray:
            small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            blurred = cv2.blur(small, (reach, reach))
            return np.asarray(cv2.resize(blurred, (width, height)))

        paths = light * distance + scattered * spread_out(light * distance)
        return np.where(known, paths / (light + scattered * spread_out(light)), depth)

    return change


@content_fault(
    'depth has a wrong scale',
    sensors=_DEPTH,
    measure='factor',
    meaning='factor on every distance',
    levels=(1.01, 1.05, 1.25, 3.281, 1000.0),
    severity=5,
    greatest=1e6,
)
def scale_error(given: Given) -> Change:
    """A slight error of calibration, a wrong baseline, feet taken for metres and, at severity 5,
    millimetres taken for metres.

    Source: REP-118 (depth images are metres if float, millimetres if 16 bit) and what mixing them
    up does.
    """
    return lambda frame, rng: np.multiply(frame.image, np.float32(given.level))


@content_fault(
    'pixels fly between foreground and background',
    sensors=_DEPTH,
    measure='reach',
    meaning='reach around a depth edge, share of the image width',
    levels=(0.002, 0.004, 0.008, 0.012, 0.018),
    greatest=0.1,
)
def flying_pixels(given: Given) -> Change:
    """A pixel that sees two surfaces mixes their returns: around an edge of depth, distances lie
    anywhere between foreground and background.

    Source: Sabov & Krueger, "Identification and Correction of Flying Pixels in Range Camera Data",
    SCCG 2008.
    """
    grain = Grain(given.rng(), uniform)

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        depth = frame.image
        known = is_measured(depth)
        wanted = given.level * frame.size[1]
        reach = max(1, int(np.ceil(wanted)))
        window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        back = cv2.dilate(np.where(known, depth, np.float32(0)), window)
        front = cv2.erode(np.where(known, depth, np.float32(np.inf)), window)
        edge = known & (back - front > 0.05 * front + 0.05)
        # What is less than a whole pixel of reach concerns that share of the pixels.
        edge &= grain.cut(depth.shape, rng) < wanted / reach
        mixed = front + (back - front) * grain.cut(depth.shape, rng)
        return np.where(edge, mixed, depth)

    return change

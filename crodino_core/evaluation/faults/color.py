"""Faults of the colour camera's electronics: exposure, noise, white balance, encoding."""

from __future__ import annotations

import cv2
import numpy as np

from crodino_core.evaluation.faults.kind import Change, Given, content_fault
from crodino_core.evaluation.faults.patterns import Grain, gaussian
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame

_COLOR = frozenset({Modality.RGB})
_GAMMA = 2.2
_LINEAR = (np.arange(256) / 255) ** _GAMMA
"""The light behind each pixel value, 1 = full scale."""
_FULL_WELL = 10_000.0
_READ_NOISE = 4.0
_MOST_GAIN = 8.0
_DAMAGED_STRIPS = (0, 1, 2, 4, 7)
_STRIP = 16
_GREY = 128


@content_fault(
    'the picture is over-exposed',
    sensors=_COLOR,
    measure='stops',
    meaning='stops (factors of two) of light too much',
    levels=(0.7, 1.3, 2.0, 3.0, 4.5),
    greatest=16,
)
def over_exposed(given: Given) -> Change:
    """The exposure is stuck at that of a darker place (leaving a tunnel): highlights clip.

    Source: ImageNet-C brightness (Hendrycks & Dietterich 2019), in linear light.
    """
    curve = _encode(_LINEAR * 2**given.level)
    return lambda frame, rng: np.asarray(cv2.LUT(frame.image, curve))


@content_fault(
    'the picture is grainy',
    sensors=_COLOR,
    measure='sigma',
    meaning='standard deviation of the noise, share of full scale',
    levels=(0.08, 0.12, 0.18, 0.26, 0.38),
)
def noise(given: Given) -> Change:
    """A hot sensor or an electrical disturbance adds Gaussian noise to every value.

    Source: ImageNet-C Gaussian noise, with its levels (Hendrycks & Dietterich 2019).
    """
    sigma = np.float32(255 * given.level)
    grain = Grain(given.rng(), lambda rng, shape: np.rint(sigma * gaussian(rng, shape)))

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        cut = grain.cut(frame.image.shape, rng)
        return np.asarray(cv2.add(frame.image, cut, dtype=cv2.CV_8U))

    return change


@content_fault(
    'there is too little light',
    sensors=_COLOR,
    measure='stops',
    meaning='stops (factors of two) of light too little',
    levels=(2.0, 3.5, 5.0, 6.5, 8.0),
    greatest=20,
)
def low_light(given: Given) -> Change:
    """At dusk the camera's gain makes up for the first three stops; what is left is dark, and the
    noise of the few photons (10000 electrons are full scale) and of the read-out (4) shows.

    Source: Healey & Kondepudy, "Radiometric CCD Camera Calibration and Noise Estimation", PAMI
    1994.
    """
    gain = min(2**given.level, _MOST_GAIN)
    electrons = _FULL_WELL * _LINEAR / 2**given.level
    sigma = np.sqrt(electrons + _READ_NOISE**2)

    def value(electrons: np.ndarray) -> np.ndarray:
        return 255 * np.clip(electrons * gain / _FULL_WELL, 0, 1) ** (1 / _GAMMA)

    mean_curve = value(electrons).astype(np.float32)
    sigma_curve = ((value(electrons + sigma) - value(electrons - sigma)) / 2).astype(np.float32)
    grain = Grain(given.rng(), gaussian)

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        cut = grain.cut(frame.image.shape, rng)
        added = cv2.multiply(cv2.LUT(frame.image, sigma_curve), cut)
        return np.asarray(cv2.add(cv2.LUT(frame.image, mean_curve), added, dtype=cv2.CV_8U))

    return change


@content_fault(
    'the JPEG is strongly compressed and damaged',
    sensors=_COLOR,
    measure='quality',
    meaning='JPEG quality, 1 to 100 (with the severity, 0, 1, 2, 4, 7 strips are damaged)',
    levels=(25, 18, 15, 10, 7),
    least=1,
    greatest=100,
)
def jpeg(given: Given) -> Change:
    """A narrow radio link: high compression shows its blocks, and lost packets leave the rest of a
    strip of 16 rows displaced or grey, at another place in every frame.

    Source: ImageNet-C JPEG compression, with its levels (Hendrycks & Dietterich 2019); the strips
    are the restart intervals of ITU-T T.81.
    """
    strips = _DAMAGED_STRIPS[given.severity - 1]
    options = [cv2.IMWRITE_JPEG_QUALITY, round(given.level)]

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        # Red and blue exchanged on the way in and out alike: OpenCV means BGR.
        bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode('.jpg', bgr, options)
        image = cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        height, width = frame.size
        for _ in range(strips):
            top = int(rng.integers(-(-height // _STRIP))) * _STRIP
            left = int(rng.integers(-(-width // _STRIP))) * _STRIP
            rest = image[top : top + _STRIP, left:]
            displaced = np.roll(rest, int(rng.integers(1, 8)) * _STRIP, axis=1)
            rest[:] = _GREY if rng.random() < 0.5 else displaced
        return np.asarray(image)

    return change


@content_fault(
    'the colours have a cast',
    sensors=_COLOR,
    measure='strength',
    meaning='how far the white balance is off (1: red by half up, blue nearly gone)',
    levels=(0.12, 0.25, 0.45, 0.7, 1.0),
    cold=False,
)
def color_cast(given: Given) -> Change:
    """The white balance is stuck at daylight under lamps (a warm cast), or, `cold`, the reverse.

    Source: Afifi et al., "When Color Constancy Goes Wrong: Correcting Improperly White-Balanced
    Images", CVPR 2019.
    """
    up, down = 1 + 0.5 * given.level, 1 - 0.85 * given.level
    gains = (down, 1.0, up) if given.values['cold'] else (up, 1.0, down)
    values = np.arange(256)[:, None] * np.array(gains)
    curves = np.clip(np.rint(values), 0, 255).astype(np.uint8)[None]
    return lambda frame, rng: np.asarray(cv2.LUT(frame.image, curves))


@content_fault(
    'red and blue are exchanged',
    sensors=_COLOR,
    measure='probability',
    meaning='probability that a frame has red and blue exchanged',
    levels=(0.2, 0.4, 0.6, 0.8, 1.0),
    severity=5,
)
def flipped_channels(given: Given) -> Change:
    """A driver declares rgb8 and sends bgr8; below severity 5 only now and then, as when two
    threads share a buffer's description.

    Source: the encodings of sensor_msgs/image_encodings.hpp, and what mistaking them does.
    """

    def change(frame: Frame, rng: np.random.Generator) -> np.ndarray:
        if rng.random() >= given.level:
            return frame.image
        return np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))

    return change


def _encode(light: np.ndarray) -> np.ndarray:
    """Return the pixel values of linear light (1 = full scale), uint8."""
    return np.rint(255 * np.clip(light, 0, 1) ** (1 / _GAMMA)).astype(np.uint8)

"""Evaluation under sensor failures: EMM, RMM and NM.

Source: "Benchmarking Multi-modal Semantic Segmentation under Sensor Failures: Missing and Noisy
Modality Robustness" (CVPR workshops 2025, arXiv 2503.18445). It leaves open how an element of a
sensor's image maps to "normalised input"; what is done here is marked OURS.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crodino_core.bundle import ModelBundle
from crodino_core.modality import Modality

PROTOCOLS = ('clean', 'emm', 'rmm', 'nm')
FAILURE_PROBABILITIES = (0.2, 0.1, 0.05)
"""EMM: probability p that a modality is missing, the same for each and independent."""
MISSING_RATES = (0.25, 0.5, 0.75)
"""RMM: share of a modality's elements that are missing."""
NOISE_LEVELS = {'low': (0.05, 0.1), 'medium': (0.1, 0.2), 'high': (0.2, 0.5)}
"""NM: salt-and-pepper density and Gaussian sigma on normalised input."""


def expected_miou(
    miou: Mapping[frozenset[Modality], float | None], probability: float
) -> float | None:
    """Return E(p) = sum p^k (1-p)^(N-k) mIoU / sum of the weights (EMM).

    :param miou: mIoU by the modalities that are there; k of all N are missing. Nothing can be
        said with none of them, so the three states of RGB-D weigh (1-p)^2, p(1-p) and p(1-p).
    :return: None where a state has no mIoU.
    """
    total = weights = 0.0
    for present, value in miou.items():
        if value is None:
            return None
        missing = len(Modality) - len(present)
        weight = probability**missing * (1 - probability) ** len(present)
        total += weight * value
        weights += weight
    return total / weights


def zero_elements(
    image: np.ndarray, bundle: ModelBundle, rate: float, rng: np.random.Generator
) -> np.ndarray:
    """Zero each element of an image with probability `rate` (RMM).

    Zero is that of the normalised input (OURS): the mean colour, for each channel apart, and no
    measurement in depth.

    :param image: uint8 [H, W, 3] or float32 [H, W] metres.
    """
    missing = rng.random(image.shape, dtype=np.float32) < rate
    if image.ndim == 3:
        zero = np.rint(255 * np.array(bundle.rgb_mean)).astype(np.uint8)
        return np.where(missing, zero, image)
    return np.where(missing, np.float32(0), image)


def add_noise(
    image: np.ndarray,
    bundle: ModelBundle,
    density: float,
    sigma: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Add Gaussian noise to the normalised image, then salt and pepper (NM).

    Colour is normalised by the bundle's mean and deviation, depth by its range to 0..1 (OURS).
    Salt is the largest value, pepper the smallest; for depth that is the end of the range and no
    measurement. Where depth measured nothing, it still does not (OURS).

    :param image: uint8 [H, W, 3] or float32 [H, W] metres.
    :param density: share of the pixels that are salt or pepper, half each.
    """
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(sigma)
    chance = rng.random(image.shape[:2], dtype=np.float32)
    salt, pepper = chance < density / 2, chance > 1 - density / 2
    if image.ndim == 3:
        noisy = image + noise * np.float32(255) * np.array(bundle.rgb_std, np.float32)
        noisy = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        noisy[salt], noisy[pepper] = 255, 0
        return noisy
    nearest, farthest = (np.float32(limit) for limit in bundle.depth_range)
    noisy = np.clip(image + noise * (farthest - nearest), nearest, farthest)
    noisy[salt], noisy[pepper] = farthest, 0
    return np.where(image > 0, noisy, np.float32(0))

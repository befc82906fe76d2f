"""Masks as pictures for people: class colours over the image, or alone."""

from __future__ import annotations

import cv2
import numpy as np

from crodino_core.labels import UNLABELLED, LabelSet
from crodino_core.modality import Modality
from crodino_core.runtime.segmenter import Segmentation


def draw_overlay(
    found: Segmentation, labels: LabelSet, opacity: float, longest_side: int | None = None
) -> np.ndarray:
    """Lay the class colours over the image the mask was made from.

    :param opacity: 0 shows the image, 1 the colours; pixels without a class show the image.
    :param longest_side: makes the picture smaller where it is larger, pixels.
    :return: RGB image, uint8 [H, W, 3].
    """
    image, mask = shrink(found.frame.image, longest_side), shrink(found.mask, longest_side)
    if found.frame.modality is Modality.DEPTH:
        image = _depth_picture(image)
    mixed = np.asarray(cv2.addWeighted(labels.colorize(mask), opacity, image, 1 - opacity, 0))
    unlabelled = mask == UNLABELLED
    if unlabelled.any():
        mixed[unlabelled] = image[unlabelled]
    return mixed


def shrink(image: np.ndarray, longest_side: int | None) -> np.ndarray:
    """Return an image or a mask with its longest side at most so long (nearest neighbour)."""
    longest = max(image.shape[:2])
    if longest_side is None or longest <= longest_side:
        return image
    height, width = (max(1, round(side * longest_side / longest)) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST))


def _depth_picture(depth: np.ndarray) -> np.ndarray:
    """Show depth as grey values, near is bright, invalid is black."""
    valid = np.isfinite(depth) & (depth > 0)
    if not valid.any():
        return np.zeros((*depth.shape, 3), np.uint8)
    nearest, farthest = np.percentile(depth[valid][::16], (2, 98))
    per_metre = 223 / max(float(farthest - nearest), 1e-6)
    behind = np.clip(np.where(valid, depth, farthest), nearest, farthest) - farthest
    grey = cv2.convertScaleAbs(behind, alpha=-per_metre, beta=32)
    grey[~valid] = 0
    return np.asarray(cv2.merge([grey] * 3))

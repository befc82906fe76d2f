"""Whether two images of one frame lie on each other, told from their outlines."""

from __future__ import annotations

import cv2
import numpy as np

MISALIGNED_PX = 2
"""Outlines of one thing in two aligned images differ by less, being drawn on either side."""
SEARCHED_PX = 16
CLEARLY_BETTER = 1.1


class Offset:
    """Where the outlines of two images lie on each other best, over many frames."""

    def __init__(self) -> None:
        self.agreement = np.zeros((2 * SEARCHED_PX + 1,) * 2)

    def add(self, fixed: np.ndarray, moved: np.ndarray) -> None:
        """Take two outline images, float32 [H, W]."""
        if min(fixed.shape) <= 4 * SEARCHED_PX or not fixed.any() or not moved.any():
            return
        inner = np.s_[SEARCHED_PX:-SEARCHED_PX, SEARCHED_PX:-SEARCHED_PX]
        template = fixed[inner] - fixed[inner].mean()
        self.agreement += cv2.matchTemplate(moved, template, cv2.TM_CCORR) / moved.sum()

    def best(self) -> tuple[int, int] | None:
        """Return the shift (x, y) that is clearly better than none, else None."""
        at_rest = self.agreement[SEARCHED_PX, SEARCHED_PX]
        y, x = np.unravel_index(self.agreement.argmax(), self.agreement.shape)
        shift = int(x) - SEARCHED_PX, int(y) - SEARCHED_PX
        if max(map(abs, shift)) <= MISALIGNED_PX:
            return None
        return shift if self.agreement[y, x] > CLEARLY_BETTER * max(at_rest, 0) else None


def label_outlines(label: np.ndarray) -> np.ndarray:
    """Pixels between two classes, float32 [H, W], 0 or 1."""
    kernel = np.ones((3, 3), np.uint8)
    return (cv2.dilate(label, kernel) != cv2.erode(label, kernel)).astype(np.float32)


def depth_edges(depth: np.ndarray) -> np.ndarray:
    """Pixels where depth jumps by a tenth, float32 [H, W], 0 or 1; holes are no jumps."""
    kernel = np.ones((3, 3), np.uint8)
    farthest = cv2.dilate(depth, kernel)
    nearest = cv2.erode(np.where(depth > 0, depth, np.float32(np.inf)), kernel)
    return (farthest / 1.1 > nearest).astype(np.float32)


def colour_edges(rgb: np.ndarray) -> np.ndarray:
    """Pixels where colour changes, float32 [H, W], 0 or 1."""
    return (cv2.Canny(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), 60, 150) > 0).astype(np.float32)

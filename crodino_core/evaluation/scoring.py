"""Pairs masks with the ground truth of their instant."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Generic, TypeVar

import cv2
import numpy as np

_WAITING_MASKS = 64
_KEPT_LABELS = 8
_UNKNOWN_PERIOD_NS = 100_000_000

Truth = TypeVar('Truth')
"""What a mask is compared with: a label, or the clean run's choice for that instant."""


@dataclass(frozen=True)
class _Waiting(Generic[Truth]):
    stamp_ns: int
    done: Callable[[Truth], None]


class InstantPairing(Generic[Truth]):
    """Pairs each mask with the truth of its instant, which usually arrives after the mask.

    A mask's truth is the one whose stamp is nearest to the stamp of the mask's frame, if it is
    no farther than half a period: that of the masks or of the truths, whichever is shorter (their
    medians). So where only every tenth frame is labelled, only every tenth mask is scored. A mask
    is held until a truth at or after its stamp is there, at most 64 masks.

    :param kept: how many of the newest truths are kept.
    """

    def __init__(self, kept: int = _KEPT_LABELS) -> None:
        self._truths: deque[tuple[int, Truth]] = deque(maxlen=kept)
        self._mask_stamps: deque[int] = deque(maxlen=_KEPT_LABELS)
        self._waiting: deque[_Waiting[Truth]] = deque()

    def wait_for(self, stamp_ns: int, done: Callable[[Truth], None]) -> None:
        """Hold a mask, which `done` knows; it is called with the mask's truth if one is found."""
        self._mask_stamps.append(stamp_ns)
        self._waiting.append(_Waiting(stamp_ns, done))
        self._settle(force=len(self._waiting) > _WAITING_MASKS)

    def add(self, stamp_ns: int, truth: Truth) -> None:
        """Take a truth."""
        self._truths.append((stamp_ns, truth))
        self._settle()

    def finish(self) -> None:
        """Settle the masks still held: no label comes any more."""
        while self._waiting:
            self._settle(force=True)

    def _settle(self, force: bool = False) -> None:
        newest = self._truths[-1][0] if self._truths else None
        while self._waiting:
            waiting = self._waiting[0]
            if not force and (newest is None or newest < waiting.stamp_ns):
                return
            force = False
            self._waiting.popleft()
            truth = self._nearest(waiting.stamp_ns)
            if truth is not None:
                waiting.done(truth)

    def _nearest(self, stamp_ns: int) -> Truth | None:
        if not self._truths:
            return None
        stamp, truth = min(self._truths, key=lambda entry: abs(entry[0] - stamp_ns))
        return truth if abs(stamp - stamp_ns) <= self._half_period_ns() else None

    def _half_period_ns(self) -> float:
        truth_stamps = [stamp for stamp, _ in self._truths]
        periods = [
            median(after - before for before, after in pairwise(stamps))
            for stamps in (truth_stamps, self._mask_stamps)
            if len(stamps) > 1
        ]
        return min(periods, default=_UNKNOWN_PERIOD_NS) / 2


class LabelPairing(InstantPairing[np.ndarray]):
    """Pairs each mask with the ground truth label of its instant."""

    def add_mask(
        self, stamp_ns: int, mask: np.ndarray, done: Callable[[np.ndarray, np.ndarray], None]
    ) -> None:
        """Hold a mask (uint8 [H, W]); `done(label, mask)` is called if a label is found.

        Both arrays then have the label's size: a mask of another size is stretched to it
        (nearest neighbour).
        """
        self.wait_for(stamp_ns, lambda label: done(label, fit(mask, label.shape[:2])))

    def add_label(self, stamp_ns: int, label: np.ndarray) -> None:
        """Take a label, uint8 [H, W]."""
        self.add(stamp_ns, label)


def fit(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a mask stretched to a height and width (nearest neighbour), uint8 [H, W]."""
    if mask.shape == size:
        return mask
    stretched = cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    return np.asarray(stretched)

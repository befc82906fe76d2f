"""One decoded image of one sensor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crodino_core.modality import Modality


@dataclass(frozen=True)
class Frame:
    """One image of one sensor as it reached us.

    `image` is uint8 [H, W, 3] in RGB order, or float32 [H, W] in metres (REP-118) where 0, NaN
    and +-Inf are invalid (REP-117).
    """

    modality: Modality
    image: np.ndarray
    stamp_ns: int
    """Header stamp, nanoseconds, passed on untouched."""
    arrival: float
    """When it reached us, seconds of the caller's monotonic clock."""
    frame_id: str = ''

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]

    @cached_property
    def payload_hash(self) -> int:
        """Hash of the pixels: equal for equal payloads."""
        return hash(np.ascontiguousarray(self.image).tobytes())

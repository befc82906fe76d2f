"""What an inference engine is to the rest of the runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

LOGITS = 'logits'
"""Name of the graph's tensor before upsampling, float32 [1, K, h, w]."""
OUTPUTS = ('mask', 'confidence')
"""Names of the graph's outputs, both uint8 [1, H, W]."""


@dataclass(frozen=True)
class Prediction:
    """What a network says of one image."""

    mask: np.ndarray
    """Class of each pixel, uint8 [H, W]."""
    confidence: np.ndarray
    """Probability of that class, uint8 [H, W], 255 = certain."""
    logits: np.ndarray | None = None
    """float32 [K, h, w] at the network's resolution; only from an engine loaded with them."""


class Engine(Protocol):
    """One network, ready to run; an engine serves one caller at a time."""

    @property
    def name(self) -> str:
        """'tensorrt', 'openvino', 'onnxruntime', 'onnxruntime-gpu' or 'torch'."""

    @property
    def device(self) -> str:
        """Where it runs, for the report, e.g. 'CPU (2 threads)'."""

    @property
    def version(self) -> str:
        """Version of the library."""

    def prepare(self, size: tuple[int, int]) -> None:
        """Do now what the first image of this height and width would have to wait for."""

    def infer(self, image: np.ndarray) -> Prediction:
        """Segment one image: uint8 [H, W, 3] RGB or float32 [H, W] metres, of any size."""


def to_batch(image: np.ndarray) -> np.ndarray:
    """Give an image the graph's shape, [1, H, W, 3] or [1, H, W, 1].

    It is copied only where the libraries cannot share it: read-only or not contiguous.
    """
    batch = np.require(image, requirements=['C', 'W'])[np.newaxis]
    return batch if image.ndim == 3 else batch[..., np.newaxis]

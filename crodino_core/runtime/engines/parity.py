"""Whether an engine's masks are those of the ONNX file it was built from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from crodino_core.errors import CrodinoError
from crodino_core.modality import Modality
from crodino_core.resources import share_directory

REQUIRED_AGREEMENT = 0.995
"""Share of pixels with the same class. fp16 and TF32 round, so a few pixels at the borders between
classes differ."""
REPORTED_ONLY = ('int8',)
"""Precisions whose loss is measured (mIoU) and accepted when the file is exported."""

Segment = Callable[[np.ndarray], np.ndarray]
"""Image, uint8 [H, W, 3] or float32 [H, W], to mask, uint8 [H, W]."""


def sample_images(modality: Modality, size: tuple[int, int]) -> list[np.ndarray]:
    """Return the frames that ship with the package, stretched to a height and width.

    :return: uint8 [H, W, 3] RGB or float32 [H, W] metres with 0 for invalid.
    :raises CrodinoError: they are missing.
    """
    folder = share_directory() / 'samples' / 'frames'
    flags = cv2.IMREAD_COLOR if modality is Modality.RGB else cv2.IMREAD_UNCHANGED
    paths = sorted(folder.glob(f'*_{modality}.*'))
    images = [
        image for image in (cv2.imread(str(path), flags) for path in paths) if image is not None
    ]
    if not images:
        raise CrodinoError(f'{folder} has no {modality} frames to check an engine with')
    if modality is Modality.RGB:
        return [cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), size[::-1]) for image in images]
    # Nearest: a mean of two depths across an edge is no surface, and one with 0 is wrong.
    return [
        cv2.resize(image, size[::-1], interpolation=cv2.INTER_NEAREST).astype(np.float32) * 1e-3
        for image in images
    ]


def agreement(images: Sequence[np.ndarray], segment: Segment, reference: Segment) -> float:
    """Share of pixels to which two engines give the same class."""
    equal = [float(np.mean(segment(image) == reference(image))) for image in images]
    return float(np.mean(equal))


def why_rejected(share: float, precision: str) -> str:
    """Say why an engine is not to be used; empty if it may."""
    if precision in REPORTED_ONLY or share >= REQUIRED_AGREEMENT:
        return ''
    return (
        f'its masks agree with those of the ONNX file on the CPU on {share:.2%} of the pixels; '
        f'{REQUIRED_AGREEMENT:.1%} were expected'
    )


def cpu_reference(path: Path) -> Segment:
    """Run the ONNX file in float32 on the CPU.

    :raises CrodinoError: there is no engine that could.
    """
    reasons = []
    try:
        from crodino_core.runtime.engines.openvino_engine import OpenVinoEngine

        engine = OpenVinoEngine(path, exact=True)
        return lambda image: engine.infer(image).mask
    except ImportError as error:
        reasons.append(str(error))
    try:
        from crodino_core.runtime.engines.onnxruntime_engine import CPU, OnnxRuntimeEngine

        session = OnnxRuntimeEngine(path, providers=(CPU,))
        return lambda image: session.infer(image).mask
    except ImportError as error:
        reasons.append(str(error))
    raise CrodinoError(
        f'nothing to check the engine against ({"; ".join(reasons)}); '
        'install OpenVINO or ONNX Runtime: pip install openvino'
    )

"""What each fault costs: milliseconds per frame."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from crodino_core.evaluation.faults import FAULTS
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame


def measure_costs(
    size: tuple[int, int] = (512, 512),
    severity: int = 3,
    repeats: int = 20,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[tuple[str, Modality], float]:
    """Return the milliseconds that each fault takes for a frame, by kind and sensor.

    It is the least of `repeats` frames, on one thread of OpenCV, without the first frame, for
    which a fault draws its random pattern.

    :param size: height and width of the frames.
    """
    frames = {modality: _frame(modality, size) for modality in Modality}
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    costs = {}
    try:
        for name, kind in FAULTS.items():
            for modality in sorted(kind.sensors):
                push = kind.start(None, {'severity': severity}, frames.get)
                push(frames[modality])
                taken = []
                for _ in range(repeats):
                    began = clock()
                    push(frames[modality])
                    taken.append(clock() - began)
                costs[name, modality] = 1e3 * min(taken)
    finally:
        cv2.setNumThreads(threads)
    return costs


def _frame(modality: Modality, size: tuple[int, int]) -> Frame:
    """Return a smooth random picture, or random surfaces 0.5 to 6 m away with invalid rows."""
    rng = np.random.default_rng(0)
    if modality is Modality.RGB:
        coarse = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
    else:
        coarse = rng.uniform(0.5, 6, (16, 16)).astype(np.float32)
    image = np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_LINEAR))
    if modality is Modality.DEPTH:
        image[: size[0] // 20] = 0
    return Frame(modality, image, 10**18, 0.0)

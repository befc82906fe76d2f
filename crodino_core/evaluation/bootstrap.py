"""How far the mIoU of a replay can be trusted: confidence intervals by block bootstrap.

The frames of a recording resemble their neighbours, so drawing single frames would promise far
too much. The moving block bootstrap draws runs of successive frames instead.

Source: H. R. Künsch, "The Jackknife and the Bootstrap for General Stationary Observations",
Annals of Statistics 17(3), 1989; the order n^(1/3) of the block length: Hall, Horowitz and Jing,
"On blocking rules for the bootstrap with dependent data", Biometrika 82(3), 1995.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 1000
MINIMUM_FRAMES = 8
"""With fewer frames no interval is given."""
_CHUNK_BYTES = 1 << 24


def tally(confusion: np.ndarray) -> np.ndarray:
    """Return what the IoU of a frame needs: for each class its pixels hit, true and predicted.

    :param confusion: int64 [K, K + 1], see `iou.confusion_matrix`.
    :return: uint32 [3, K]; 12 bytes for a class, so that every frame's can be kept.
    """
    hits = np.diagonal(confusion)
    predicted = confusion[:, : len(confusion)].sum(axis=0)
    return np.stack([hits, confusion.sum(axis=1), predicted]).astype(np.uint32)


def miou_interval(
    tallies: Sequence[np.ndarray],
    rate: float = 0.0,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return a confidence interval of the mIoU of all frames together, percent.

    Blocks of `block_length` successive frames are drawn with replacement until there are as many
    frames as there were; the interval lies between the quantiles of the mIoU of `resamples` such
    draws. It is widened to the mIoU itself where that lies outside (a rare class is in few
    draws, and frames at both ends are in few blocks).

    :param tallies: `tally` of each frame, in the order of time.
    :param rate: frames per second, 0 if unknown.
    :param seed: same seed, same interval.
    :return: low and high; None for fewer than 8 frames, or when no pixel was counted.
    """
    count = len(tallies)
    if count < MINIMUM_FRAMES:
        return None
    frames = np.stack(tallies).astype(np.int64)
    estimate = float(_miou(frames.sum(axis=0)))
    if np.isnan(estimate):
        return None
    drawn = _draw(frames, block_length(count, rate), resamples, np.random.default_rng(seed))
    outside = (1 - confidence) / 2
    low, high = np.nanquantile(drawn, (outside, 1 - outside))
    return min(float(low), estimate), max(float(high), estimate)


def block_length(count: int, rate: float = 0.0) -> int:
    """Return how many successive frames make a block: n^(1/3), at least those of one second.

    What a robot sees in one second is hardly two independent pictures. At least four blocks fit
    into the frames.
    """
    wanted = max(int(np.ceil(count ** (1 / 3))), round(rate))
    return max(1, min(wanted, count // 4))


def _draw(frames: np.ndarray, length: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Return the mIoU of each resample, float64 [resamples].

    :param frames: int64 [n, 3, K].
    """
    count = len(frames)
    sums = np.concatenate([np.zeros_like(frames[:1]), frames.cumsum(axis=0)])
    blocks = sums[length:] - sums[:-length]  # every run of `length` frames, [n - length + 1, 3, K]
    needed = -(-count // length)
    starts = rng.integers(0, len(blocks), (resamples, needed))
    step = max(1, _CHUNK_BYTES // (needed * blocks[0].nbytes))
    chunks = (starts[at : at + step] for at in range(0, resamples, step))
    return np.concatenate([_miou(blocks[chunk].sum(axis=1)) for chunk in chunks])


def _miou(tallies: np.ndarray) -> np.ndarray:
    """Return the mIoU in percent, [...], of tallies [..., 3, K]; NaN without any pixel.

    As in `iou.miou_of`, it is the mean over the classes that occur.
    """
    hits, true, predicted = (tallies[..., row, :] for row in range(3))
    union = true + predicted - hits
    occurs = union > 0
    iou = np.divide(hits, union, out=np.zeros(union.shape), where=occurs)
    with np.errstate(invalid='ignore'):
        return np.asarray(iou.sum(axis=-1) / occurs.sum(axis=-1) * 100)

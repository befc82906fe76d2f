"""What a split of a data set holds, counted frame by frame."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from crodino_core.labels import UNLABELLED
from crodino_core.learning.data.alignment import (
    Offset,
    colour_edges,
    depth_edges,
    label_outlines,
)
from crodino_core.rgbd_folder import RgbdSample

BINS_PER_METRE = 20
DEPTH_BINS = 1311 * BINS_PER_METRE
"""uint16 steps of 2 cm, the coarsest scale in use, end at 1310.7 m."""
PLAUSIBLE_M = (0.15, 100)
"""Median depth of a split: millimetres read as metres, or the reverse, are far outside."""


@dataclass(frozen=True)
class SplitFacts:
    """What the readable frames of a split hold."""

    frames: int
    sizes: dict[str, int]
    """Frames by `HEIGHTxWIDTH`."""
    labelled: float
    """Share of the pixels that have a class, percent."""
    class_shares: dict[str, float]
    """Share of the labelled pixels by class, percent."""
    class_frames: dict[str, int]
    """Frames in which a class occurs."""
    depth_m: dict[str, float]
    """`p1`, `median`, `p99` and `max` of the valid depth, metres (to 5 cm); empty without any."""
    holes: float
    """Share of the pixels without depth, percent."""


class SplitTally:
    """Running sums over the frames of a split."""

    def __init__(self, classes: int) -> None:
        self.sizes: Counter[str] = Counter()
        self.pixels = np.zeros(classes, np.int64)
        self.frames_with = np.zeros(classes, np.int64)
        self.depth = np.zeros(DEPTH_BINS, np.int64)
        self.all_pixels = self.holes = 0
        self.void_frames: list[str] = []
        self.blind_frames: list[str] = []
        self.offsets = {'depth': Offset(), 'colour': Offset()}

    def add(self, sample: RgbdSample) -> None:
        """Count one frame."""
        height, width = sample.label.shape
        self.sizes[f'{height}x{width}'] += 1
        counts = np.bincount(sample.label.ravel(), minlength=UNLABELLED + 1)[: len(self.pixels)]
        self.pixels += counts
        self.frames_with += counts > 0
        self.all_pixels += sample.label.size
        valid = sample.depth[sample.depth > 0]
        self.holes += sample.depth.size - valid.size
        bins = np.minimum(valid * BINS_PER_METRE, DEPTH_BINS - 1).astype(np.int64)
        self.depth += np.bincount(bins, minlength=DEPTH_BINS)
        if not counts.any():
            self.void_frames.append(sample.name)
        if not valid.size:
            self.blind_frames.append(sample.name)
        outlines = label_outlines(sample.label)
        self.offsets['depth'].add(outlines, depth_edges(sample.depth))
        self.offsets['colour'].add(outlines, colour_edges(sample.rgb))

    @property
    def labelled(self) -> bool:
        """Whether a pixel of the frames so far has a class."""
        return bool(self.pixels.any())

    def facts(self, names: tuple[str, ...]) -> SplitFacts:
        """Return what the frames so far hold; `names` are those of the classes."""
        labelled = int(self.pixels.sum())
        return SplitFacts(
            frames=sum(self.sizes.values()),
            sizes=dict(self.sizes),
            labelled=_percent(labelled, self.all_pixels),
            class_shares={
                name: _percent(int(count), labelled)
                for name, count in zip(names, self.pixels, strict=True)
            },
            class_frames=dict(zip(names, map(int, self.frames_with), strict=True)),
            depth_m=self._depth_facts(),
            holes=_percent(self.holes, self.all_pixels),
        )

    def _depth_facts(self) -> dict[str, float]:
        if not self.depth.any():
            return {}
        cumulated = np.cumsum(self.depth) / self.depth.sum()
        shares = {'p1': 0.01, 'median': 0.5, 'p99': 0.99, 'max': 1.0}
        return {
            name: (int(np.searchsorted(cumulated, share - 1e-12)) + 1) / BINS_PER_METRE
            for name, share in shares.items()
        }

    def doubts(self) -> list[str]:
        """Return what looks wrong with the frames so far, one line each."""
        found = []
        if not self.sizes:
            return ['no frame is readable']
        for frames, what in ((self.void_frames, 'labelled pixel'), (self.blind_frames, 'depth')):
            if 0 < len(frames) < sum(self.sizes.values()):
                found.append(f'{len(frames)} frames have no {what} at all (first: {frames[0]})')
        depth = self._depth_facts()
        if not depth:
            found.append('no pixel has a depth')
        elif not PLAUSIBLE_M[0] <= depth['median'] <= PLAUSIBLE_M[1]:
            found.append(
                f'the median depth is {depth["median"]} m; look at scale_to_metres in camera.yaml'
            )
        if len(self.sizes) > 1:
            found.append(f'the frames have {len(self.sizes)} sizes: {", ".join(self.sizes)}')
        for other, offset in self.offsets.items():
            shift = offset.best()
            if shift is not None:
                found.append(
                    f'the labels fit the {other} images best when moved by {shift[0]:+d} pixels '
                    f'across and {shift[1]:+d} down: the images seem not to be aligned'
                )
        return found


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 3) if whole else 0.0

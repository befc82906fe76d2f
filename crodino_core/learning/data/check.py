"""What is wrong with a data set, found before hours of training are spent on it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crodino_core.errors import CrodinoError
from crodino_core.labels import UNLABELLED
from crodino_core.learning.data.alignment import (
    Offset,
    colour_edges,
    depth_edges,
    label_outlines,
)
from crodino_core.progress import progress_bar
from crodino_core.rgbd_folder import RgbdFolder, RgbdSample

DEPTH_BINS = np.arange(0, 65.6, 0.05)
"""Metres; uint16 millimetres end at 65.535."""


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


@dataclass(frozen=True)
class DataReport:
    """What a data set holds, what cannot be used, and what looks wrong."""

    path: str
    classes: list[str]
    splits: dict[str, SplitFacts]
    errors: list[str] = field(default_factory=list)
    """Frames and files on which training would stop."""
    warnings: list[str] = field(default_factory=list)
    """What training would survive, but perhaps not well."""

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON."""
        return dataclasses.asdict(self)


def check_data(folder: RgbdFolder) -> DataReport:
    """Read every frame of every split once; one frame is in memory at a time.

    Errors: images that are missing, damaged, of different sizes or types, labels outside the
    classes. Warnings: a split without labelled pixels or depth, classes that never occur or
    only outside `train`, frames in two splits, labels or depth that are shifted against colour,
    depth of an implausible unit.
    """
    report = DataReport(str(folder.path), list(folder.labels.names), {})
    with progress_bar() as bar:
        for split, names in folder.splits.items():
            tally = _Tally(len(folder.labels))
            for name in bar.track(names, description=f'checking {split}'):
                try:
                    tally.add(folder.read(name))
                except CrodinoError as error:
                    report.errors.append(f'{split}: {error}')
            report.splits[split] = tally.facts(folder.labels.names)
            report.warnings.extend(f'{split}: {text}' for text in tally.doubts())
    report.warnings.extend(_across_splits(folder, report.splits))
    return report


class _Tally:
    """Running sums over the frames of a split."""

    def __init__(self, classes: int) -> None:
        self.sizes: Counter[str] = Counter()
        self.pixels = np.zeros(classes, np.int64)
        self.frames_with = np.zeros(classes, np.int64)
        self.depth = np.zeros(len(DEPTH_BINS) - 1, np.int64)
        self.all_pixels = self.holes = 0
        self.offsets = {'depth': Offset(), 'colour': Offset()}

    def add(self, sample: RgbdSample) -> None:
        height, width = sample.label.shape
        self.sizes[f'{height}x{width}'] += 1
        counts = np.bincount(sample.label.ravel(), minlength=UNLABELLED + 1)[: len(self.pixels)]
        self.pixels += counts
        self.frames_with += counts > 0
        self.all_pixels += sample.label.size
        valid = sample.depth[sample.depth > 0]
        self.holes += sample.depth.size - valid.size
        self.depth += np.histogram(valid, DEPTH_BINS)[0]
        outlines = label_outlines(sample.label)
        self.offsets['depth'].add(outlines, depth_edges(sample.depth))
        self.offsets['colour'].add(outlines, colour_edges(sample.rgb))

    def facts(self, names: tuple[str, ...]) -> SplitFacts:
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
            name: round(float(DEPTH_BINS[np.searchsorted(cumulated, share - 1e-12) + 1]), 2)
            for name, share in shares.items()
        }

    def doubts(self) -> list[str]:
        found = []
        if not self.sizes:
            return ['no frame is readable']
        if not self.pixels.any():
            found.append(f'no pixel has a class; every label is {UNLABELLED}')
        depth = self._depth_facts()
        if not depth:
            found.append('no pixel has a depth')
        elif depth['median'] < 0.15 or depth['median'] > 40:
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


def _across_splits(folder: RgbdFolder, splits: dict[str, SplitFacts]) -> list[str]:
    found = []
    counts = Counter(name for names in folder.splits.values() for name in set(names))
    shared = sorted(name for name, count in counts.items() if count > 1)
    if shared:
        found.append(
            f'{len(shared)} frames are in more than one split (first: {shared[0]}): scores on '
            'frames that were trained on say little'
        )
    training = splits.get('train')
    for name in folder.labels.names:
        elsewhere = [split for split, facts in splits.items() if facts.class_frames[name]]
        if not elsewhere:
            found.append(f'the class {name} occurs in no frame')
        elif training and 'train' not in elsewhere:
            found.append(f'the class {name} occurs in {", ".join(elsewhere)} but not in train')
    return found


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 3) if whole else 0.0

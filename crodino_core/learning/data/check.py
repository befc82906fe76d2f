"""What is wrong with a data set, found before hours of training are spent on it."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_core.labels import UNLABELLED
from crodino_core.learning.data.split_facts import SplitFacts, SplitTally
from crodino_core.progress import progress_bar
from crodino_core.rgbd_folder import RgbdFolder

FEWEST_CLASSES = 2


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
    classes, a split without any labelled pixel, fewer than two classes. Warnings: a split that
    lists no frame, a split or frames without depth, frames without labelled pixels, classes that
    never occur or only outside `train`, frames listed twice, images without their pair, labels or
    depth that are shifted against colour, depth of an implausible unit.
    """
    report = DataReport(str(folder.path), list(folder.labels.names), {})
    if len(folder.labels) < FEWEST_CLASSES:
        report.errors.append(too_few_classes(folder))
    with progress_bar() as bar:
        for split, names in folder.splits.items():
            tally = SplitTally(len(folder.labels))
            for name in bar.track(names, description=f'checking {split}'):
                try:
                    tally.add(folder.read(name))
                except CrodinoError as error:
                    report.errors.append(f'{split}: {error}')
            if tally.sizes and not tally.labelled:
                report.errors.append(unlabelled_split(folder, split))
            report.splits[split] = tally.facts(folder.labels.names)
            doubts = tally.doubts() if names else ['the split lists no frame']
            report.warnings.extend(f'{split}: {text}' for text in doubts)
    report.warnings.extend(_across_splits(folder, report.splits))
    report.warnings.extend(_without_pair(folder))
    return report


def unlabelled_split(folder: RgbdFolder, split: str) -> str:
    """Return what is said of a split without labelled pixels, here and where training starts."""
    return (
        f'{folder.path} has no labelled pixel in split {split!r}: every label is {UNLABELLED}; '
        'look into its label folders'
    )


def too_few_classes(folder: RgbdFolder) -> str:
    """Return what is said of a data set with one class, here and where training starts."""
    return (
        f'{folder.path} has one class ({folder.labels.names[0]}): there is nothing to tell apart; '
        f'{FEWEST_CLASSES} or more were expected in classes.yaml'
    )


def _across_splits(folder: RgbdFolder, splits: dict[str, SplitFacts]) -> list[str]:
    found = []
    counts = Counter(name for names in folder.splits.values() for name in set(names))
    shared = sorted(name for name, count in counts.items() if count > 1)
    if shared:
        found.append(
            f'{len(shared)} frames are in more than one split (first: {shared[0]}): scores on '
            'frames that were trained on say little'
        )
    for split, names in folder.splits.items():
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            found.append(f'{split} lists {len(twice)} frames more than once (first: {twice[0]})')
    training = splits.get('train')
    for name in folder.labels.names:
        elsewhere = [split for split, facts in splits.items() if facts.class_frames[name]]
        if not elsewhere:
            found.append(f'the class {name} occurs in no frame')
        elif training and 'train' not in elsewhere:
            found.append(f'the class {name} occurs in {", ".join(elsewhere)} but not in train')
    return found


def _without_pair(folder: RgbdFolder) -> list[str]:
    """Find images on disk whose frame lacks one of the other two: no split can list them."""
    found = []
    for color in sorted(folder.path.rglob('color')):
        frames = {
            kind: {path.stem for path in (color.parent / kind).glob('*.*')}
            for kind in ('color', 'depth', 'label')
        }
        for kind, other in itertools.permutations(frames, 2):
            alone = sorted(frames[kind] - frames[other])
            if alone:
                found.append(
                    f'{color.parent}: {len(alone)} {kind} images have no {other} image '
                    f'(first: {alone[0]})'
                )
    return found

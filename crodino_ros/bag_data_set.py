"""A bag with a label topic as a data set in the folder format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.evaluation.recording import RecordedFrame, RecordedItem, RecordedLabel
from crodino_core.labels import UNLABELLED, LabelSet
from crodino_core.learning.data.folder_writer import (
    RgbdFolderWriter,
    WrittenFolder,
    distinct_colors,
)
from crodino_core.learning.data.stamp_pairing import Trio, pair_by_stamp
from crodino_core.progress import progress_bar
from crodino_ros.bags import BagRecording

_SPLIT = re.compile(r'[\w.-]+')

Images = dict[str, np.ndarray]
"""By role: rgb uint8 [H, W, 3], depth float32 [H, W] metres, label uint8 [H, W]."""


def data_set_from_bag(
    bag: Path,
    dest: Path,
    topics: Mapping[str, str] | None = None,
    every: int = 1,
    split: str = 'train',
    labels: LabelSet | None = None,
) -> WrittenFolder:
    """Write the labelled frames of a bag; only the images of a few instants are in memory.

    :param topics: topics by role where the defaults do not fit.
    :param every: take one labelled frame of so many.
    :param split: the split that all frames go to; frames of one drive in two splits would make
        the scores of the second say little.
    :param labels: the classes; without them they are numbered up to the largest one in the bag.
    :raises UsageError: `every` is below 1, or the split has no proper name.
    :raises CrodinoError: the bag has no label topic, nothing of it fits together, or a label has
        a value outside the classes.
    """
    if every < 1:
        raise UsageError(f'every is {every}; 1 or more was expected')
    if not _SPLIT.fullmatch(split):
        raise UsageError(
            f'the split is {split!r}; a name of letters, digits, ".", "_" and "-" was expected, '
            'as train, val or test'
        )
    recording = BagRecording(bag, topics)
    if not recording.labelled:
        cause = '; '.join(
            [
                f'{bag} has no labels',
                *recording.warnings,
                'name the topic with class indices (mono8) with --topics label=/...',
            ]
        )
        raise CrodinoError(cause)
    stamps, largest = _survey(recording)
    trios, left = pair_by_stamp(stamps)
    labels = labels or _numbered(largest)
    if largest >= len(labels):
        raise CrodinoError(
            f'the labels on {recording.topics["label"]} of {bag} have the value {largest}; 0 to '
            f'{len(labels) - 1} or {UNLABELLED} was expected with these classes'
        )
    kept = trios[::every]
    with RgbdFolderWriter(dest, labels, f'bag {recording.name}') as writer, progress_bar() as bar:
        for reason, count in (left + Counter(recording.warnings)).items():
            writer.leave(reason, count)
        writer.leave('labelled frames by --every', len(trios) - len(kept))
        frames = bar.track(_images(recording, kept), total=len(kept), description='writing frames')
        for number, images in enumerate(frames):
            sizes = {image.shape[:2] for image in images.values()}
            if len(sizes) > 1:
                writer.leave('frames whose images have different sizes')
                continue
            writer.add(split, f'{recording.name}/{number:06d}', **images)
    return writer.written


def _survey(recording: BagRecording) -> tuple[dict[str, list[int]], int]:
    """Return the stamps of all readable images by role, and the largest class index."""
    stamps: dict[str, list[int]] = {'rgb': [], 'depth': [], 'label': []}
    largest = 0
    with progress_bar() as bar:
        total = sum(recording.counts.values())
        for item in bar.track(recording, total=total, description='reading stamps'):
            named = _named(item)
            if named is None:
                continue
            role, stamp, image = named
            stamps[role].append(stamp)
            if role == 'label':
                classes = image[image != UNLABELLED]
                largest = max(largest, int(classes.max(initial=0)))
    return stamps, largest


def _images(recording: BagRecording, trios: list[Trio]) -> Iterator[Images]:
    """Yield the images of each trio in the order in which they are complete."""
    wanted = {
        (role, getattr(trio, role)): index
        for index, trio in enumerate(trios)
        for role in ('rgb', 'depth', 'label')
    }
    open_trios: dict[int, Images] = {}
    for item in recording:
        named = _named(item)
        # pop: a stamp that comes again is another image.
        index = None if named is None else wanted.pop(named[:2], None)
        if named is None or index is None:
            continue
        images = open_trios.setdefault(index, {})
        images[named[0]] = named[2]
        if len(images) == 3:
            yield open_trios.pop(index)


def _named(item: RecordedItem) -> tuple[str, int, np.ndarray] | None:
    """Role, stamp and image of an item; None for a damaged message."""
    if isinstance(item, RecordedLabel):
        return 'label', item.stamp_ns, item.label
    if isinstance(item, RecordedFrame):
        return str(item.frame.modality), item.frame.stamp_ns, item.frame.image
    return None


def _numbered(largest: int) -> LabelSet:
    return LabelSet(
        tuple(f'class_{index}' for index in range(largest + 1)), distinct_colors(largest + 1)
    )

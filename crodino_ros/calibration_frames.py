"""Frames that int8 networks are calibrated with, from a data set folder or a bag."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.evaluation.recording import RecordedFrame
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdFolder
from crodino_core.runtime.segmenter import sanitize_depth
from crodino_ros.bags import BagRecording

CALIBRATION_SPLIT = 'train'
Image = tuple[Modality, np.ndarray]


def is_data_set(source: Path) -> bool:
    """Whether it is a folder of images rather than a bag."""
    return (source / 'splits.json').is_file()


def calibration_frames(
    source: Path, bundle: ModelBundle, count: int
) -> dict[Modality, list[np.ndarray]]:
    """Read frames spread evenly over the training split of a data set, or over a bag.

    :param count: of each sensor, at most.
    :return: uint8 [H, W, 3] RGB and float32 [H, W] metres, as the networks get them.
    :raises CrodinoError: there are none of a sensor, or the source cannot be read.
    """
    if not source.exists():
        raise CrodinoError(f'{source} does not exist; a data set folder or a bag was expected')
    read = _of_folder if is_data_set(source) else _of_bag
    found: dict[Modality, list[np.ndarray]] = {m: [] for m in Modality}
    for modality, image in read(source, count):
        if modality is Modality.DEPTH:
            image = sanitize_depth(image, bundle.depth_range)
            if not image.any():
                continue
        found[modality].append(image)
    for modality, images in found.items():
        if not images:
            raise CrodinoError(
                f'{source} has no {modality} frames that can be segmented; int8 needs frames of '
                'both sensors to calibrate with'
            )
    return found


def _of_folder(source: Path, count: int) -> Iterator[Image]:
    folder = RgbdFolder(source)
    for name in _spread(folder.names(CALIBRATION_SPLIT), count):
        sample = folder.read(name)
        yield Modality.RGB, sample.rgb
        yield Modality.DEPTH, sample.depth


def _of_bag(source: Path, count: int) -> Iterator[Image]:
    recording = BagRecording(source)
    wanted = {m: set(_spread(range(recording.counts[str(m)]), count)) for m in Modality}
    seen = dict.fromkeys(Modality, 0)
    for item in recording:
        if isinstance(item, RecordedFrame):
            modality = item.frame.modality
            if seen[modality] in wanted[modality]:
                yield modality, item.frame.image
            seen[modality] += 1


def _spread(items: Iterable, count: int) -> list:
    """Take at most `count` of them, evenly."""
    everything = list(items)
    step = max(1, len(everything) / count)
    return [everything[int(index * step)] for index in range(min(count, len(everything)))]

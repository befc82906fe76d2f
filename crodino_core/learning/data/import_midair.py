"""Mid-Air (Fonder and Van Droogenbroeck, CVPRW 2019) into the folder format."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.labels import UNLABELLED, LabelSet
from crodino_core.learning.data.folder_writer import (
    RgbdFolderWriter,
    WrittenFolder,
    distinct_colors,
)
from crodino_core.progress import progress_bar

CLASS_IDS = {
    0: 'sky',
    1: 'animal',
    2: 'tree',
    3: 'dirt_ground',
    4: 'ground_vegetation',
    5: 'rocky_ground',
    6: 'boulder',
    8: 'water',
    9: 'construction',
    10: 'road',
    11: 'train_track',
    12: 'road_sign',
    13: 'other_object',
}
"""Names of the ids in `segmentation/*.PNG`; 7 is not used.

Not checked against the table on the data set's page; Co-SemDepth's grouping of the ids into nine
classes (`scripts/data_class_mapping.py`) agrees with them.
"""
LABELS = LabelSet(tuple(CLASS_IDS.values()), distinct_colors(len(CLASS_IDS)))
DEPTH_SCALE = 0.02
FAR_M = 1250.0
"""Where the data set's own viewer ends its range; the sky is as far, not a hole."""
LARGEST_ID = 13
_TRAJECTORY = re.compile('trajectory_[0-9]+')


def import_midair(source: Path, dest: Path, every: int = 4) -> WrittenFolder:
    """Convert the frames of all trajectories, one at a time.

    Splits (OURS; the contest's `*_test` sets are `test` as a whole): of the flights of a
    `*_training` set every third is `test`, as in M4Depth's split, every sixth `val`. Trajectory
    numbers that are equal modulo 1000 are taken for one flight in several weathers or seasons
    (read from the numbering, not confirmed): it is in one split in all of them.

    :param source: folder with `<set>/<weather>/{color_left,depth,segmentation}/trajectory_NNNN/`,
        extracted.
    :param every: take one frame of so many; the source has 25 per second.
    :raises CrodinoError: there is no frame, or an image is damaged or of another kind.
    """
    if every < 1:
        raise UsageError(f'every is {every}; 1 or more was expected')
    found = sorted(path for path in source.glob('*/*/color_left/*') if path.is_dir())
    trajectories = [path for path in found if _TRAJECTORY.fullmatch(path.name)]
    if not trajectories:
        raise CrodinoError(
            f'{source} has no folder <set>/<weather>/color_left/trajectory_NNNN; extract the '
            "archives of Mid-Air's left RGB, depth and semantic segmentation there"
        )
    # In each flight by its own count: the numbers of frames with all images may have holes.
    frames = [frame for folder in trajectories for frame in _frames(folder)[::every]]
    table = _class_table()
    with (
        RgbdFolderWriter(dest, LABELS, 'Mid-Air', DEPTH_SCALE) as writer,
        progress_bar() as bar,
    ):
        writer.leave('folders beside trajectory_NNNN', len(found) - len(trajectories))
        for color in bar.track(frames, description='converting Mid-Air'):
            depth, label = (
                color.parents[2] / kind / color.parent.name / f'{color.stem}.PNG'
                for kind in ('depth', 'segmentation')
            )
            if not (depth.is_file() and label.is_file()):
                writer.leave('colour images without depth or segmentation')
                continue
            sequence = '_'.join([*color.relative_to(source).parts[:2], color.parent.name])
            writer.add(
                _split(color),
                f'{sequence}/{color.stem}',
                color,
                _axial(_read_range(depth)),
                _read_label(label, table),
            )
    return writer.written


def _frames(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ('.jpeg', '.jpg'))


def _split(color: Path) -> str:
    if color.parents[3].name.endswith('_test'):
        return 'test'
    flight = int(color.parent.name.rpartition('_')[2]) % 1000
    return 'test' if flight % 3 == 0 else 'val' if flight % 6 == 1 else 'train'


def _read_range(path: Path) -> np.ndarray:
    """Return the distance along the ray, float32 [H, W], metres; the file holds float16 bits."""
    image = _read(path)
    if image.dtype != np.uint16 or image.ndim != 2:
        raise CrodinoError(
            f'{path} is {image.dtype} {list(image.shape)}; a PNG with one channel of uint16, the '
            'bits of a 16-bit float, was expected'
        )
    return image.view(np.float16).astype(np.float32)


def _axial(distance: np.ndarray) -> np.ndarray:
    """Turn distances from the camera into distances along its axis, float32 [H, W], metres.

    Mid-Air's depth is the Euclidean distance (its author in M4Depth's issue 6); the focal length
    is half the width (FAQ of Mid-Air).
    """
    height, width = distance.shape
    focal = width / 2
    y, x = np.ogrid[0.5 - height / 2 : height / 2, 0.5 - width / 2 : width / 2]
    depth = distance / np.sqrt(1 + (x**2 + y**2) / focal**2)
    return np.where(np.isnan(depth), 0, np.minimum(depth, FAR_M)).astype(np.float32)


def _class_table() -> np.ndarray:
    table = np.full(LARGEST_ID + 1, UNLABELLED, np.uint8)
    table[list(CLASS_IDS)] = range(len(CLASS_IDS))
    return table


def _read_label(path: Path, table: np.ndarray) -> np.ndarray:
    image = _read(path)
    if image.dtype != np.uint8 or image.ndim != 2 or image.max() > LARGEST_ID:
        raise CrodinoError(
            f'{path} is {image.dtype} {list(image.shape)} with values up to {image.max()}; a PNG '
            f'with one channel of uint8, class ids 0 to {LARGEST_ID}, was expected'
        )
    return table[image]


def _read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise CrodinoError(f'the image {path} cannot be decoded; extract or download it again')
    return image

"""NYUDepth v2 (Silberman et al., ECCV 2012) into the folder format.

The class maps are files the user brings, not tables of ours: `classMapping40.mat` (Gupta et al.,
CVPR 2013) takes the 894 labels to 40 classes, `class13Mapping.mat` (Couprie et al., ICLR 2013)
takes those to 13, `splits.mat` is the official split of 795 and 654 frames.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.labels import UNLABELLED, LabelSet
from crodino_core.learning.data.folder_writer import (
    RgbdFolderWriter,
    WrittenFolder,
    distinct_colors,
)
from crodino_core.progress import progress_bar

FRAMES_FILE, SPLITS_FILE = 'nyu_depth_v2_labeled.mat', 'splits.mat'
MAP_40_FILE, MAP_13_FILE = 'classMapping40.mat', 'class13Mapping.mat'


@dataclass(frozen=True)
class _Classes:
    labels: LabelSet
    table: np.ndarray
    """uint8 [895]: class index of each label of the file, 255 for 0 (unlabelled)."""


def import_nyudepth(
    source: Path, dest: Path, classes: int = 40, raw_depth: bool = False, val_share: float = 0.1
) -> WrittenFolder:
    """Convert the labelled frames, one at a time.

    :param source: folder with `nyu_depth_v2_labeled.mat`, `splits.mat`, `classMapping40.mat` and,
        for 13 classes, `class13Mapping.mat`.
    :param classes: 40 or 13.
    :param raw_depth: the sensor's own depth with its holes instead of the filled one.
    :param val_share: share of the official training scenes that becomes `val`: the official split
        has none, and the test split must not choose a checkpoint (OURS). 0 keeps all 795.
    :raises CrodinoError: a file is missing or is not what its name says.
    """
    if classes not in (40, 13):
        raise UsageError(f'{classes} classes were asked for; NYUDepth v2 has maps for 40 and 13')
    if not 0 <= val_share < 1:
        raise UsageError(f'the share of val is {val_share}; 0 to below 1 was expected')
    _require_readers()
    table = _read_classes(source, classes)
    depths = 'rawDepths' if raw_depth else 'depths'
    with _open_frames(source, depths) as frames:
        splits = _read_splits(source, len(frames['images']))
        split_of = dict.fromkeys(splits['train'], 'train') | dict.fromkeys(splits['test'], 'test')
        for number in _validation(frames, splits['train'], val_share):
            split_of[number] = 'val'
        origin = f'NYUDepth v2, {classes} classes, {depths}'
        with RgbdFolderWriter(dest, table.labels, origin) as writer, progress_bar() as bar:
            for number in bar.track(sorted(split_of), description='converting NYUDepth v2'):
                # MATLAB writes columns first: [W, H] in the file is [H, W] there.
                writer.add(
                    split_of[number],
                    f'nyu/{number:04d}',
                    np.ascontiguousarray(frames['images'][number - 1].transpose(2, 1, 0)),
                    frames[depths][number - 1].T,
                    _to_classes(frames['labels'][number - 1].T, table, number),
                )
            writer.leave('in neither split', len(frames['images']) - len(split_of))
    return writer.written


def _require_readers() -> None:
    missing = [name for name in ('h5py', 'scipy') if importlib.util.find_spec(name) is None]
    if missing:
        raise CrodinoError(
            f"reading NYUDepth v2's .mat files needs {', '.join(missing)}, which is not "
            "installed; install it with: pip install 'crodino_ros[data]'"
        )


def _open_frames(source: Path, depths: str) -> Any:
    """Open the frames: images uint8 [N, 3, W, H], depths float32 and labels uint16 [N, W, H]."""
    import h5py

    path = _existing(source, FRAMES_FILE)
    try:
        frames = h5py.File(path)
    except OSError as error:
        raise CrodinoError(
            f'{path} is not a whole HDF5 file (the official one has 2.8 GB): {error}; '
            'download it again'
        ) from error
    shapes = {name: frames[name].shape for name in ('images', depths, 'labels') if name in frames}
    count, _, *size = shapes.get('images', (0, 0))
    expected = {'images': (count, 3, *size), depths: (count, *size), 'labels': (count, *size)}
    if not count or shapes != expected:
        frames.close()
        raise CrodinoError(
            f'{path} has {shapes or "none of the arrays"}; images [N, 3, W, H], {depths} and '
            'labels [N, W, H] were expected'
        )
    return frames


def _read_classes(source: Path, classes: int) -> _Classes:
    forty = _read_mat(source, MAP_40_FILE, 'mapClass', 'className')
    index, names = np.atleast_1d(forty['mapClass']).astype(int), list(forty['className'])
    if classes == 13:
        thirteen = _read_mat(source, MAP_13_FILE, 'classMapping13')['classMapping13']
        index = np.asarray(thirteen['labels13']).astype(int)[index - 1]
        names = list(thirteen['classNames'])
    if len(names) != classes or index.min() < 1 or index.max() > classes:
        raise CrodinoError(
            f'the class map in {source} has {len(names)} names and the values {index.min()} to '
            f'{index.max()}; {classes} and 1 to {classes} were expected'
        )
    labels = LabelSet(tuple(map(str, names)), distinct_colors(classes))
    return _Classes(labels, np.concatenate([[UNLABELLED], index - 1]).astype(np.uint8))


def _to_classes(label: np.ndarray, classes: _Classes, number: int) -> np.ndarray:
    if label.max() >= len(classes.table):
        raise CrodinoError(
            f'the labels of frame {number} have the value {label.max()}; {MAP_40_FILE} maps 1 to '
            f'{len(classes.table) - 1}'
        )
    return np.ascontiguousarray(classes.table[label])


def _read_splits(source: Path, count: int) -> dict[str, list[int]]:
    """Return the frame numbers, from 1, of `train` and `test`."""
    content = _read_mat(source, SPLITS_FILE, 'trainNdxs', 'testNdxs')
    splits = {
        split: sorted(map(int, np.atleast_1d(content[f'{split}Ndxs'])))
        for split in ('train', 'test')
    }
    numbers = splits['train'] + splits['test']
    if len(set(numbers)) < len(numbers) or min(numbers) < 1 or max(numbers) > count:
        raise CrodinoError(
            f'{source / SPLITS_FILE} does not fit {FRAMES_FILE}: it names the frames '
            f'{min(numbers)} to {max(numbers)}, {len(numbers) - len(set(numbers))} of them twice; '
            f'the file has 1 to {count}'
        )
    return splits


def _validation(frames: Any, train: Sequence[int], share: float) -> list[int]:
    """Take whole scenes, evenly along their names, so that no room is on both sides.

    :raises UsageError: no scene, or every one, would become val.
    """
    if not share:
        return []
    if 'scenes' not in frames:
        raise CrodinoError(f'{FRAMES_FILE} has no array scenes, by which val is chosen; --val 0')
    references = np.asarray(frames['scenes']).ravel()
    scenes = {n: bytes(frames[references[n - 1]][()].astype(np.uint8)) for n in train}
    ordered = sorted(set(scenes.values()))
    # As a line is drawn on a grid: of n scenes floor(n * share), one of every 1 / share.
    chosen = {
        scene
        for index, scene in enumerate(ordered)
        if math.floor((index + 1) * share) > math.floor(index * share)
    }
    if not 0 < len(chosen) < len(ordered):
        raise UsageError(
            f'the share {share} of val takes {len(chosen)} of the {len(ordered)} training scenes; '
            f'{math.ceil(100 / len(ordered)) / 100} or more was expected, below 1 (0: no val)'
        )
    return [number for number in train if scenes[number] in chosen]


def _read_mat(source: Path, name: str, *keys: str) -> dict[str, Any]:
    from scipy.io import loadmat

    path = _existing(source, name)
    try:
        content = loadmat(path, simplify_cells=True)
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise CrodinoError(f'{path} is not a MATLAB 5 file: {error}; download it again') from error
    missing = [key for key in keys if key not in content]
    if missing:
        raise CrodinoError(f'{path} lacks {", ".join(missing)}; the official file was expected')
    return content


def _existing(source: Path, name: str) -> Path:
    path = source / name
    if not path.is_file():
        raise CrodinoError(f'{source} has no {name}; docs/datasets.md tells where to download it')
    return path

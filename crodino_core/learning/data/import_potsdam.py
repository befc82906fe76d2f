"""ISPRS Potsdam (2D Semantic Labeling Contest) into the folder format: tiles cut into crops."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

import cv2
import numpy as np

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.labels import UNLABELLED, LabelSet
from crodino_core.learning.data.folder_writer import RgbdFolderWriter, WrittenFolder
from crodino_core.progress import progress_bar

LABELS = LabelSet(
    ('impervious_surface', 'building', 'low_vegetation', 'tree', 'car', 'clutter'),
    ((255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0)),
)
TRAIN_TILES = frozenset(
    f'{row}_{column}' for row in range(2, 8) for column in range(10 if row < 6 else 7, 13)
)
"""The 24 tiles whose labels the contest gave out; the other 14 are its test tiles."""
DEPTH_SCALE = 0.01
GROUND_M = 1.0
"""Written for the lowest ground of a tile: 0 would mean that nothing was measured."""
EDGE_PX = 2

_FILES = {
    'rgb': re.compile(r'top_potsdam_(\d+)_(\d+)_RGB\.tif'),
    'dsm': re.compile(r'dsm_potsdam_(\d+)_(\d+)\.tif'),
    'label': re.compile(r'top_potsdam_(\d+)_(\d+)_label(?:_noBoundary)?\.tif'),
}


def import_potsdam(
    source: Path, dest: Path, crop: int = 512, val: Collection[str] = ('2_10',)
) -> WrittenFolder:
    """Convert all tiles found, one at a time.

    "Depth" is the height above the tile's lowest ground plus one metre, in centimetres (OURS): it
    is what the surface model says without the height of the town above the sea.

    :param source: folder with the extracted tiles at any depth below it:
        `top_potsdam_2_10_RGB.tif`, `dsm_potsdam_02_10.tif`, `top_potsdam_2_10_label.tif`.
    :param crop: side of the square crops, pixels; the last of a row ends at the tile's edge.
    :param val: tiles of the official training set that become `val`, which has none (OURS).
    :raises CrodinoError: there is no whole tile, or an image is damaged or of another kind.
    """
    if crop < 1:
        raise UsageError(f'the crop is {crop} pixels; 1 or more was expected')
    unknown = sorted(set(val) - TRAIN_TILES)
    if unknown:
        raise UsageError(
            f'{", ".join(unknown)} of --val is no training tile; some of '
            f'{", ".join(sorted(TRAIN_TILES))} were expected'
        )
    tiles = _find_tiles(source)
    with (
        RgbdFolderWriter(dest, LABELS, 'ISPRS Potsdam, height + 1 m', DEPTH_SCALE) as writer,
        progress_bar() as bar,
    ):
        for tile in bar.track(sorted(tiles), description='cutting tiles of Potsdam'):
            missing = sorted(set(_FILES) - set(tiles[tile]))
            if missing:
                writer.leave(f'tile {tile} without {" and ".join(missing)}')
                continue
            split = 'val' if tile in val else 'train' if tile in TRAIN_TILES else 'test'
            rgb, height, label = _read_tile(tiles[tile])
            for top, left in _corners(label.shape, crop):
                part = np.s_[top : top + crop, left : left + crop]
                name = f'potsdam_{tile}/{top:04d}_{left:04d}'
                writer.add(split, name, rgb[part], height[part], label[part])
    return writer.written


def _find_tiles(source: Path) -> dict[str, dict[str, Path]]:
    tiles: dict[str, dict[str, Path]] = {}
    # The last one stays: of labels with and without eroded boundaries the former.
    for path in sorted(source.rglob('*.tif'), reverse=True):
        for kind, pattern in _FILES.items():
            match = pattern.fullmatch(path.name)
            if match:
                tile = '_'.join(str(int(number)) for number in match.groups())
                tiles.setdefault(tile, {})[kind] = path
    if not tiles:
        raise CrodinoError(
            f'{source} has no tile of Potsdam; top_potsdam_2_10_RGB.tif, dsm_potsdam_02_10.tif, '
            'top_potsdam_2_10_label.tif and so on were expected in it, extracted'
        )
    return tiles


def _read_tile(paths: dict[str, Path]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return colour uint8 [H, W, 3], height float32 [H, W] with 0 for none, label uint8 [H, W]."""
    rgb = cv2.cvtColor(_read_tif(paths['rgb'], np.uint8, 3), cv2.COLOR_BGR2RGB)
    height = _height(_read_tif(paths['dsm'], np.float32, 1))
    label = _to_classes(_read_tif(paths['label'], np.uint8, 3), paths['label'])
    images = (rgb, height, label)
    shapes = np.array([image.shape[:2] for image in images])
    # Rasters of one extent may differ by a row at the far edges.
    if (np.ptp(shapes, axis=0) > EDGE_PX).any():
        sizes = ', '.join('x'.join(map(str, shape)) for shape in shapes)
        raise CrodinoError(
            f'the images of the tile {paths["rgb"]} have different sizes: {sizes} (colour, '
            'surface model, label); one size was expected'
        )
    rows, columns = shapes.min(axis=0)
    return rgb[:rows, :columns], height[:rows, :columns], label[:rows, :columns]


def _read_tif(path: Path, dtype: type[np.generic], channels: int) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise CrodinoError(f'the image {path} cannot be decoded; extract or download it again')
    found = 1 if image.ndim == 2 else image.shape[2]
    if image.dtype != dtype or found != channels:
        raise CrodinoError(
            f'{path} is {image.dtype} with {found} channels; {np.dtype(dtype)} with {channels} '
            'were expected'
        )
    return image


def _height(surface: np.ndarray) -> np.ndarray:
    """Height above the lowest ground plus `GROUND_M`; 0 where the model has no data."""
    known = np.isfinite(surface) & (surface > -1000)  # -9999 and below: no data
    if not known.any():
        return np.zeros_like(surface)
    # Not the minimum: one wrong point would lift the whole tile.
    ground = np.percentile(surface[known][::97], 1)
    return np.where(known, np.maximum(surface - ground, 0) + GROUND_M, 0).astype(np.float32)


def _to_classes(bgr: np.ndarray, path: Path) -> np.ndarray:
    """Class of each pixel from its colour, uint8 [H, W]; black (boundaries) is unlabelled."""
    if ((bgr > 64) & (bgr < 192)).any(axis=2).mean() > 0.01:
        raise CrodinoError(
            f'{path} has colours between those of the classes; a label image with the values 0 '
            'and 255 was expected (not resampled, not JPEG)'
        )
    # Each channel counts as on or off, so that a tile saved a little off 255 is read too.
    table = np.full(8, UNLABELLED, np.uint8)
    for index, (red, green, blue) in enumerate(LABELS.colors):
        table[4 * (red > 0) + 2 * (green > 0) + (blue > 0)] = index
    blue, green, red = (bgr > 127).astype(np.uint8).transpose(2, 0, 1)
    return table[4 * red + 2 * green + blue]


def _corners(shape: tuple[int, ...], crop: int) -> Iterator[tuple[int, int]]:
    tops, lefts = ([*range(0, max(1, side - crop), crop), max(0, side - crop)] for side in shape)
    for top in dict.fromkeys(tops):
        for left in dict.fromkeys(lefts):
            yield top, left

"""A data set of a few small frames in the folder format, and the shortest training on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

CLASSES = ('background', 'box', 'picture')
SIZE = (64, 96)


def small_frame(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A near grey box and a flat red picture before a far grey wall.

    :return: rgb uint8 [64, 96, 3], depth uint16 millimetres [64, 96], label uint8 [64, 96].
    """
    rng = np.random.default_rng(index)
    rgb = rng.integers(90, 110, (*SIZE, 3), dtype=np.uint8)
    depth = np.full(SIZE, 3000, np.uint16)
    label = np.zeros(SIZE, np.uint8)
    top, left = rng.integers(4, 30), rng.integers(4, 30)
    box = np.s_[top : top + 24, left : left + 30]
    depth[box], label[box] = 1200, 1
    picture = np.s_[8:30, 66:90]
    rgb[picture], label[picture] = (200, 30, 30), 2
    depth[:, :2], label[-2:] = 0, 255
    return rgb, depth, label


def write_small_data_set(
    folder: Path, frames: int = 4, classes: tuple[str, ...] = CLASSES
) -> Path:
    """Write `frames` training frames and two of each of val and test.

    :param classes: their names; what belongs to none of them is background.
    """
    counts = {'train': frames, 'val': 2, 'test': 2}
    splits: dict[str, list[str]] = {split: [] for split in counts}
    for kind in ('color', 'depth', 'label'):
        (folder / 'room' / kind).mkdir(parents=True)
    index = 0
    for split, count in counts.items():
        for _ in range(count):
            rgb, depth, label = small_frame(index)
            label[(label >= len(classes)) & (label < 255)] = 0
            name = f'{index:04d}'
            cv2.imwrite(str(folder / f'room/color/{name}.png'), rgb[..., ::-1])
            cv2.imwrite(str(folder / f'room/depth/{name}.png'), depth)
            cv2.imwrite(str(folder / f'room/label/{name}.png'), label)
            splits[split].append(f'room/{name}')
            index += 1
    (folder / 'splits.json').write_text(json.dumps(splits))
    described = [
        {'index': i, 'name': name, 'color_rgb': [90 * i, 50, 200]}
        for i, name in enumerate(classes)
    ]
    (folder / 'classes.yaml').write_text(yaml.safe_dump({'classes': described}))
    (folder / 'camera.yaml').write_text('depth: {scale_to_metres: 0.001}\n')
    return folder


def small_config(data: Path, **settings: Any) -> dict[str, Any]:
    """Return the content of a configuration of four small steps; `settings` replace whole keys."""
    return {
        'name': 'small',
        'device': 'cpu',
        'validate_every': 2,
        'data': {
            'sources': [{'kind': 'folder', 'path': str(data)}],
            'validation': {'kind': 'folder', 'path': str(data), 'split': 'val'},
            'input_size': [64, 96],
            'view_size': [48, 64],
            'workers': 0,
        },
        'model': {
            'backbone': 'shufflenet_v2_x0_5',
            'split_channels': 16,
            'decoder_channels': 16,
        },
        'optimiser': {'steps': 4, 'batch_size': 2, 'warmup_steps': 1},
        **settings,
    }

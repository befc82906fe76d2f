"""Synthetic rooms as a data set folder, so that training_study.py renders them once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np

from crodino_core.learning.config import ScenesSource
from crodino_core.learning.data.samples import load_source
from crodino_core.rgbd_folder import RgbdFolder, RgbdSample

SPLITS = {
    'train': ScenesSource('scenes', scenes=80, frames_per_scene=4, seed=0),
    'test': ScenesSource('scenes', scenes=20, frames_per_scene=3, seed=10_000),
}


def write_rooms(folder: Path, like: RgbdFolder, input_size: tuple[int, int]) -> None:
    """Render both splits; the folder appears when it is complete.

    :param like: data set whose classes the rooms have.
    """
    partial = folder.with_name(folder.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    splits: dict[str, list[str]] = {}
    for split, source in SPLITS.items():
        for kind in ('color', 'depth', 'label'):
            (partial / split / kind).mkdir(parents=True)
        samples = load_source(source, like.labels, input_size)
        splits[split] = [f'{split}/{number:04d}' for number in range(len(samples))]
        for number, sample in enumerate(samples):
            _write(partial / split, f'{number:04d}.png', sample)
    (partial / 'splits.json').write_text(json.dumps(splits))
    shutil.copy(like.path / 'classes.yaml', partial)
    partial.rename(folder)


def _write(folder: Path, name: str, sample: RgbdSample) -> None:
    cv2.imwrite(str(folder / 'color' / name), cv2.cvtColor(sample.rgb, cv2.COLOR_RGB2BGR))
    millimetres = np.rint(sample.depth * 1000).astype(np.uint16)
    cv2.imwrite(str(folder / 'depth' / name), millimetres)
    cv2.imwrite(str(folder / 'label' / name), sample.label)

"""`crodino bench train`: how fast the trainer is here, on its own small data set."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

ROUNDS = 9
FRAMES = 8
FRAME_SIZE = (384, 512)
"""Height and width."""


def bench_training(config: Path | None, rounds: int | None) -> dict[str, Any]:
    """Measure the trainer, see `crodino_core.learning.bench`.

    :param config: a training configuration; None: the default networks on rendered rooms.
    """
    # Not at the top: torch takes seconds to load and need not be installed.
    from crodino_core.learning.bench import bench_training as measure
    from crodino_core.learning.config import DataConfig, FolderSource, TrainConfig, load_config

    if config is not None:
        return measure(load_config(config), rounds or ROUNDS)
    with tempfile.TemporaryDirectory() as scratch:
        path = _write_rooms(Path(scratch) / 'rooms')
        source = FolderSource(path=str(path))
        settings = TrainConfig(name='bench', data=DataConfig([source], source))
        return measure(settings, rounds or ROUNDS)


def _write_rooms(path: Path) -> Path:
    import numpy as np

    from crodino_core.labels import LabelSet
    from crodino_core.learning.data.folder_writer import RgbdFolderWriter, distinct_colors
    from crodino_core.learning.data.scenes import CLASS_NAMES, Camera, Scene

    scene, rng = Scene(0), np.random.default_rng(0)
    camera = Camera.from_fov(*FRAME_SIZE, horizontal_fov_deg=70)
    labels = LabelSet(CLASS_NAMES, distinct_colors(len(CLASS_NAMES)))
    with RgbdFolderWriter(path, labels, 'rendered rooms') as writer:
        for number, pose in enumerate(scene.random_poses(FRAMES, rng)):
            frame = scene.render(pose, camera, rng)
            writer.add('train', f'room/{number}', frame.rgb, frame.depth, frame.label)
    return path

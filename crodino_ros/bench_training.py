"""`crodino bench train`: how fast the trainer is here, on its own small data set."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROUNDS = 5
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


def print_training(result: dict[str, Any], console: Console) -> None:
    """Print what was measured as a table and the figures with a target."""
    count, height, width = result['batch']
    table = Table(
        'a step of',
        'seconds',
        'GFLOP',
        title=f'{result["backbone"]}, {count} pairs of {width}x{height}, {result["precision"]}, '
        f'{result["device"]}, {result["threads"]} threads',
    )
    for name, seconds in result['seconds'].items():
        table.add_row(name, f'{seconds:.3f}', f'{result["gflop"][name]:.1f}')
    console.print(table)
    ratios, speed, targets = result['ratios'], result['images_per_s'], result['targets']
    console.print(
        f'twin {speed["twin"]:.1f} images/s, {ratios["twin_over_plain"]:.2f} x two plain loops '
        f'(target {targets["twin_over_plain"]:g})\nloader {speed["loader"]:.1f} images/s, '
        f'{ratios["loader_over_twin"]:.1f} x the twin (target {targets["loader_over_twin"]:g})'
    )
    for other in ('independent', 'kd'):
        cost = ratios[f'crodino_over_{other}']
        words = 'teacher and students' if other == 'kd' else 'two networks alone'
        console.print(
            f'crodino costs {cost["seconds"]:.2f} x the seconds and {cost["flop"]:.2f} x the '
            f'FLOP of {words}'
        )
    if result['gpu']:
        mfu = result['gpu']['mfu']
        share = 'of an unknown peak' if mfu is None else f'{100 * mfu:.1f} % of the peak'
        console.print(
            f'{result["gpu"]["tflops"]:.2f} TFLOP/s, {share}; '
            f'{result["gpu"]["peak_memory_mb"]:.0f} MB at most'
        )

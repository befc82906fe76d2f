"""`crodino calibrate`: what the policy `best` must know of a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from crodino_core.bundle import ModelBundle
from crodino_core.evaluation.calibrate import calibrate as fit
from crodino_core.labels import LabelSet
from crodino_core.learning.data.scenes import CLASS_NAMES, Camera, Scene
from crodino_core.modality import Modality
from crodino_core.progress import progress_bar
from crodino_core.rgbd_folder import RgbdFolder, RgbdSample
from crodino_core.runtime.engines import load_engines
from crodino_ros.commands.options import (
    EngineOption,
    JsonOption,
    ModelOption,
    ThreadsOption,
    console,
    default_model,
    print_json,
)

FIRST_SCENE = 9000
"""Seeds far from those that training renders."""
VIEWS = 2


def calibrate(
    data: Annotated[Path, typer.Option('--data', help='Data set in the folder format.')],
    model: ModelOption = None,
    split: Annotated[
        str, typer.Option('--split', help='Clean frames the networks were not trained on.')
    ] = 'val',
    scenes: Annotated[
        int, typer.Option('--scenes', min=0, help='Synthetic rooms to look at beside the data.')
    ] = 30,
    engine: EngineOption = 'auto',
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn what a bundle's confidence says of its masks, and write it into the bundle.

    The policy best needs it. Look at no frames that the bundle will be judged by.
    """
    bundle = ModelBundle.load(model or default_model())
    folder = RgbdFolder(data)
    folder.require_classes(bundle.labels, f'the bundle {bundle.name}')
    names = folder.names(split)
    engines = load_engines(bundle, engine, threads).engines
    with progress_bar() as bar:
        validation = (folder.read(n) for n in bar.track(names, description=f'reading {split}'))
        seeds = range(FIRST_SCENE, FIRST_SCENE + scenes if knows_scenes(bundle.labels) else 0)
        rooms = render_rooms(bar.track(seeds, description='rendering rooms'))
        quality = fit(bundle, engines, validation, rooms)
    bundle.with_quality({'data': f'{folder.path.resolve().name} {split}', **quality})
    if as_json:
        print_json(quality)
        return
    for modality in map(str, Modality):
        found = quality[modality]
        console.print(
            f'{modality}: mIoU {found["miou"]:.1f} %; of one mask {found["offset"]:.1f} + '
            f'{found["slope"]:.1f} x its confidence (correlation {found["correlation"]:.2f})',
            soft_wrap=True,
        )


def knows_scenes(labels: LabelSet) -> bool:
    """Whether synthetic rooms have these classes."""
    return labels.names == CLASS_NAMES


def render_rooms(seeds: Iterable[int]) -> Iterator[RgbdSample]:
    """Render some views of each room."""
    for seed in seeds:
        scene, rng = Scene(seed), np.random.default_rng(seed)
        camera = Camera.from_fov(360, 480, horizontal_fov_deg=float(rng.uniform(58, 92)))
        for number, pose in enumerate(scene.random_poses(VIEWS, rng)):
            view = scene.render(pose, camera, rng)
            yield RgbdSample(f'room{seed}/{number}', view.rgb, view.depth, view.label)

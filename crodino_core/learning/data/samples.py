"""Training samples: frames held in memory, augmented as they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from crodino_core.errors import CrodinoError
from crodino_core.labels import UNLABELLED, LabelSet
from crodino_core.learning import processes
from crodino_core.learning.config import FolderSource, ScenesSource, TrainConfig
from crodino_core.learning.data.check import unlabelled_split
from crodino_core.learning.data.scenes import CLASS_NAMES, Camera, Scene
from crodino_core.learning.decoupled_augment import DecoupledAugment
from crodino_core.learning.photometric import DepthPipeline, RgbPipeline
from crodino_core.progress import progress_bar
from crodino_core.rgbd_folder import RgbdFolder, RgbdSample

SOURCE_MARGIN = 4 / 3
"""Frames are kept this much larger than the network's input, so that zooming in stays sharp."""
PREFETCH = 4
"""Batches each worker makes ahead."""


class TwinSamples(Dataset[dict[str, Tensor]]):
    """An endless row of augmented samples; sample i depends on the seed and on i alone.

    That makes a resumed run see what an unbroken one would have seen.
    """

    def __init__(
        self,
        sources: Sequence[Sequence[RgbdSample]],
        weights: Sequence[float],
        augment: DecoupledAugment,
        length: int,
        seed: int,
    ) -> None:
        self.sources = sources
        self.shares = np.cumsum(weights) / np.sum(weights)
        self.shares[-1] = 1.0  # rounding may leave it below what the generator draws
        self.augment = augment
        self.length = length
        self.seed = seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([self.seed, index])
        source = self.sources[int(np.searchsorted(self.shares, rng.random(), 'right'))]
        sample = source[int(rng.integers(len(source)))]
        rgb, depth = self.augment(sample.rgb, sample.depth, sample.label, rng)
        return {
            'rgb': rgb.image,
            'rgb_label': rgb.label,
            'rgb_affine': rgb.affine,
            'depth': depth.image,
            'depth_label': depth.label,
            'depth_affine': depth.affine,
        }


def training_batches(
    config: TrainConfig, labels: LabelSet, first_step: int
) -> Iterator[dict[str, Tensor]]:
    """Yield the batches from a step to the last one; they do not depend on the first step.

    Of several processes each gets its share of every batch.

    :raises CrodinoError: a source cannot be read or has other classes than `labels`.
    """
    augment = DecoupledAugment(
        config.data.input_size,
        config.data.view_size,
        config.geometry,
        RgbPipeline(config.photometric),
        DepthPipeline(config.photometric),
    )
    sources = config.data.sources
    size = config.optimiser.batch_size
    samples = TwinSamples(
        [load_source(source, labels, config.data.input_size) for source in sources],
        [source.weight for source in sources],
        augment,
        config.optimiser.steps * size,
        config.seed,
    )
    share = size // processes.count()
    first = processes.rank() * share
    rest = [
        step * size + first + index
        for step in range(first_step, config.optimiser.steps)
        for index in range(share)
    ]
    loader = DataLoader(
        Subset(samples, rest),
        share,
        num_workers=config.data.workers,
        drop_last=True,
        prefetch_factor=PREFETCH if config.data.workers else None,
        pin_memory=torch.cuda.is_available(),  # a copy to the device waits for nothing then
        # Its own: from the global one it would take a number at each start, also of a resumed run.
        generator=torch.Generator(),
    )
    return iter(loader)


def load_source(
    source: FolderSource | ScenesSource, labels: LabelSet, input_size: tuple[int, int]
) -> list[RgbdSample]:
    """Load or render a source into memory, at a little more than the network's input size.

    :raises CrodinoError: the source cannot be read or has other classes than `labels`.
    """
    size = (round(input_size[0] * SOURCE_MARGIN), round(input_size[1] * SOURCE_MARGIN))
    if isinstance(source, FolderSource):
        return _load_folder(source, labels, size)
    if labels.names != CLASS_NAMES:
        raise CrodinoError(
            f'synthetic scenes have the classes {", ".join(CLASS_NAMES)}; the data set has '
            f'{", ".join(labels.names)}: train on one of the two'
        )
    return list(_render_scenes(source, size))


def _load_folder(
    source: FolderSource, labels: LabelSet, size: tuple[int, int]
) -> list[RgbdSample]:
    folder = RgbdFolder(source.path)
    folder.require_classes(labels, 'the other source')
    names = folder.names(source.split)
    with progress_bar() as bar:
        bar.disable = not processes.is_first()
        samples, errors = [], []
        for name in bar.track(names, description=f'reading {source.split} of {folder.path.name}'):
            try:
                samples.append(_resize(folder.read(name), size))
            except CrodinoError as error:
                errors.append(str(error))
    if errors:
        others = f' ({len(errors) - 1} other frames cannot be used either: crodino data check '
        raise CrodinoError(errors[0] + (f'{others}{folder.path})' if len(errors) > 1 else ''))
    if all((sample.label == UNLABELLED).all() for sample in samples):
        raise CrodinoError(unlabelled_split(folder, source.split))
    return samples


def _render_scenes(source: ScenesSource, size: tuple[int, int]) -> Iterable[RgbdSample]:
    with progress_bar() as bar:
        bar.disable = not processes.is_first()
        for index in bar.track(range(source.scenes), description='rendering scenes'):
            rng = np.random.default_rng([source.seed, index])
            scene = Scene(source.seed + index)
            # The field of view varies: a robot's camera is not known beforehand.
            camera = Camera.from_fov(*size, horizontal_fov_deg=float(rng.uniform(58, 92)))
            for number, pose in enumerate(scene.random_poses(source.frames_per_scene, rng)):
                frame = scene.render(pose, camera, rng)
                # The clean depth: noise is an augmentation, drawn anew each time.
                yield RgbdSample(
                    f'scene{index}/{number}', frame.rgb, frame.depth_clean, frame.label
                )


def _resize(sample: RgbdSample, size: tuple[int, int]) -> RgbdSample:
    height, width = size
    nearest = {'dsize': (width, height), 'interpolation': cv2.INTER_NEAREST_EXACT}
    return RgbdSample(
        sample.name,
        cv2.resize(sample.rgb, (width, height), interpolation=cv2.INTER_AREA),
        cv2.resize(sample.depth, **nearest),
        cv2.resize(sample.label, **nearest),
    )

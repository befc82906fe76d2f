"""A training run from its configuration to its folder."""

from __future__ import annotations

from pathlib import Path

import torch

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.learning import checkpoint, processes, run_folder
from crodino_core.learning.allocator import keep_freed_memory
from crodino_core.learning.config import FolderSource, TrainConfig
from crodino_core.learning.data.check import FEWEST_CLASSES, too_few_classes
from crodino_core.learning.data.samples import load_source, training_batches
from crodino_core.learning.models.encoder import OUTPUT_STRIDE
from crodino_core.learning.run_log import forget_rows_after
from crodino_core.learning.trainer import Trainer
from crodino_core.rgbd_folder import RgbdFolder

SEED_STRIDE = 1_000_003
"""Between the seeds of two processes; runs with small seeds share none."""


def train(
    config: TrainConfig, run: Path, resume: bool = False, config_file: Path | None = None
) -> dict[str, float]:
    """Train both networks together and keep the best of each modality.

    Started by `torchrun`, several processes share every batch and the first one writes. On a CPU
    the process keeps the memory it has freed from then on (`keep_freed_memory`).

    :param run: folder for config.yaml, environment.yaml, metrics.csv, curves.png, confusion.png,
        predictions.png, TensorBoard events, last.pt, best_rgb.pt and best_depth.pt.
    :param resume: go on from `last.pt`; the result is that of an unbroken run.
    :param config_file: where the configuration was read from, which is never written over.
    :return: best validation mIoU, percent, of each modality (or of the fusion network).
    :raises CrodinoError: the folder holds a run (or none to resume) or other files, the data
        cannot be read, or the loss is not finite.
    """
    device = processes.choose_device(config.device)
    if device.type == 'cpu':
        keep_freed_memory()
    with processes.joined(device):
        if not resume:
            run_folder.check_free(run, config, config_file)
        return _train(config, run, resume, device)


def _train(config: TrainConfig, run: Path, resume: bool, device: torch.device) -> dict[str, float]:
    if config.optimiser.batch_size % processes.count():
        raise UsageError(
            f'optimiser.batch_size is {config.optimiser.batch_size}, of which '
            f'{processes.count()} processes cannot have equal shares; a multiple was expected'
        )
    height, width = config.data.view_size
    if config.optimiser.batch_size == 1 and max(height, width) < 2 * OUTPUT_STRIDE:
        raise UsageError(
            f'optimiser.batch_size is 1 and data.view_size {height} x {width}: batch norms would '
            f'see one value; a batch of 2 or a side of {2 * OUTPUT_STRIDE} pixels was expected'
        )
    labels = RgbdFolder(config.data.validation.path).labels
    if len(labels) < FEWEST_CLASSES:
        raise CrodinoError(too_few_classes(RgbdFolder(config.data.validation.path)))
    # Before anything is read or written: a split that is not there is found within seconds.
    for source in (*config.data.sources, config.data.validation):
        if isinstance(source, FolderSource):
            RgbdFolder(source.path).names(source.split)
    if resume:
        state = checkpoint.load(run / checkpoint.LAST, checkpoint.LAST_KEYS)
        run_folder.check_same_config(run, config)
    # Networks before images: what is wrong with the settings is found within seconds, too.
    torch.manual_seed(config.seed)
    trainer = Trainer(config, labels, run, device, resumed=resume)
    if processes.rank():
        # Equal networks, but other dropout: the first process has the numbers of a lone one.
        torch.manual_seed(config.seed + SEED_STRIDE * processes.rank())
    if resume:
        trainer.load_state(state)
    validation = load_source(config.data.validation, labels, config.data.input_size)
    batches = training_batches(config, labels, trainer.step)
    if processes.is_first():
        if not resume:
            run_folder.begin(run, config)
        elif trainer.step < config.optimiser.steps:
            forget_rows_after(run, trainer.step)
            run_folder.note_resumption(run, trainer.step)
    # Adam's second moments of weights that hardly move are denormal, and slow, on a CPU.
    torch.set_flush_denormal(True)
    try:
        trainer.fit(batches, validation)
    finally:
        torch.set_flush_denormal(False)
    return dict(trainer.best)

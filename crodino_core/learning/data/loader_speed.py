"""How many samples a second the data loader of a training configuration gives."""

from __future__ import annotations

import dataclasses
import time

from crodino_core.learning.config import TrainConfig
from crodino_core.learning.data.samples import PREFETCH, training_batches
from crodino_core.rgbd_folder import RgbdFolder

WARM_UP_BATCHES = 2
"""Not counted: the first ones load libraries."""
STEPS = 20_000
"""More than a loader gives while it is measured."""


def loader_speed(config: TrainConfig, seconds: float = 5.0) -> float:
    """Take batches from the run's own loader as fast as they come.

    :param config: the configuration of the run; its workers, sizes and augmentation count.
    :param seconds: how long to measure, after the sources are read and the workers are warm.
    :return: images per second; a sample has two, one of each modality.
    :raises CrodinoError: a source cannot be read.
    """
    labels = RgbdFolder(config.data.validation.path).labels
    size = config.optimiser.batch_size
    # What the workers made while they waited for the first call is taken uncounted.
    ahead = PREFETCH * config.data.workers
    optimiser = dataclasses.replace(config.optimiser, steps=STEPS)
    endless = dataclasses.replace(config, optimiser=optimiser)
    batches = training_batches(endless, labels, first_step=0)
    for _ in range(WARM_UP_BATCHES + ahead):
        next(batches)
    start = now = time.perf_counter()
    count = 0
    while now - start < seconds:
        next(batches)
        count += 1
        now = time.perf_counter()
    return 2 * size * count / (now - start)

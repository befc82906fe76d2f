"""What a training step costs here: ratios within one run, as machines and loads differ."""

from __future__ import annotations

import dataclasses
import math
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from crodino_core.labels import LabelSet
from crodino_core.learning import checkpoint, losses, processes
from crodino_core.learning.allocator import keep_freed_memory
from crodino_core.learning.config import TrainConfig
from crodino_core.learning.data.loader_speed import loader_speed
from crodino_core.learning.data.samples import training_batches
from crodino_core.learning.methods import FUSION
from crodino_core.learning.models.fusion import FusionNetwork
from crodino_core.learning.models.twin import ModalityNetwork
from crodino_core.learning.optimiser import make_optimiser
from crodino_core.learning.trainer import Trainer, architecture_of
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdFolder

TWIN_TARGET = 0.8
LOADER_TARGET = 2.0
PEAK_TFLOPS = {'A100': 312, 'H100': 989, 'H200': 989, 'L4': 121, 'L40S': 362, 'RTX 4090': 165}
"""Dense bfloat16 on tensor cores, from NVIDIA's data sheets, by a part of the device's name."""

Batch = dict[str, Tensor]
Step = Callable[[], object]
Times = Mapping[str, np.ndarray]
"""Seconds of each contestant's steps, float64 [rounds]."""


def bench_training(
    config: TrainConfig, rounds: int = 9, loader_seconds: float = 5.0
) -> dict[str, Any]:
    """Measure the steps of all methods beside plain loops of one network, and the loader.

    Each contestant takes a step in each round, in another order each time, so that a change of
    the machine's load meets all of them. Ratios are taken within each round, and are the medians
    of all rounds; so are the seconds. The batch is one and the same.

    :param config: its data, networks, losses, precision and batch count; the rest does not.
    :return: JSON-able: `seconds` and `gflop` of a step by contestant, `images_per_s` (a sample has
        two images), `ratios` (`twin_over_plain`: images per second of the twin's trainer over
        those of two plain loops one after the other; `loader_over_twin`; `crodino_over_...`: what
        a step costs, where that of `kd` holds the teacher's own), `targets`, and on a GPU `gpu`.
    """
    labels = RgbdFolder(config.data.validation.path).labels
    device = processes.choose_device(config.device)
    if device.type == 'cpu':
        keep_freed_memory()  # as `train` does; the plain loops have it too
    batch = next(training_batches(config, labels, 0))
    with tempfile.TemporaryDirectory() as folder:
        steps: dict[str, Step] = {}
        for name, step in _contestants(config, labels, batch, device, Path(folder)):
            steps[name] = step
            if name == 'crodino':  # the first: it has the device to itself
                memory = _peak_memory_mb(step, device)
        times = _time(steps, rounds, device)
        gflop = {name: count_flop(step) / 1e9 for name, step in steps.items()}
    seconds = {name: float(np.median(values)) for name, values in times.items()}
    images = 2 * len(batch['rgb'])
    speed = {
        'twin': images / seconds['crodino'],
        'plain': images / float(np.median(_plain(times))),
        'loader': loader_speed(config, loader_seconds),
    }
    return {
        'device': torch.cuda.get_device_name() if device.type == 'cuda' else 'cpu',
        'threads': torch.get_num_threads(),
        'backbone': config.model.backbone,
        'precision': config.optimiser.precision,
        'batch': [len(batch['rgb']), *batch['rgb'].shape[-2:]],
        'rounds': rounds,
        'seconds': seconds,
        'gflop': gflop,
        'images_per_s': speed,
        'ratios': {
            'twin_over_plain': float(np.median(_plain(times) / times['crodino'])),
            'loader_over_twin': speed['loader'] / speed['twin'],
            'crodino_over_independent': _beside(times, gflop, 'independent'),
            'crodino_over_kd': _beside(times, gflop, 'kd', 'teacher'),
        },
        'targets': {'twin_over_plain': TWIN_TARGET, 'loader_over_twin': LOADER_TARGET},
        'gpu': _gpu(
            gflop['crodino'] / seconds['crodino'] / 1e3, memory, config.optimiser.precision
        ),
    }


def _contestants(
    config: TrainConfig, labels: LabelSet, batch: Batch, device: torch.device, folder: Path
) -> Iterator[tuple[str, Step]]:
    """Make one step of each method's trainer, `crodino` first, and of each plain loop."""
    network = FusionNetwork(architecture_of(config, len(labels)))
    path = folder / checkpoint.best_name(FUSION)
    checkpoint.save_best(path, network, architecture_of(config, len(labels)), labels, {})
    coupled = dataclasses.replace(config.geometry, kind='coupled')
    changes: dict[str, dict[str, Any]] = {
        'crodino': {'method': 'crodino'},
        'independent': {'method': 'independent'},
        'kd': {'method': 'kd', 'teacher': str(folder), 'geometry': coupled},
        'teacher': {'method': 'early_fusion_zero_filled', 'geometry': coupled},
    }
    config = dataclasses.replace(config, start_from=None, frozen=[], teacher=None)
    for name, change in changes.items():
        trainer = Trainer(dataclasses.replace(config, **change), labels, folder, device)
        yield name, lambda trainer=trainer: trainer.train_step(batch)  # type: ignore[misc]
    for m in Modality:
        yield f'plain {m}', _plain_loop(config, labels, batch, m, device)


def _plain_loop(
    config: TrainConfig, labels: LabelSet, batch: Batch, modality: Modality, device: torch.device
) -> Step:
    """Return a step of the shortest loop that trains one network: no clipping, no average."""
    network: nn.Module = ModalityNetwork(modality, architecture_of(config, len(labels)))
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = make_optimiser(network.train(), config.optimiser)

    def step() -> None:
        image = batch[str(modality)].to(device, memory_format=torch.channels_last)
        label = batch[f'{modality}_label'].to(device)
        mixed = config.optimiser.precision == 'bfloat16'
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            loss = losses.segmentation_loss(network(image), label)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


def _time(steps: Mapping[str, Step], rounds: int, device: torch.device) -> Times:
    """Return the seconds of each step by round, after one that does not count."""
    for step in steps.values():
        step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for name in rng.permutation(list(steps)):
            _wait(device)
            began = time.perf_counter()
            steps[name]()
            _wait(device)
            times[name].append(time.perf_counter() - began)
    return {name: np.array(values) for name, values in times.items()}


def _wait(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def count_flop(step: Step) -> int:
    """Count the floating point operations of convolutions and products, forward and backward."""
    formula = {torch.ops.aten.convolution_backward: _convolution_backward_flop}
    with FlopCounterMode(display=False, custom_mapping=formula) as counter:
        step()
    return counter.get_total_flops()


def _convolution_backward_flop(
    gradient: Sequence[int], x: Sequence[int], weight: Sequence[int], *rest: Any, **_: Any
) -> int:
    """Twice the forward pass: once for the input and once for the weights, where wanted.

    Torch's own formula leaves out the groups, and counts a depthwise convolution of C channels C
    times. Arguments are the shapes, and the rest of `aten.convolution_backward`.
    """
    wanted = rest[-1]
    return 2 * math.prod(gradient) * math.prod(weight[1:]) * sum(wanted[:2])


def _peak_memory_mb(step: Step, device: torch.device) -> float | None:
    """Return the most memory of a step, after one that makes the optimiser's state."""
    if device.type != 'cuda':
        return None
    step()
    torch.cuda.reset_peak_memory_stats(device)
    step()
    return torch.cuda.max_memory_allocated(device) / 1e6


def peak_tflops(device: str) -> float | None:
    """Return the peak of a device by its name, e.g. 'NVIDIA A100-SXM4-80GB'; None if unknown."""
    for part, peak in PEAK_TFLOPS.items():
        if re.search(rf'\b{part}\b(?! Laptop)', device):
            return peak
    return None


def _plain(times: Times) -> np.ndarray:
    return np.sum([times[f'plain {m}'] for m in Modality], 0)


def _beside(times: Times, gflop: Mapping[str, float], *names: str) -> dict[str, float]:
    return {
        unit: float(np.median(costs['crodino'] / sum(costs[name] for name in names)))
        for unit, costs in (('seconds', times), ('flop', gflop))
    }


def _gpu(tflops: float, memory_mb: float | None, precision: str) -> dict[str, Any] | None:
    """Return the memory, and the share of the device's peak (MFU) where that is known.

    The peaks are those of bfloat16: a step in float32 has none to be compared with.
    """
    if memory_mb is None:
        return None
    peak = peak_tflops(torch.cuda.get_device_name()) if precision == 'bfloat16' else None
    return {
        'tflops': tflops,
        'mfu': tflops / peak if peak else None,
        'peak_tflops': peak,
        'peak_memory_mb': memory_mb,
    }

"""What the networks of a training run score: the figures of training_study.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from crodino_core.evaluation import protocols
from crodino_core.iou import confusion_matrix, miou_of
from crodino_core.learning import checkpoint
from crodino_core.learning.config import TrainConfig
from crodino_core.learning.methods import FUSION
from crodino_core.learning.models.fusion import FusionNetwork
from crodino_core.learning.models.twin import Architecture
from crodino_core.learning.validate import read_depth, read_rgb
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdSample

FULL = 'full'
BATCH = 4
Images = dict[Modality, Tensor]
Networks = dict[str, nn.Module]
"""One for each modality, or `FUSION` alone."""

DAMAGES: dict[str, tuple[str, Any]] = {
    **{f'rmm {rate}': ('rmm', rate) for rate in protocols.MISSING_RATES},
    **{f'nm {level}': ('nm', level) for level in protocols.NOISE_LEVELS},
}
SETS = ('test', 'val', 'rooms')
CLEAN = [f'{name} {state}' for name in SETS for state in ('rgb', 'depth', FULL)]
"""Figures on clean frames of a set, with one sensor or both: mIoU in percent."""
DAMAGED = [f'{d} {m} {state}' for d in DAMAGES for m in Modality for state in ('own', FULL)]
"""Figures on test frames of which one sensor is damaged, seen by its `own` network or by all
(`full`), the other sensor being well."""


def load_networks(run: Path) -> Networks:
    """Read the networks a run has kept, in evaluation mode."""
    fusion = run / checkpoint.best_name(FUSION)
    if not fusion.exists():
        return {str(m): checkpoint.load_best(run, m)[0] for m in Modality}
    content = checkpoint.load(fusion)
    network = FusionNetwork(Architecture(**content['architecture']))
    checkpoint.load_weights(network, content['network'], fusion)
    return {FUSION: network.eval()}


def score(
    networks: Networks, config: TrainConfig, sets: dict[str, list[RgbdSample]]
) -> dict[str, float]:
    """Score the networks on the clean frames of each set."""
    return {
        f'{name} {state}': miou
        for name, samples in sets.items()
        for state, miou in _miou(networks, config, samples).items()
    }


def score_damaged(
    networks: Networks, config: TrainConfig, samples: Sequence[RgbdSample], architecture: Any
) -> dict[str, float]:
    """Score the networks on frames of which one sensor is damaged (RMM, NM).

    :param architecture: whose mean, deviation and depth range normalise the images.
    """
    result = {}
    for name, (protocol, strength) in DAMAGES.items():
        for m in Modality:
            damaged = [
                _damage(sample, m, protocol, strength, architecture, np.random.default_rng(index))
                for index, sample in enumerate(samples)
            ]
            found = _miou(networks, config, damaged)
            result[f'{name} {m} {FULL}'] = found[FULL]
            if FUSION not in networks:
                result[f'{name} {m} own'] = found[str(m)]
    return result


def _damage(
    sample: RgbdSample,
    modality: Modality,
    protocol: str,
    strength: Any,
    architecture: Any,
    rng: np.random.Generator,
) -> RgbdSample:
    image = sample.rgb if modality is Modality.RGB else sample.depth
    if protocol == 'rmm':
        image = protocols.zero_elements(image, architecture, strength, rng)
    else:
        density, sigma = protocols.NOISE_LEVELS[strength]
        image = protocols.add_noise(image, architecture, density, sigma, rng)
    return replace(sample, rgb=image) if modality is Modality.RGB else replace(sample, depth=image)


@torch.inference_mode()
def _miou(
    networks: Networks, config: TrainConfig, samples: Sequence[RgbdSample]
) -> dict[str, float]:
    """Return the mIoU by state: each sensor alone (fusion: zeros for the other), and both."""
    counts: dict[str, Any] = {}
    classes = next(iter(networks.values())).decoder.classify.out_channels  # type: ignore
    for start in range(0, len(samples), BATCH):
        batch = samples[start : start + BATCH]
        for state, probabilities in _states(networks, config, batch):
            masks = _to_masks(probabilities, batch[0].label.shape)
            for sample, mask in zip(batch, masks, strict=True):
                count = confusion_matrix(sample.label, mask, classes)
                counts[state] = counts.get(state, 0) + count
    return {state: miou_of(count) or 0.0 for state, count in counts.items()}


def _states(
    networks: Networks, config: TrainConfig, batch: Sequence[RgbdSample]
) -> Iterator[tuple[str, Tensor]]:
    """Yield the probabilities of each state, B x K x h x w."""
    readers = {Modality.RGB: read_rgb, Modality.DEPTH: read_depth}
    size = config.data.input_size
    images = {m: torch.stack([read(each, size) for each in batch]) for m, read in readers.items()}
    bfloat16 = config.optimiser.precision == 'bfloat16'
    with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
        if FUSION not in networks:
            alone = {m: networks[str(m)](images[m]).float().softmax(1) for m in Modality}
        else:
            network, dead = networks[FUSION], {m: torch.zeros_like(i) for m, i in images.items()}
            yield FULL, network(torch.cat([*images.values()], 1)).float()
            alone = {
                m: network(torch.cat([*(dead | {m: images[m]}).values()], 1)).float()
                for m in Modality
            }
    yield from ((str(m), found) for m, found in alone.items())
    if FUSION not in networks:
        yield FULL, alone[Modality.RGB] + alone[Modality.DEPTH]


def _to_masks(scores: Tensor, size: tuple[int, ...]) -> np.ndarray:
    large = nn.functional.interpolate(scores, size, mode='bilinear', align_corners=False)
    return large.argmax(1).numpy().astype(np.uint8)

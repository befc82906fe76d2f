"""The arms of training_study.py: what is trained, with which settings, in which order."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from training_tables import BALANCED, FUSION

from crodino_core.learning.config import TrainConfig, load_config

CONFIG = Path(__file__).resolve().parents[1] / 'config' / 'train' / 'indoor.yaml'

ALL_MIXED = ['loss.mixup_every=1', 'loss.auxiliary=0.2', 'loss.auxiliary_balance=0']
"""The twin without what was added here, see `BALANCED`."""

MAIN: dict[str, list[str]] = {'independent': ['method=independent'], 'crodino': ALL_MIXED}
ABLATIONS: dict[str, list[str]] = {
    BALANCED: [],
    'auxiliary alone': ['loss.mixup=0', 'loss.contrastive=0', 'loss.auxiliary_shared=false'],
    'contrast 0.5': [*ALL_MIXED, 'loss.contrastive=0.5'],
    'without contrast': [*ALL_MIXED, 'loss.contrastive=0'],
    'without mixup': [*ALL_MIXED, 'loss.mixup=0'],
    'without auxiliary': [*ALL_MIXED, 'loss.auxiliary=0'],
    'without orthogonality': [*ALL_MIXED, 'loss.orthogonality=0'],
    'coupled augmentation': [*ALL_MIXED, 'geometry.kind=coupled'],
    'lambda 0.05': [*ALL_MIXED, 'loss.mixing=0.05'],
    'lambda 0.2': [*ALL_MIXED, 'loss.mixing=0.2'],
    'lambda 0.5': [*ALL_MIXED, 'loss.mixing=0.5'],
}
BASELINES: dict[str, list[str]] = {
    FUSION: [f'method={FUSION}', 'geometry.kind=coupled'],
    'kd': ['method=kd', 'geometry.kind=coupled'],
}
ARMS = MAIN | ABLATIONS | BASELINES


def plan(seeds: Iterable[int]) -> list[tuple[str, int]]:
    """Return all runs: the main comparison first, then seed by seed, so that a cut is fair."""
    seeds = list(seeds)
    rest = [*BASELINES, *ABLATIONS]
    return [(arm, s) for s in seeds for arm in MAIN] + [(arm, s) for s in seeds for arm in rest]


def configure(given: argparse.Namespace, arm: str, seed: int) -> TrainConfig:
    """Return the configuration of a run: config/train/indoor.yaml, smaller."""
    steps = given.steps
    sources = (
        f'[{{kind: folder, path: {given.data}, weight: 0.7}}, '
        f'{{kind: folder, path: {given.work}/rooms, weight: 0.3}}]'
    )
    overrides = [
        f'name={arm.replace(" ", "_")}',
        f'seed={seed}',
        f'device={given.device}',
        f'data.sources={sources}',
        f'data.validation={{kind: folder, path: {given.data}, split: val}}',
        f'data.input_size=[{given.input}, {given.input}]',
        f'data.view_size=[{given.view}, {given.view}]',
        f'data.workers={given.workers}',
        f'model.weights={given.weights}',
        f'optimiser.steps={steps}',
        f'optimiser.batch_size={given.batch}',
        f'optimiser.learning_rate={given.learning_rate}',
        f'optimiser.warmup_steps={steps // 10}',
        f'validate_every={steps}',
        *ARMS[arm],
    ]
    if arm == 'kd':
        overrides.append(f'teacher={run_folder(given, FUSION, seed)}')
    return load_config(CONFIG, overrides)


def run_folder(given: argparse.Namespace, arm: str, seed: int) -> Path:
    """Return where a run is kept."""
    return Path(given.work) / 'runs' / f'{arm.replace(" ", "_")}-{seed}'

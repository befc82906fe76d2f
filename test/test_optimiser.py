"""The optimiser's groups and its learning rate."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from crodino_core.learning.config import OptimiserConfig
from crodino_core.learning.models.twin import Architecture, TwinNetwork
from crodino_core.learning.optimiser import learning_rate_factor, make_optimiser

SETTINGS = OptimiserConfig(
    steps=100, learning_rate=0.01, encoder_factor=0.25, weight_decay=0.125, warmup_steps=10
)


@pytest.fixture(scope='module')
def twin() -> TwinNetwork:
    return TwinNetwork(Architecture(3, 'mobilenet_v3_small', split_channels=8, decoder_channels=8))


def group_of(optimiser: torch.optim.Optimizer, wanted: torch.nn.Parameter) -> dict[str, float]:
    (group,) = (g for g in optimiser.param_groups if any(each is wanted for each in g['params']))
    return {'lr': group['lr'], 'weight_decay': group['weight_decay']}


def test_pretrained_encoders_learn_slower_and_only_weights_decay(twin: TwinNetwork) -> None:
    optimiser = make_optimiser(twin, SETTINGS)
    parameters = dict(twin.named_parameters())

    found = {name: group_of(optimiser, parameter) for name, parameter in parameters.items()}

    for name, group in found.items():
        assert group['lr'] == pytest.approx(0.0025 if '.encoder.' in name else 0.01)
        assert group['weight_decay'] == (0.125 if parameters[name].ndim > 1 else 0.0)
    assert any('.encoder.' in name for name in found)
    assert any(name.startswith('auxiliary') for name in found)


def test_the_rate_rises_in_a_line_and_falls_along_half_a_cosine() -> None:
    factors = [learning_rate_factor(step, SETTINGS) for step in range(101)]

    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert factors[10] == 1
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0)
    assert factors[10:] == sorted(factors[10:], reverse=True)


def test_without_a_warm_up_the_first_step_has_the_full_rate() -> None:
    assert learning_rate_factor(0, replace(SETTINGS, warmup_steps=0)) == 1

"""The optimiser, its learning rate and the average of the weights."""

from __future__ import annotations

import math

import torch
from torch import nn

from crodino_core.learning.config import OptimiserConfig


def make_optimiser(model: nn.Module, settings: OptimiserConfig) -> torch.optim.Optimizer:
    """AdamW; pretrained encoders learn slower; no decay on biases and batch norms."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        groups.setdefault(('.encoder.' in f'.{name}', parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                'params': parameters,
                'lr': settings.learning_rate * (settings.encoder_factor if encoder else 1.0),
                'weight_decay': settings.weight_decay if decayed else 0.0,
            }
            for (encoder, decayed), parameters in groups.items()
        ],
        fused=True,
    )


def learning_rate_factor(step: int, settings: OptimiserConfig) -> float:
    """Return the factor of a step, 0..1: a linear warm-up, then half a cosine down to 0."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


@torch.no_grad()
def move_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move averaged weights and statistics a little towards the current ones (EMA)."""
    averaged, current = average.state_dict(), model.state_dict()
    floats = [name for name, value in averaged.items() if value.is_floating_point()]
    torch._foreach_lerp_(
        [averaged[name] for name in floats], [current[name] for name in floats], 1 - decay
    )

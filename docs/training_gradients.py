"""Which loss moves the encoders: the gradients of training_study.py."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from crodino_core.learning import checkpoint
from crodino_core.learning.config import TrainConfig
from crodino_core.learning.data.samples import training_batches
from crodino_core.learning.models.twin import Architecture, TwinNetwork
from crodino_core.learning.objective import twin_losses
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdFolder

BATCHES = 6


def encoder_gradients(run: Path, config: TrainConfig) -> list[dict[str, str]]:
    """Compare the weighted losses of a trained twin by their gradients on either encoder.

    :return: for each encoder and loss: the `norm` of the gradient and its `cosine` with that of
        the encoder's own segmentation loss, means over `BATCHES` batches. Without the auxiliary
        loss, whose decoder a run does not keep.
    """
    labels = RgbdFolder(config.data.validation.path).labels
    content = checkpoint.load(run / checkpoint.best_name(Modality.RGB))
    twin = TwinNetwork(Architecture(**content['architecture']))
    for m in Modality:
        twin.networks[str(m)] = checkpoint.load_best(run, m)[0]
    twin.train()
    sums: dict[tuple[str, str], Tensor] = {}
    for batch in islice(training_batches(config, labels, 0), BATCHES):
        losses = twin_losses(twin, batch, config.loss)
        for m in Modality:
            own = _gradient(losses[f'segmentation_{m}'], twin, m)
            for name in [name for name in losses if not name.startswith('auxiliary')]:
                gradient = _gradient(losses[name], twin, m)
                norm = gradient.norm()
                cosine = gradient @ own / (norm * own.norm()).clamp(min=1e-12)
                found = torch.stack([norm, cosine]) / BATCHES
                sums[str(m), name] = sums.get((str(m), name), torch.zeros(2)) + found
    return [
        {'encoder': m, 'loss': name, 'norm': f'{norm:.3f}', 'cosine': f'{cosine:.2f}'}
        for (m, name), (norm, cosine) in sums.items()
    ]


def _gradient(loss: Tensor, twin: TwinNetwork, modality: Modality) -> Tensor:
    weights = list(twin.network(modality).encoder.parameters())
    found = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
    pairs = zip(found, weights, strict=True)
    return torch.cat([(torch.zeros_like(w) if g is None else g).flatten() for g, w in pairs])

"""What the twin network is trained on: one batch in, the named losses out."""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import Tensor, nn

from crodino_core.learning import losses, processes
from crodino_core.learning.config import LossConfig
from crodino_core.learning.decoupled_augment import warp_features
from crodino_core.learning.models.twin import Features, TwinNetwork
from crodino_core.modality import Modality

Batch = dict[str, Tensor]


def twin_losses(
    twin: TwinNetwork, batch: Batch, settings: LossConfig, frozen: Collection[Modality] = ()
) -> dict[str, Tensor]:
    """Compute every weighted loss of CroDiNo-KD on one batch.

    :param batch: for each modality `m`: `m` (image), `m_label` and `m_affine`, see `View`.
    :param frozen: modalities whose network has no losses of its own and gets no gradient.
    :return: scalars by name; their sum is the objective.
    """
    features = {m: _encode(twin, m, batch, m in frozen) for m in Modality}
    result: dict[str, Tensor] = {}
    for m in [m for m in Modality if m not in frozen]:
        result |= _segmentation(twin, features, batch, m, settings)
        z = features[m]
        if settings.orthogonality:
            result[f'orthogonality_{m}'] = settings.orthogonality * losses.orthogonality_loss(
                z.invariant.float(), z.specific.float()
            )
        if settings.auxiliary:
            result[f'auxiliary_{m}'] = settings.auxiliary * _auxiliary(
                twin.auxiliary_of(m), z, batch[f'{m}_label'], settings.auxiliary_balance
            )
    if settings.contrastive:
        result['contrastive'] = settings.contrastive * _contrast(twin, features, batch, settings)
    return result


def _encode(twin: TwinNetwork, modality: Modality, batch: Batch, frozen: bool) -> Features:
    network = twin.network(modality)
    if not frozen:
        return network.encode(batch[str(modality)])
    network.eval()  # its batch norms have learned enough, too
    with torch.no_grad():
        return network.encode(batch[str(modality)])


def _segmentation(
    twin: TwinNetwork,
    features: dict[Modality, Features],
    batch: Batch,
    modality: Modality,
    settings: LossConfig,
) -> dict[str, Tensor]:
    """Cross entropy of the clean pass and of the mixed one, decoded together."""
    own, label = features[modality], batch[f'{modality}_label']
    network = twin.network(modality)
    if not settings.mixup:
        logits = network.decode(own.invariant, own.specific, own.skip)
        return {f'segmentation_{modality}': losses.segmentation_loss(logits, label)}
    again = _mixed_images(len(label), settings.mixup_every)
    other, valid = warp_features(
        features[modality.other].invariant[again],
        batch[f'{modality}_affine'][again],
        batch[f'{modality.other}_affine'][again],
    )
    mixed = losses.mix_invariant(own.invariant[again], other, valid, settings.mixing)
    logits = network.decode_variants(
        torch.cat([own.invariant, mixed]), own.specific, own.skip, again
    )
    clean_logits, mixed_logits = logits[: len(label)], logits[len(label) :]
    # A mixed image counts as much as a clean one.
    images = processes.count() * len(label)
    weight = settings.mixup * math.ceil(images / settings.mixup_every) / images
    return {
        f'segmentation_{modality}': losses.segmentation_loss(clean_logits, label),
        f'mixup_{modality}': weight * losses.coarse_segmentation_loss(mixed_logits, label[again]),
    }


def _mixed_images(count: int, every: int) -> slice:
    """Choose every n-th image of the whole batch, of which this process has `count`."""
    first = processes.rank() * count
    return slice(-first % every, None, every)


def _auxiliary(decoder: nn.Module, z: Features, label: Tensor, balance: float) -> Tensor:
    """Sum of the cross entropies of both halves through the decoder A."""
    logits = decoder(torch.cat([z.invariant, z.specific]))
    return 2 * losses.coarse_segmentation_loss(logits, torch.cat([label, label]), balance)


def _contrast(
    twin: TwinNetwork,
    features: dict[Modality, Features],
    batch: Batch,
    settings: LossConfig,
) -> Tensor:
    rgb, depth = (features[m].invariant for m in (Modality.RGB, Modality.DEPTH))
    if settings.contrast == 'global':
        return losses.global_contrast(rgb, depth, settings.temperature)
    return losses.prototype_contrast(
        rgb,
        depth,
        batch['rgb_label'],
        batch['depth_label'],
        twin.architecture.classes,
        settings.temperature,
    )

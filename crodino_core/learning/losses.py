"""The losses of CroDiNo-KD (arXiv 2505.24361); marks as in docs/method.md."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from crodino_core.labels import UNLABELLED
from crodino_core.learning import processes


def segmentation_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Cross entropy at the label's resolution (SEED).

    :param logits: B x K x h x w, resized bilinearly to the label.
    :param label: B x H x W, int64, 255 ignored.
    :return: scalar; 0 where nothing is labelled, so that an empty batch trains nothing.
    """
    logits = functional.interpolate(
        logits.float(), label.shape[-2:], mode='bilinear', align_corners=False
    )
    return _cross_entropy(logits, label)


def coarse_segmentation_loss(logits: Tensor, label: Tensor, balance: float = 0.0) -> Tensor:
    """Cross entropy at the logits' resolution, for the passes that only shape Z (OURS).

    A full-resolution loss on the mixed and auxiliary passes costs as much as the network itself.

    :param logits: B x K x h x w.
    :param label: B x H x W, int64, 255 ignored; reduced to h x w by nearest neighbour.
    :param balance: 0..1; a class of n pixels in the whole batch counts as n^(1 - balance): with 0
        all pixels count alike, with 1 all classes that are seen.
    """
    small = resize_label(label, logits.shape[-2:])
    if not balance:
        return _cross_entropy(logits.float(), small)
    count = torch.bincount(small[small != UNLABELLED], minlength=logits.shape[1]).float()
    count = processes.mean(count)
    weight = count.clamp(min=1 / processes.count()) ** -balance
    total = functional.cross_entropy(
        logits.float(), small, weight, ignore_index=UNLABELLED, reduction='sum'
    )
    # Divided by the mean of all processes, as `_mean_count` is.
    return total / (weight * count).sum().clamp(min=1 / processes.count())


def resize_label(label: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize labels B x H x W by nearest neighbour."""
    return functional.interpolate(label[:, None].float(), size, mode='nearest-exact')[:, 0].long()


def orthogonality_loss(invariant: Tensor, specific: Tensor) -> Tensor:
    """Eq 5: absolute cosine of Z_inv and Z_spe at each pixel, averaged (SEED).

    :param invariant: B x C x h x w.
    :param specific: B x C x h x w.
    """
    return functional.cosine_similarity(invariant, specific, dim=1).abs().mean()


def mix_invariant(own: Tensor, other: Tensor, valid: Tensor, mixing: float) -> Tensor:
    """Eq 3: lambda Z_inv^other + (1 - lambda) Z_inv^own where the other one sees (SEED / OURS).

    :param own: B x C x h x w.
    :param other: B x C x h x w, already in the own image's geometry.
    :param valid: B x 1 x h x w in 0..1; 0 where the other modality's crop does not reach.
    :param mixing: lambda, 0.05 to 0.5.
    """
    weight = mixing * valid
    return weight * other + (1.0 - weight) * own


def distillation_loss(logits: Tensor, taught: Tensor, label: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence from the teacher, times T^2, over labelled pixels (OURS).

    :param logits: of the student, B x K x h x w.
    :param taught: logits of the teacher, B x K x h x w.
    :param label: B x H x W, int64; pixels without a class are often outside the image.
    :return: scalar; 0 where nothing is labelled.
    """
    known = resize_label(label, logits.shape[-2:]) != UNLABELLED
    divergence = functional.kl_div(
        functional.log_softmax(logits.float() / temperature, 1),
        functional.log_softmax(taught.float() / temperature, 1),
        reduction='none',
        log_target=True,
    ).sum(1)
    return temperature**2 * (divergence * known).sum() / _mean_count(known)


def class_prototypes(features: Tensor, label: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Average the features over the pixels of each class of each image.

    :param features: B x C x h x w.
    :param label: B x H x W, int64, 255 ignored; reduced to h x w by nearest neighbour.
    :return: prototypes B x K x C, and presence B x K (bool).
    """
    small = resize_label(label, features.shape[-2:])
    # One more class collects the unlabelled pixels and is cut off again.
    small = torch.where(small == UNLABELLED, classes, small)
    member = functional.one_hot(small, classes + 1)[..., :classes].to(features.dtype)
    count = member.sum((1, 2))
    sums = torch.einsum('bhwk,bchw->bkc', member, features)
    return sums / count.clamp(min=1)[..., None], count > 0


def prototype_contrast(
    rgb: Tensor,
    depth: Tensor,
    rgb_label: Tensor,
    depth_label: Tensor,
    classes: int,
    temperature: float = 0.07,
) -> Tensor:
    """Eq 7 on class prototypes, symmetric InfoNCE (SEED idea, OURS unit).

    The positive of a prototype is the same image and class in the other modality; its negatives
    are the other modality's prototypes of other classes in the batch, of this image or another;
    the same class of another image is neither. A class that only one of an image's two views
    shows has no positive, and is left out as a negative too (OURS). Needs no pixel alignment,
    hence survives decoupled geometry.

    :param rgb: Z_inv of RGB, B x C x h x w; `depth` likewise (h, w may differ).
    :param rgb_label: B x H x W, int64, in the geometry of the RGB image.
    :return: scalar; 0 where no class is seen by both.
    """
    # Under autocast the sums and products would be bfloat16: too coarse to be divided by 0.07.
    with torch.autocast(rgb.device.type, enabled=False):
        rgb_prototypes, rgb_present = class_prototypes(rgb.float(), rgb_label, classes)
        depth_prototypes, depth_present = class_prototypes(depth.float(), depth_label, classes)
        rgb_prototypes = processes.gathered(rgb_prototypes)
        depth_prototypes = processes.gathered(depth_prototypes)
        seen = processes.gathered(rgb_present & depth_present)
        if not seen.any():
            return (rgb_prototypes.sum() + depth_prototypes.sum()) * 0.0
        _, label = seen.nonzero(as_tuple=True)
        similarity = _cosine(rgb_prototypes[seen], depth_prototypes[seen]) / temperature
    same_class = label[:, None] == label[None, :]
    itself = torch.eye(len(label), dtype=torch.bool, device=label.device)
    return _symmetric_info_nce(similarity.masked_fill(same_class & ~itself, float('-inf')))


def global_contrast(rgb: Tensor, depth: Tensor, temperature: float = 0.07) -> Tensor:
    """Eq 7 on global averages of Z_inv (SEED); the positive is the same image.

    :param rgb: B x C x h x w.
    :param depth: B x C x h x w.
    """
    with torch.autocast(rgb.device.type, enabled=False):
        similarity = _cosine(
            processes.gathered(rgb.float().mean((2, 3))),
            processes.gathered(depth.float().mean((2, 3))),
        )
    return _symmetric_info_nce(similarity / temperature)


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return functional.normalize(a, dim=1) @ functional.normalize(b, dim=1).T


def _symmetric_info_nce(similarity: Tensor) -> Tensor:
    target = torch.arange(len(similarity), device=similarity.device)
    forward = functional.cross_entropy(similarity, target)
    return (forward + functional.cross_entropy(similarity.T, target)) / 2


def _cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    total = functional.cross_entropy(logits, label, ignore_index=UNLABELLED, reduction='sum')
    return total / _mean_count(label != UNLABELLED)


def _mean_count(known: Tensor) -> Tensor:
    """Count pixels, as the mean of all processes.

    The mean of their losses is then the loss of the whole batch, however the labelled pixels lie.
    """
    return processes.mean(known.sum()).clamp(min=1 / processes.count())

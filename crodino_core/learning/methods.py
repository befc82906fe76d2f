"""CroDiNo-KD and the methods it is measured against, all for the same trainer."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from crodino_core.errors import UsageError
from crodino_core.labels import LabelSet
from crodino_core.learning import checkpoint, losses
from crodino_core.learning.config import LossConfig, TrainConfig
from crodino_core.learning.models.fusion import FusionNetwork
from crodino_core.learning.models.twin import Architecture, TwinNetwork
from crodino_core.learning.objective import Batch, twin_losses
from crodino_core.learning.validate import ImageReader, read_both, read_depth, read_rgb
from crodino_core.modality import Modality

FUSION = 'fusion'


@dataclass(frozen=True)
class Part:
    """A network that is validated on its own."""

    name: str
    network: nn.Module
    read: ImageReader
    kept: bool = True
    """Whether its best state is written; a second look at the same network is not."""


class Method(Protocol):
    """What the trainer has to know of a way to train."""

    def build(self, architecture: Architecture, weights: str | None) -> nn.Module:
        """Make all the networks that are trained."""

    def start(self, model: nn.Module) -> None:
        """Give the networks what a new run starts from; a resumed one has a checkpoint."""

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the weighted losses of a batch by name; their sum is minimised."""

    def learners(self, model: nn.Module) -> list[nn.Module]:
        """Return what learns together, apart from the rest: its gradient is clipped as one."""

    def parts(self, model: nn.Module) -> list[Part]:
        """Return what is validated."""


def make_method(config: TrainConfig, labels: LabelSet, device: torch.device) -> Method:
    """Choose the method of a configuration.

    :raises UsageError: the settings do not fit the method.
    :raises CrodinoError: the teacher cannot be loaded.
    """
    _refuse_ignored(config)
    if config.method in ('kd', 'early_fusion_zero_filled') and (
        config.geometry.kind == 'decoupled'
    ):
        raise UsageError(
            f'the method {config.method} sees both images of a frame at once, and '
            'geometry.kind decoupled moves them apart; coupled or none was expected'
        )
    if config.method == 'early_fusion_zero_filled':
        return EarlyFusion()
    if config.method == 'kd':
        if config.teacher is None:
            raise UsageError(
                'the method kd needs teacher: the run folder of an early_fusion_zero_filled run'
            )
        teacher = _load_teacher(Path(config.teacher), labels).to(device)
        return Distillation(config.loss, labels, teacher)
    return Twin(
        config.loss if config.method == 'crodino' else nothing_joined(config.loss),
        labels,
        Path(config.start_from) if config.start_from else None,
        config.frozen,
    )


def _refuse_ignored(config: TrainConfig) -> None:
    """Refuse settings that the method would not look at."""
    if config.teacher is not None and config.method != 'kd':
        raise UsageError(f'teacher is given, and the method {config.method} has none; kd has')
    if config.method in ('kd', 'early_fusion_zero_filled') and (
        config.start_from is not None or config.frozen
    ):
        raise UsageError(
            f'start_from and frozen are of the methods crodino and independent; the method is '
            f'{config.method}'
        )
    if config.frozen and config.start_from is None:
        raise UsageError(
            'frozen names a network that would stay as it was initialised; give start_from, the '
            'run folder it comes from'
        )


def nothing_joined(settings: LossConfig) -> LossConfig:
    """Return the weights of two networks that share only the loop they are trained in."""
    return dataclasses.replace(settings, orthogonality=0, contrastive=0, auxiliary=0, mixup=0)


class Twin:
    """CroDiNo-KD or, with all cross-modal losses switched off, two independent networks."""

    def __init__(
        self,
        settings: LossConfig,
        labels: LabelSet,
        start_from: Path | None = None,
        frozen: Collection[Modality] = (),
    ) -> None:
        if len(set(frozen)) == len(Modality):
            raise UsageError('frozen names every network, so there is nothing to train; name one')
        self.settings = settings
        self.labels = labels
        self.start_from = start_from
        self.frozen = frozenset(frozen)

    def build(self, architecture: Architecture, weights: str | None) -> nn.Module:
        """Make both networks and what decodes their halves."""
        twin = TwinNetwork(architecture, weights, self.settings.auxiliary_shared)
        for m in Modality:
            twin.network(m).requires_grad_(m not in self.frozen)
        return twin

    def start(self, model: nn.Module) -> None:
        """Take both networks from the run `start_from`, if one is named.

        :raises CrodinoError: it is not finished, of another architecture or of other classes.
        """
        assert isinstance(model, TwinNetwork)
        if self.start_from is None:
            return
        for m in Modality:
            path = self.start_from / checkpoint.best_name(m)
            content = checkpoint.read_best(path, m)
            known = LabelSet.from_list(content['labels'], str(path))
            checkpoint.check_labels(known, self.labels, path)
            checkpoint.check_architecture(content, model.architecture, path)
            checkpoint.load_weights(model.network(m), content['network'], path)

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return every loss whose weight is not 0."""
        assert isinstance(model, TwinNetwork)
        return twin_losses(model, batch, self.settings, self.frozen)

    def learners(self, model: nn.Module) -> list[nn.Module]:
        """Return the twin, or each network where no loss joins them."""
        assert isinstance(model, TwinNetwork)
        return [model] if _joins(self.settings) else [model.network(m) for m in Modality]

    def parts(self, model: nn.Module) -> list[Part]:
        """Return both networks."""
        assert isinstance(model, TwinNetwork)
        readers: dict[Modality, ImageReader] = {Modality.RGB: read_rgb, Modality.DEPTH: read_depth}
        return [Part(str(m), model.network(m), read) for m, read in readers.items()]


class Distillation(Twin):
    """Two students of a multi-modal teacher, by their logits (Hinton et al., arXiv 1503.02531)."""

    def __init__(self, settings: LossConfig, labels: LabelSet, teacher: FusionNetwork) -> None:
        super().__init__(nothing_joined(settings), labels)
        self.teacher = teacher.eval().requires_grad_(False)

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the cross entropy and the distillation loss of each student."""
        assert isinstance(model, TwinNetwork)
        with torch.no_grad():
            taught = self.teacher(_stack(batch))
        result = {}
        for m in Modality:
            logits, label = model.network(m)(batch[str(m)]), batch[f'{m}_label']
            result[f'segmentation_{m}'] = losses.segmentation_loss(logits, label)
            result[f'distillation_{m}'] = self.settings.distillation * losses.distillation_loss(
                logits, taught, label, self.settings.distillation_temperature
            )
        return result


class EarlyFusion:
    """One network for both sensors; validated with both, and with zeros for either."""

    def build(self, architecture: Architecture, weights: str | None) -> nn.Module:
        """Make the network."""
        return FusionNetwork(architecture, weights)

    def start(self, model: nn.Module) -> None:
        """Leave the network as it is."""

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the cross entropy; the labels of both views are one under coupled geometry."""
        return {FUSION: losses.segmentation_loss(model(_stack(batch)), batch['rgb_label'])}

    def learners(self, model: nn.Module) -> list[nn.Module]:
        """Return the network."""
        return [model]

    def parts(self, model: nn.Module) -> list[Part]:
        """Return the network as it was trained and with each sensor dead."""
        return [
            Part(FUSION, model, read_both()),
            *(Part(f'{FUSION}_without_{m}', model, read_both(m), kept=False) for m in Modality),
        ]


class Objective(nn.Module):
    """The losses of a method as one module, which is what DDP can share."""

    def __init__(self, method: Method, model: nn.Module) -> None:
        super().__init__()
        self.method = method
        self.model = model

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weighted losses of a batch by name."""
        return self.method.losses(self.model, batch)


def _joins(settings: LossConfig) -> bool:
    """Whether a loss has a gradient in both networks, or in auxiliary decoders beside them."""
    return bool(settings.contrastive or settings.auxiliary or settings.mixup)


def _stack(batch: Batch) -> Tensor:
    return torch.cat([batch['rgb'], batch['depth']], 1)


def _load_teacher(run: Path, labels: LabelSet) -> FusionNetwork:
    path = run / checkpoint.best_name(FUSION)
    content = checkpoint.read_best(path, None)
    checkpoint.check_labels(LabelSet.from_list(content['labels'], str(path)), labels, path)
    teacher = FusionNetwork(Architecture(**content['architecture']))
    checkpoint.load_weights(teacher, content['network'], path)
    return teacher

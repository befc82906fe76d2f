"""Twin single-modality networks trained together, without a teacher (arXiv 2505.24361)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from crodino_core.errors import UsageError
from crodino_core.learning.models.deeplabv3plus import AuxiliaryDecoder, DeepLabV3PlusDecoder
from crodino_core.learning.models.encoder import Encoder
from crodino_core.learning.models.inputs import DepthInput, RgbInput
from crodino_core.modality import Modality

SplitKind = Literal['projection', 'halves']


@dataclass(frozen=True)
class Architecture:
    """What must be known to build the networks; stored in every checkpoint."""

    classes: int
    backbone: str = 'mobilenet_v2'
    split: SplitKind = 'projection'
    split_channels: int = 128
    """Channels of each half after a projection; `halves` takes what the encoder has."""
    decoder_channels: int = 128
    separable: bool = True
    dropout: float = 0.1
    rgb_mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    rgb_std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    depth_range: tuple[float, float] = (0.1, 10.0)


@dataclass(frozen=True)
class Features:
    """What one encoder sees in one image."""

    invariant: Tensor
    """Z_inv, B x C x H/16 x W/16: what both modalities could know."""
    specific: Tensor
    """Z_spe, B x C x H/16 x W/16: what only this modality knows."""
    skip: Tensor
    """B x S x H/4 x W/4."""


class Split(nn.Module):
    """Split Z_m into an invariant and a specific half."""

    def __init__(self, kind: SplitKind, in_channels: int, channels: int) -> None:
        """Build the split.

        :param kind: `projection`: two 1x1 projections (SEED); `halves`: the two halves of the
            encoder's channels (SIBLING).
        """
        super().__init__()
        self.kind = kind
        if kind == 'halves':
            if in_channels % 2:
                raise UsageError(f'{in_channels} channels cannot be split into halves')
            self.channels = in_channels // 2
            return
        self.channels = channels
        self.invariant = _projection(in_channels, channels)
        self.specific = _projection(in_channels, channels)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return Z_inv and Z_spe, each B x channels x h x w."""
        if self.kind == 'halves':
            invariant, specific = z.chunk(2, dim=1)
            return invariant, specific
        return self.invariant(z), self.specific(z)


class ModalityNetwork(nn.Module):
    """Encoder, split and decoder of one modality: all that is needed at inference."""

    def __init__(
        self, modality: Modality, architecture: Architecture, weights: str | None = None
    ) -> None:
        super().__init__()
        self.modality = modality
        self.input: RgbInput | DepthInput
        if modality is Modality.RGB:
            self.input = RgbInput(architecture.rgb_mean, architecture.rgb_std)
        else:
            self.input = DepthInput(architecture.depth_range)
        self.encoder = Encoder(architecture.backbone, self.input.channels, weights)
        self.split = Split(architecture.split, self.encoder.channels, architecture.split_channels)
        self.decoder = DeepLabV3PlusDecoder(
            2 * self.split.channels,
            self.encoder.skip_channels,
            architecture.classes,
            architecture.decoder_channels,
            architecture.separable,
            architecture.dropout,
        )

    def encode(self, image: Tensor) -> Features:
        """Encode RGB B x 3 x H x W in 0..1 or depth B x 1 x H x W in metres (0, NaN invalid)."""
        z, skip = self.encoder(self.input(image))
        invariant, specific = self.split(z)
        return Features(invariant, specific, skip)

    def decode(self, invariant: Tensor, specific: Tensor, skip: Tensor) -> Tensor:
        """Return the logits Dec_m(cat(Z_inv, Z_spe)), B x K x H/4 x W/4."""
        return self.decoder(torch.cat([invariant, specific], 1), skip)

    def decode_variants(
        self, invariants: Tensor, specific: Tensor, skip: Tensor, again: slice
    ) -> Tensor:
        """Decode Z_inv of B images and a variant of those `again`, with one Z_spe and skip."""
        return self.decoder.decode_variants(invariants, specific, skip, again)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits B x K x H/4 x W/4 of one image batch, see `encode`."""
        features = self.encode(image)
        return self.decode(features.invariant, features.specific, features.skip)


class TwinNetwork(nn.Module):
    """Both modalities' networks and the auxiliary decoder they share while training."""

    def __init__(
        self,
        architecture: Architecture,
        weights: str | None = None,
        shared_auxiliary: bool = True,
    ) -> None:
        """Build the networks.

        :param weights: initial weights of the encoders, see `Encoder`.
        :param shared_auxiliary: False gives depth an auxiliary decoder of its own (the ablation).
        """
        super().__init__()
        self.architecture = architecture
        self.networks = nn.ModuleDict(
            {str(m): ModalityNetwork(m, architecture, weights) for m in Modality}
        )
        channels = self.network(Modality.RGB).split.channels
        self.auxiliary = AuxiliaryDecoder(channels, architecture.classes)
        self.depth_auxiliary: AuxiliaryDecoder | None = None
        if not shared_auxiliary:
            self.depth_auxiliary = AuxiliaryDecoder(channels, architecture.classes)

    def network(self, modality: Modality) -> ModalityNetwork:
        """Return the network of one modality."""
        network = self.networks[str(modality)]
        assert isinstance(network, ModalityNetwork)
        return network

    def auxiliary_of(self, modality: Modality) -> AuxiliaryDecoder:
        """Return the auxiliary decoder of one modality, which may be the other one's, too."""
        if modality is Modality.DEPTH and self.depth_auxiliary is not None:
            return self.depth_auxiliary
        return self.auxiliary


def _projection(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, channels, 1, bias=False), nn.BatchNorm2d(channels))

"""The DeepLabV3+ decoder (Chen et al., ECCV 2018, arXiv 1802.02611)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

ASPP_RATES = (6, 12, 18)
SKIP_CHANNELS = 48


class DeepLabV3PlusDecoder(nn.Module):
    """ASPP on stride-16 features, then fusion with the stride-4 skip (SEED)."""

    def __init__(
        self,
        in_channels: int,
        skip_channels: int,
        classes: int,
        channels: int = 256,
        separable: bool = False,
        dropout: float = 0.1,
    ) -> None:
        """Build the decoder.

        :param channels: width of ASPP and of the decoder.
        :param separable: depthwise separable 3x3 convolutions (the real-time variant).
        :param dropout: share of ASPP's output that is dropped in training.
        """
        super().__init__()
        self.aspp = ASPP(in_channels, channels, separable, dropout)
        self.skip = _convolution(skip_channels, SKIP_CHANNELS, kernel=1)
        self.fuse = nn.Sequential(
            _convolution(channels + SKIP_CHANNELS, channels, separable=separable),
            _convolution(channels, channels, separable=separable),
        )
        self.classify = nn.Conv2d(channels, classes, 1)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Return logits B x K x H/4 x W/4."""
        context = functional.interpolate(
            self.aspp(features), skip.shape[-2:], mode='bilinear', align_corners=False
        )
        return self.classify(self.fuse(torch.cat([context, self.skip(skip)], 1)))

    def decode_variants(
        self, variants: Tensor, common: Tensor, skip: Tensor, again: slice
    ) -> Tensor:
        """Decode several variants of the first channels that have all the rest in common.

        The same as `forward` on features whose `common` part and skip are repeated, but for
        rounding and the skip's batch norm, which sees every image once; what is in common goes
        through the linear layers once.

        :param variants: n x C1 x H/16 x W/16: one of each of the B images, then a second one of
            the images `again`.
        :param common: B x C2 x H/16 x W/16, the last channels of every variant's features.
        :param skip: B x skip_channels x H/4 x W/4.
        :param again: the images of the further variants.
        :return: logits n x K x H/4 x W/4.
        """
        context = functional.interpolate(
            self.aspp.forward_variants(variants, common, again),
            skip.shape[-2:],
            mode='bilinear',
            align_corners=False,
        )
        first, second = self.fuse
        return self.classify(second(_convolve_variants(first, context, self.skip(skip), again)))


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: a 1x1, three dilated 3x3 and image pooling."""

    def __init__(self, in_channels: int, channels: int, separable: bool, dropout: float) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [_convolution(in_channels, channels, kernel=1)]
            + [
                _convolution(in_channels, channels, dilation=rate, separable=separable)
                for rate in ASPP_RATES
            ]
        )
        # No batch norm on 1x1 pixels: a batch of one would have no variance to estimate.
        self.pool = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(in_channels, channels, 1), nn.ReLU()
        )
        self.project = nn.Sequential(
            _convolution((len(ASPP_RATES) + 2) * channels, channels, kernel=1),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x h x w to B x channels x h x w."""
        return self._project([branch(x) for branch in self.branches], self.pool(x))

    def forward_variants(self, variants: Tensor, common: Tensor, again: slice) -> Tensor:
        """Map n x C1 x h x w and B x C2 x h x w to n x channels x h x w.

        See `DeepLabV3PlusDecoder.decode_variants`.
        """
        mean = _with_again(common.mean((2, 3), keepdim=True), again)
        pooled = self.pool(torch.cat([variants.mean((2, 3), keepdim=True), mean], 1))
        branches = [_convolve_variants(each, variants, common, again) for each in self.branches]
        return self._project(branches, pooled)

    def _project(self, branches: list[Tensor], pooled: Tensor) -> Tensor:
        everywhere = pooled.expand(-1, -1, *branches[0].shape[-2:])
        return self.project(torch.cat([*branches, everywhere], 1))


class AuxiliaryDecoder(nn.Module):
    """The decoder A that both modalities share; it reads one half alone (SIBLING)."""

    def __init__(self, in_channels: int, classes: int, channels: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(in_channels, channels, separable=True), nn.Conv2d(channels, classes, 1)
        )

    def forward(self, half: Tensor) -> Tensor:
        """Return logits B x K x H/16 x W/16."""
        return self.layers(half)


def _convolution(
    in_channels: int, channels: int, kernel: int = 3, dilation: int = 1, separable: bool = False
) -> nn.Sequential:
    """Convolution, batch norm, ReLU; optionally depthwise and pointwise apart."""
    padding = dilation * (kernel // 2)
    if not separable:
        convolutions = [nn.Conv2d(in_channels, channels, kernel, 1, padding, dilation, bias=False)]
    else:
        convolutions = [
            nn.Conv2d(
                in_channels, in_channels, kernel, 1, padding, dilation, in_channels, bias=False
            ),
            nn.Conv2d(in_channels, channels, 1, bias=False),
        ]
    return nn.Sequential(*convolutions, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def _convolve_variants(
    layers: nn.Sequential, variants: Tensor, common: Tensor, again: slice
) -> Tensor:
    """Return `layers(cat([variants, _with_again(common)], 1))` of a `_convolution`.

    A convolution of two groups of channels is the sum of the convolutions of each, so that
    `common` is convolved once for all variants.
    """
    *convolutions, norm, activation = layers
    of_variants = _convolve_part(convolutions, variants, first=0)
    of_common = _convolve_part(convolutions, common, first=variants.shape[1])
    # Not a sum that broadcasts: its gradient is reduced over planes, which takes longer.
    return activation(norm(of_variants + _with_again(of_common, again)))


def _with_again(common: Tensor, again: slice) -> Tensor:
    return torch.cat([common, common[again]])


def _convolve_part(convolutions: Sequence[nn.Module], part: Tensor, first: int) -> Tensor:
    """Apply the convolutions to the input channels from `first` on, as if the others were 0."""
    channels = slice(first, first + part.shape[1])
    for convolution in convolutions:
        assert isinstance(convolution, nn.Conv2d)
        depthwise = convolution.groups > 1
        weight = convolution.weight[channels] if depthwise else convolution.weight[:, channels]
        part = functional.conv2d(
            part,
            weight,
            None,
            convolution.stride,
            convolution.padding,
            convolution.dilation,
            part.shape[1] if depthwise else 1,
        )
    return part

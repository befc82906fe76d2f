"""The DeepLabV3+ decoder (Chen et al., ECCV 2018, arXiv 1802.02611)."""

from __future__ import annotations

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
    ) -> None:
        """Build the decoder.

        :param channels: width of ASPP and of the decoder.
        :param separable: depthwise separable 3x3 convolutions (the real-time variant).
        """
        super().__init__()
        self.aspp = ASPP(in_channels, channels, separable)
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


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: a 1x1, three dilated 3x3 and image pooling."""

    def __init__(self, in_channels: int, channels: int, separable: bool) -> None:
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
            _convolution((len(ASPP_RATES) + 2) * channels, channels, kernel=1), nn.Dropout(0.1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x h x w to B x channels x h x w."""
        pooled = self.pool(x).expand(-1, -1, *x.shape[-2:])
        return self.project(torch.cat([branch(x) for branch in self.branches] + [pooled], 1))


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

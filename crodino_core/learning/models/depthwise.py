"""Depthwise convolutions that train quickly on a CPU in bfloat16."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WideDepthwiseConv2d(nn.Conv2d):
    """A strided or dilated depthwise convolution; float32 on a CPU, whatever autocast says.

    oneDNN has no quick gradient of these in bfloat16: on an AVX-512 CPU those of `mobilenet_v2`
    take 2 to 20 times as long as in float32, a quarter of a training step.
    """

    def forward(self, image: Tensor) -> Tensor:
        """Convolve B x C x H x W."""
        # Only where autocast has been at work: an exported graph shall have no cast here.
        if image.device.type != 'cpu' or not torch.is_autocast_enabled('cpu'):
            return super().forward(image)
        with torch.autocast('cpu', enabled=False):
            return super().forward(image.to(self.weight.dtype))


def widen_depthwise(stage: nn.Module) -> None:
    """Make the strided and the dilated depthwise convolutions of a stage `WideDepthwiseConv2d`."""
    for module in stage.modules():
        if type(module) is not nn.Conv2d or max(*module.stride, *module.dilation) == 1:
            continue
        if module.groups == module.in_channels > 1:
            # Nothing but `forward` differs; parameters and their names stay what they are.
            module.__class__ = WideDepthwiseConv2d

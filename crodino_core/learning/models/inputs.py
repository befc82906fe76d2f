"""From physical units to what an encoder reads; part of the exported graph."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class RgbInput(nn.Module):
    """Normalise colour by the mean and deviation of ImageNet."""

    channels = 3

    def __init__(self, mean: tuple[float, float, float], std: tuple[float, float, float]) -> None:
        super().__init__()
        self.register_buffer('mean', torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, rgb: Tensor) -> Tensor:
        """Normalise B x 3 x H x W in 0..1."""
        return (rgb - self.mean) / self.std


class DepthInput(nn.Module):
    """Inverse depth, log depth and validity (OURS).

    The inverse depth of a plane is affine in pixel coordinates, so that edges and surface
    orientation are simple filters on it; log depth keeps contrast far away.
    """

    channels = 3

    def __init__(self, depth_range: tuple[float, float]) -> None:
        super().__init__()
        self.near, self.far = depth_range

    def forward(self, depth: Tensor) -> Tensor:
        """Map B x 1 x H x W metres to B x 3 x H x W; outside the range, 0 or NaN is invalid.

        Under autocast the metres are rounded first: autocast begins at the first convolution, but
        an engine of that precision at its input (docs/method.md).
        """
        if torch.is_autocast_enabled(depth.device.type):
            depth = depth.to(torch.get_autocast_dtype(depth.device.type)).float()
        valid = (depth >= self.near) & (depth <= self.far)
        # A comparison with NaN is false, so NaN is replaced here too (REP-117).
        metres = torch.where(valid, depth, torch.full_like(depth, self.far))
        mask = valid.to(depth.dtype)
        inverse = (1.0 / metres.clamp(min=max(self.near, 0.25)) - 0.5) * 2.0
        logarithm = (torch.log(metres) - math.log(2.5)) * 1.5
        return torch.cat([inverse * mask, logarithm * mask, mask], 1)

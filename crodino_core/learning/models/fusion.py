"""One network that sees both sensors at once: the teacher, and the baseline that fails."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crodino_core.learning.models.deeplabv3plus import DeepLabV3PlusDecoder
from crodino_core.learning.models.encoder import Encoder
from crodino_core.learning.models.inputs import DepthInput, RgbInput
from crodino_core.learning.models.twin import Architecture


class FusionNetwork(nn.Module):
    """Early fusion: colour and depth are stacked and go through one encoder and decoder.

    When a sensor dies it is fed zeros, which it has never seen: the failure that the twin
    networks do not have.
    """

    def __init__(self, architecture: Architecture, weights: str | None = None) -> None:
        super().__init__()
        self.rgb_input = RgbInput(architecture.rgb_mean, architecture.rgb_std)
        self.depth_input = DepthInput(architecture.depth_range)
        channels = self.rgb_input.channels + self.depth_input.channels
        self.encoder = Encoder(architecture.backbone, channels, weights)
        self.decoder = DeepLabV3PlusDecoder(
            self.encoder.channels,
            self.encoder.skip_channels,
            architecture.classes,
            architecture.decoder_channels,
            architecture.separable,
            architecture.dropout,
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return logits B x K x H/4 x W/4.

        :param image: B x 4 x H x W: RGB in 0..1 and depth in metres (0, NaN invalid).
        """
        rgb, depth = image[:, :3], image[:, 3:]
        stacked = torch.cat([self.rgb_input(rgb), self.depth_input(depth)], 1)
        return self.decoder(*self.encoder(stacked))

"""The validation of a network in training."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from crodino_core.iou import miou_of
from crodino_core.learning.validate import confusion, mean_iou, read_rgb
from crodino_core.rgbd_folder import RgbdSample


class RedIsOne(nn.Module):
    """Logits at half of the input size: class 1 where the picture is red."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = nn.Module()
        self.decoder.classify = nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            self.decoder.classify.weight.copy_(
                torch.tensor([[0, 1.0, 0], [1.0, 0, 0]])[..., None, None]
            )
            self.decoder.classify.bias.zero_()

    def forward(self, image: Tensor) -> Tensor:
        self.seen = image.shape
        return self.decoder.classify(image[..., ::2, ::2])


def test_masks_are_compared_at_the_size_of_the_labels() -> None:
    rgb, label = np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64), np.uint8)
    rgb[:, :32, 0], rgb[:, 32:, 1], label[:, :32] = 255, 255, 1
    label[:2] = 255
    network = RedIsOne()
    sample = RgbdSample('a/b', rgb, np.zeros((48, 64), np.float32), label)

    counts = confusion(network, read_rgb, [sample], (36, 48))

    assert network.seen == (1, 3, 36, 48)
    assert counts.sum() == 46 * 64  # the labelled pixels
    assert mean_iou(counts) > 90


def test_the_miou_in_training_is_that_of_the_evaluation() -> None:
    counts = torch.randint(0, 99, (14, 14), generator=torch.Generator().manual_seed(0))
    counts[3], counts[:, 3] = 0, 0  # a class that occurs nowhere
    counts[5] = 0  # one that is only predicted

    assert mean_iou(counts) == miou_of(np.pad(counts.numpy(), ((0, 0), (0, 1))))
    hits = counts.diag().double()
    union = counts.sum(0) + counts.sum(1) - hits
    expected = 100 * (hits[union > 0] / union[union > 0]).mean()
    assert mean_iou(counts) == pytest.approx(float(expected), rel=1e-12)


def test_nothing_counted_has_no_miou() -> None:
    assert math.isnan(mean_iou(torch.zeros(3, 3, dtype=torch.int64)))

"""Masks and mIoU of a network in training, on whole frames.

Frames and labels are as `load_source` keeps them: resized to 4/3 of the network's input size. The
network sees a frame at its input size, and its logits are enlarged to that of the label, where
masks are compared. `crodino evaluate` instead scores the exported graphs, at the size of the
images on disk and with the engine's rounding: its mIoU is another figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.classification import MulticlassConfusionMatrix

from crodino_core.iou import miou_of
from crodino_core.labels import UNLABELLED
from crodino_core.learning import processes
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdSample

ImageReader = Callable[[RgbdSample, tuple[int, int]], Tensor]
"""Turns a sample into what a network takes, C x H x W at the height and width given."""


def confusion(
    network: nn.Module,
    read: ImageReader,
    samples: Sequence[RgbdSample],
    input_size: tuple[int, int],
    batch_size: int = 4,
) -> Tensor:
    """Count pixels by true and predicted class, int64 [K, K]; rows are the ground truth.

    Of several processes each takes its share of the samples and gets the counts of all.

    :param samples: images of one size.
    """
    device = next(network.parameters()).device
    classes = network.decoder.classify.out_channels  # type: ignore[union-attr]
    counts = MulticlassConfusionMatrix(classes, ignore_index=UNLABELLED).to(device)
    share = samples[processes.rank() :: processes.count()]
    for start in range(0, len(share), batch_size):
        batch = share[start : start + batch_size]
        label = torch.from_numpy(np.stack([sample.label for sample in batch])).long()
        counts.update(predict(network, read, batch, input_size), label.to(device))
    return counts.compute()


@torch.no_grad()
def predict(
    network: nn.Module, read: ImageReader, batch: Sequence[RgbdSample], input_size: tuple[int, int]
) -> Tensor:
    """Return the classes of a few samples of one size, int64 B x H x W at the samples' size."""
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    images = torch.stack([read(sample, input_size) for sample in batch])
    logits = network(images.to(device).contiguous(memory_format=torch.channels_last))
    network.train(training)
    logits = functional.interpolate(
        logits.float(), batch[0].label.shape, mode='bilinear', align_corners=False
    )
    return logits.argmax(1)


def mean_iou(confusion: Tensor) -> float:
    """Return the mIoU in percent, see `miou_of`; NaN when no pixel was counted."""
    miou = miou_of(confusion.cpu().numpy())
    return math.nan if miou is None else miou


def read_rgb(sample: RgbdSample, size: tuple[int, int]) -> Tensor:
    """Return the colour image, 3 x H x W in 0..1."""
    rgb = cv2.resize(sample.rgb, size[::-1], interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(rgb).permute(2, 0, 1).float() / 255


def read_depth(sample: RgbdSample, size: tuple[int, int]) -> Tensor:
    """Return the depth image, 1 x H x W in metres."""
    depth = cv2.resize(sample.depth, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return torch.from_numpy(depth)[None]


def read_both(without: Modality | None = None) -> ImageReader:
    """Return a reader of both images, 4 x H x W, with zeros for a dead sensor."""

    def read(sample: RgbdSample, size: tuple[int, int]) -> Tensor:
        rgb, depth = read_rgb(sample, size), read_depth(sample, size)
        if without is not None:
            (rgb if without is Modality.RGB else depth).zero_()
        return torch.cat([rgb, depth])

    return read

"""What changes the values of a view and leaves its geometry alone: one pipeline a modality."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from pydantic.dataclasses import dataclass as settings_dataclass
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as image_transforms

from crodino_core.learning.data.scenes import simulate_depth_sensor
from crodino_core.learning.setting_types import STRICT, Share, Strength

Pipeline = Callable[[Tensor, np.random.Generator], Tensor]
"""Takes a view, float32 [C, h, w], and returns a changed one of the same shape and type.

All that is random in it comes from the generator, so that a sample depends on its index alone.
"""


@settings_dataclass(frozen=True, config=STRICT)
class PhotometricSettings:
    """Strength of the changes that leave geometry alone; 0 switches one off."""

    color_jitter: Strength = 0.35
    blur: Share = 0.15
    rgb_noise: Strength = 0.03
    depth_scale: Strength = 0.08
    depth_sensor: Share = 0.7
    """Share of depth views seen through the noise model of a real sensor."""
    depth_holes: Share = 0.3


@dataclass(frozen=True)
class RgbPipeline:
    """Colour jitter, blur and noise."""

    settings: PhotometricSettings

    def __call__(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        """Change a colour image, float32 [3, h, w] in 0..1."""
        settings = self.settings
        if settings.color_jitter:
            bright, contrast, saturation = np.exp(rng.uniform(-1, 1, 3) * settings.color_jitter)
            image = image_transforms.adjust_brightness(image, float(bright))
            image = image_transforms.adjust_contrast(image, float(contrast))
            image = image_transforms.adjust_saturation(image, float(saturation))
            tint = torch.from_numpy(np.exp(rng.uniform(-1, 1, 3) * settings.color_jitter / 3))
            image = (image * tint.float()[:, None, None]).clamp(0, 1)
        if rng.random() < settings.blur:
            # What torchvision's gaussian_blur computes, in a fiftieth of its time (one thread).
            sigma = float(rng.uniform(0.5, 1.5))
            planes = [cv2.GaussianBlur(plane, (5, 5), sigma) for plane in image.numpy()]
            image = torch.from_numpy(np.stack(planes))
        if settings.rgb_noise and rng.random() < 0.5:
            sigma = rng.uniform(0, settings.rgb_noise)
            noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(sigma)
            image = (image + torch.from_numpy(noise)).clamp(0, 1)
        return image


@dataclass(frozen=True)
class DepthPipeline:
    """Scale, the noise, quantisation and range of a real sensor, and holes."""

    settings: PhotometricSettings

    def __call__(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        """Change a depth image, float32 [1, h, w] in metres, 0 invalid."""
        settings, depth = self.settings, image[0].numpy()
        depth = depth * np.float32(np.exp(rng.uniform(-1, 1) * settings.depth_scale))
        if rng.random() < settings.depth_sensor:
            depth = simulate_depth_sensor(
                depth,
                rng,
                strength=float(rng.uniform(0, 1.2)),
                min_range=float(rng.uniform(0.1, 0.5)),
                max_range=float(rng.uniform(5.0, 10.0)),
            )
        if rng.random() < settings.depth_holes:
            depth = depth.copy()
            for _ in range(rng.integers(1, 4)):
                height, width = (rng.uniform(0.05, 0.3, 2) * depth.shape).astype(int)
                top, left = (rng.random(2) * depth.shape).astype(int)
                depth[top : top + height, left : left + width] = 0
        return torch.from_numpy(depth.astype(np.float32))[None]


@dataclass(frozen=True)
class TorchvisionPipeline:
    """A transform of `torchvision.transforms.v2` for colours, such as a `Compose`.

    Not for depth: most transforms take values to be 0..1, and blur what is invalid into surfaces.
    It draws from torch's generator, which is given a seed of the sample's for the time. Where a
    view lies is up to `GeometrySettings`, whose affine would not know of anything else.
    """

    transform: Callable[[Tensor], Tensor]

    def __call__(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        """Change a colour image, float32 [3, h, w] in 0..1."""
        with torch.random.fork_rng(devices=[]):
            # Of the CPU alone: `torch.manual_seed` would set those of the GPUs, too.
            torch.default_generator.manual_seed(int(rng.integers(2**63)))
            changed = self.transform(tv_tensors.Image(image))
        return changed.as_subclass(Tensor) if isinstance(changed, Tensor) else changed

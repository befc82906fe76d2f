"""Augmentation with a pipeline of its own for each modality (the SEED names this module).

Two pipelines in, two views out: each has its own flip, rotation, scale and crop with its own
label, and the affine that was applied, so that features of one view can be compared with those
of the other. Usable alone by anyone with an aligned pair of images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np
import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as settings_dataclass
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2 import functional as image_transforms

from crodino_core.labels import UNLABELLED
from crodino_core.learning.data.scenes import simulate_depth_sensor

GeometryKind = Literal['decoupled', 'coupled', 'none']
Share = Annotated[float, Field(ge=0, le=1)]
Strength = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


@settings_dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class GeometrySettings:
    """How a view is cut from an image."""

    kind: GeometryKind = 'decoupled'
    """`decoupled`: each modality its own; `coupled`: one for both; `none`: the whole image."""
    min_scale: Positive = 0.67
    max_scale: Positive = 1.6
    """Magnification relative to the scale at which the network sees the whole image."""
    max_aspect: Positive = 1.2
    max_rotation_deg: Strength = 6.0
    flip: Share = 0.5
    rare_class: Share = 0.5
    """Share of views centred on a class drawn evenly from those in the image."""


@settings_dataclass(frozen=True, config=ConfigDict(extra='forbid'))
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
class View:
    """One modality's image after augmentation."""

    image: Tensor
    """float32 [3, h, w] in 0..1, or [1, h, w] in metres with 0 for invalid."""
    label: Tensor
    """int64 [h, w], 255 where unlabelled or outside the image."""
    affine: Tensor
    """float32 [3, 3]: from the image's to the view's coordinates, both -1..1 from edge to edge."""


class DecoupledAugment:
    """Cut one view for each modality from an aligned pair of images."""

    def __init__(
        self,
        input_size: tuple[int, int],
        view_size: tuple[int, int],
        geometry: GeometrySettings | None = None,
        photometric: PhotometricSettings | None = None,
    ) -> None:
        """Configure the pipelines.

        :param input_size: height and width at which the network sees a whole image.
        :param view_size: height and width of a view.
        """
        self.input_size = input_size
        self.view_size = view_size
        self.geometry = geometry or GeometrySettings()
        self.photometric = photometric or PhotometricSettings()

    def __call__(
        self, rgb: np.ndarray, depth: np.ndarray, label: np.ndarray, rng: np.random.Generator
    ) -> tuple[View, View]:
        """Augment one sample.

        :param rgb: uint8 [H, W, 3].
        :param depth: float32 [H, W], metres, 0 invalid.
        :param label: uint8 [H, W], 255 unlabelled.
        :return: the RGB view and the depth view.
        """
        rgb_affine = self._draw_affine(label, rng)
        depth_affine = rgb_affine
        if self.geometry.kind == 'decoupled':
            depth_affine = self._draw_affine(label, rng)
        return (
            self._rgb_view(rgb, label, rgb_affine, rng),
            self._depth_view(depth, label, depth_affine, rng),
        )

    def _draw_affine(self, label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw an affine from normalised image to normalised view coordinates, [3, 3]."""
        if self.geometry.kind == 'none':
            return np.eye(3)
        settings = self.geometry
        scale = np.exp(rng.uniform(np.log(settings.min_scale), np.log(settings.max_scale)))
        aspect = np.exp(rng.uniform(-1, 1) * np.log(settings.max_aspect) / 2)
        angle = np.deg2rad(rng.uniform(-1, 1) * settings.max_rotation_deg)
        # Magnification from normalised image to normalised view coordinates.
        sy = scale * aspect * self.input_size[0] / self.view_size[0]
        sx = scale / aspect * self.input_size[1] / self.view_size[1]
        centre = self._draw_centre(label, (sy, sx), rng)
        flip = -1.0 if rng.random() < settings.flip else 1.0
        ratio = self.view_size[1] / self.view_size[0]
        cos, sin = np.cos(angle), np.sin(angle)
        # Rotate in pixels, not in normalised units, where x and y have different scales.
        rotate = np.array([[cos, -sin / ratio, 0], [sin * ratio, cos, 0], [0, 0, 1]])
        shift = np.array([[1, 0, -centre[1]], [0, 1, -centre[0]], [0, 0, 1]])
        return np.diag([flip, 1, 1]) @ rotate @ np.diag([sx, sy, 1]) @ shift

    def _draw_centre(
        self, label: np.ndarray, scale: tuple[float, float], rng: np.random.Generator
    ) -> np.ndarray:
        """Draw the view's centre (y, x) in normalised image coordinates."""
        reach = 1 - np.minimum(1, 1 / np.array(scale))
        centre = rng.uniform(-1, 1, 2) * reach
        if rng.random() < self.geometry.rare_class:
            small = label[::4, ::4]
            present = np.unique(small[small != UNLABELLED])
            if len(present):
                where = np.argwhere(small == rng.choice(present))
                pixel = where[rng.integers(len(where))]
                spread = rng.uniform(-0.5, 0.5, 2) / np.array(scale)
                centre = (pixel + 0.5) / np.array(small.shape) * 2 - 1 + spread
        return np.clip(centre, -reach, reach)

    def _rgb_view(
        self, rgb: np.ndarray, label: np.ndarray, affine: np.ndarray, rng: np.random.Generator
    ) -> View:
        warped = self._warp(rgb, affine, cv2.INTER_LINEAR, 0)
        # In planes: torchvision's transforms take three times as long on OpenCV's order.
        image = torch.from_numpy(warped).permute(2, 0, 1).contiguous().float() / 255
        image = _change_colors(image, self.photometric, rng)
        return self._view(image, label, affine)

    def _depth_view(
        self, depth: np.ndarray, label: np.ndarray, affine: np.ndarray, rng: np.random.Generator
    ) -> View:
        # Nearest neighbour: the mean of a chair's and a wall's depth is no surface at all.
        warped = self._warp(depth, affine, cv2.INTER_NEAREST, 0)
        warped = _change_depth(warped, self.photometric, rng)
        return self._view(torch.from_numpy(warped)[None], label, affine)

    def _view(self, image: Tensor, label: np.ndarray, affine: np.ndarray) -> View:
        warped = self._warp(label, affine, cv2.INTER_NEAREST, UNLABELLED)
        return View(
            image, torch.from_numpy(warped).long(), torch.from_numpy(affine.astype(np.float32))
        )

    def _warp(
        self, image: np.ndarray, affine: np.ndarray, interpolation: int, fill: float
    ) -> np.ndarray:
        height, width = self.view_size
        matrix = (
            np.linalg.inv(_normalised_from_pixels(height, width))
            @ affine
            @ _normalised_from_pixels(*image.shape[:2])
        )
        return cv2.warpAffine(
            image,
            matrix[:2],
            (width, height),
            flags=interpolation,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(fill, fill, fill),
        )


def warp_features(
    other: Tensor, own_affine: Tensor, other_affine: Tensor
) -> tuple[Tensor, Tensor]:
    """Bring features of the other modality's view into the own view's geometry (Eq 3, OURS).

    :param other: B x C x h x w.
    :param own_affine: B x 3 x 3, see `View.affine`.
    :param other_affine: B x 3 x 3.
    :return: B x C x h x w, and validity B x 1 x h x w in 0..1: 0 where the other view, or the
        image itself, does not reach.
    """
    size = [len(other), 1, *other.shape[-2:]]
    # Under autocast the products would be bfloat16, whose three digits are pixels here.
    with torch.autocast(other.device.type, enabled=False):
        image_from_own = torch.linalg.inv(own_affine.float())
        source = functional.affine_grid(image_from_own[:, :2], size, align_corners=False)
        grid = functional.affine_grid(
            (other_affine.float() @ image_from_own)[:, :2], size, align_corners=False
        )
        inside = (grid.abs() <= 1).all(-1) & (source.abs() <= 1).all(-1)
        warped = functional.grid_sample(
            other.float(), grid, padding_mode='border', align_corners=False
        )
    # The sampling gives planes; what is mixed with it lies with its channels last.
    warped = warped.to(other.dtype, memory_format=torch.channels_last)
    return warped, inside[:, None].to(other.dtype)


def _normalised_from_pixels(height: int, width: int) -> np.ndarray:
    """Affine from pixel centres at integers to -1..1 from edge to edge."""
    return np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])


def _change_colors(
    image: Tensor, settings: PhotometricSettings, rng: np.random.Generator
) -> Tensor:
    if settings.color_jitter:
        # Parameters come from the given generator, so that a sample depends on its index alone.
        bright, contrast, saturation = np.exp(rng.uniform(-1, 1, 3) * settings.color_jitter)
        image = image_transforms.adjust_brightness(image, float(bright))
        image = image_transforms.adjust_contrast(image, float(contrast))
        image = image_transforms.adjust_saturation(image, float(saturation))
        tint = torch.from_numpy(np.exp(rng.uniform(-1, 1, 3) * settings.color_jitter / 3))
        image = (image * tint.float()[:, None, None]).clamp(0, 1)
    if rng.random() < settings.blur:
        # What torchvision's gaussian_blur computes, in a fiftieth of its time (on one thread).
        sigma = float(rng.uniform(0.5, 1.5))
        planes = [cv2.GaussianBlur(plane, (5, 5), sigma) for plane in image.numpy()]
        image = torch.from_numpy(np.stack(planes))
    if settings.rgb_noise and rng.random() < 0.5:
        sigma = rng.uniform(0, settings.rgb_noise)
        noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(sigma)
        image = (image + torch.from_numpy(noise)).clamp(0, 1)
    return image


def _change_depth(
    depth: np.ndarray, settings: PhotometricSettings, rng: np.random.Generator
) -> np.ndarray:
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
    return depth.astype(np.float32)

"""Augmentation with a pipeline of its own for each modality (the SEED names this module).

Two pipelines in, two views out: each has its own flip, rotation, scale and crop with its own
label, and the affine that was applied, so that features of one view can be compared with those
of the other. Usable alone by anyone with an aligned pair of images:

    augment = DecoupledAugment(
        (288, 384),
        (192, 256),
        rgb=TorchvisionPipeline(v2.Compose([v2.ColorJitter(0.4), v2.GaussianBlur(5)])),
        depth=lambda image, rng: image * float(rng.uniform(0.9, 1.1)),
    )
    rgb_view, depth_view = augment(rgb, depth, label, np.random.default_rng(0))

Image and label go through one `warpAffine` of OpenCV, whose matrix is the affine that is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np
import torch
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass as settings_dataclass
from torch import Tensor
from torch.nn import functional

from crodino_core.errors import UsageError
from crodino_core.labels import UNLABELLED
from crodino_core.learning.photometric import (
    DepthPipeline,
    PhotometricSettings,
    Pipeline,
    RgbPipeline,
)
from crodino_core.learning.setting_types import STRICT, Positive, Real, Share, Strength

GeometryKind = Literal['decoupled', 'coupled', 'none']


@settings_dataclass(frozen=True, config=STRICT)
class GeometrySettings:
    """How a view is cut from an image."""

    kind: GeometryKind = 'decoupled'
    """`decoupled`: each modality its own; `coupled`: one for both; `none`: the whole image."""
    min_scale: Positive = 0.67
    max_scale: Positive = 1.6
    """Magnification relative to the scale at which the network sees the whole image."""
    max_aspect: Annotated[Real, Field(ge=1)] = 1.2
    max_rotation_deg: Strength = 6.0
    flip: Share = 0.5
    rare_class: Share = 0.5
    """Share of views centred on a class drawn evenly from those in the image."""

    @model_validator(mode='after')
    def _scales_are_ordered(self) -> GeometrySettings:
        if self.min_scale > self.max_scale:
            raise ValueError(
                f'min_scale is {self.min_scale}, more than max_scale, which is {self.max_scale}'
            )
        return self


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
        rgb: Pipeline | None = None,
        depth: Pipeline | None = None,
    ) -> None:
        """Choose the pipelines.

        :param input_size: height and width at which the network sees a whole image.
        :param view_size: height and width of a view.
        :param rgb: changes the colours of a view, float32 [3, h, w] in 0..1; one of torchvision's
            transforms by `TorchvisionPipeline`. None: that of the default settings.
        :param depth: changes a depth view, float32 [1, h, w] in metres with 0 for invalid.
        """
        self.input_size = input_size
        self.view_size = view_size
        self.geometry = geometry or GeometrySettings()
        self.rgb = rgb or RgbPipeline(PhotometricSettings())
        self.depth = depth or DepthPipeline(PhotometricSettings())

    def __call__(
        self, rgb: np.ndarray, depth: np.ndarray, label: np.ndarray, rng: np.random.Generator
    ) -> tuple[View, View]:
        """Augment one sample.

        :param rgb: uint8 [H, W, 3].
        :param depth: float32 [H, W], metres, 0 invalid.
        :param label: uint8 [H, W], 255 unlabelled.
        :return: the RGB view and the depth view.
        :raises UsageError: an image is of another kind, shape or type, or a pipeline changes one.
        """
        _check_sample(rgb, depth, label)
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
        return self._view(_changed(self.rgb, image, rng), label, affine)

    def _depth_view(
        self, depth: np.ndarray, label: np.ndarray, affine: np.ndarray, rng: np.random.Generator
    ) -> View:
        # Nearest neighbour: the mean of a chair's and a wall's depth is no surface at all.
        warped = self._warp(depth, affine, cv2.INTER_NEAREST, 0)
        image = torch.from_numpy(warped)[None]
        return self._view(_changed(self.depth, image, rng), label, affine)

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


def _check_sample(rgb: np.ndarray, depth: np.ndarray, label: np.ndarray) -> None:
    """Find what would otherwise be blamed on a pipeline, or on nothing.

    :raises UsageError: an image is of another kind, shape or type than `DecoupledAugment` takes.
    """
    size = np.shape(rgb)[:2]
    for name, image, dtype, shape, hint in (
        ('rgb', rgb, np.uint8, (*size, 3), 'without alpha; grey as three equal channels'),
        ('depth', depth, np.float32, size, 'in metres, 0 = invalid, of the size of rgb'),
        ('label', label, np.uint8, size, 'class indices, 255 = unlabelled, of the size of rgb'),
    ):
        if not isinstance(image, np.ndarray):
            found = type(image).__name__
        elif image.dtype != dtype or image.shape != shape or len(size) < 2 or not image.size:
            found = f'{image.dtype} {list(image.shape)}'
        else:
            continue
        wanted = ['H', 'W', 3] if name == 'rgb' else list(size)
        raise UsageError(
            f'the {name} image is {found}; a NumPy array of {np.dtype(dtype)} '
            f'[{", ".join(map(str, wanted))}] was expected, {hint}'
        )


def _changed(pipeline: Pipeline, image: Tensor, rng: np.random.Generator) -> Tensor:
    """Return what a pipeline makes of a view.

    :raises UsageError: it is of another kind, shape or type.
    """
    changed = pipeline(image, rng)
    found = type(changed).__name__
    if isinstance(changed, Tensor):
        if changed.shape == image.shape and changed.dtype == image.dtype:
            return changed
        found = f'{changed.dtype} {list(changed.shape)}'
    raise UsageError(
        f'the pipeline {pipeline} made {found} of a view that is {image.dtype} '
        f'{list(image.shape)}; a tensor like it was expected (a transform of torchvision needs '
        'TorchvisionPipeline)'
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
    if not len(other):  # torch makes no grid of no images; one of many processes may have none
        return other, other.new_empty(size)
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

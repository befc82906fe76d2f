"""The mip-mapped texture atlas of a synthetic scene."""

from dataclasses import dataclass

import cv2
import numpy as np

from .scene_patterns import PAINTERS, SIZE, Rng

_LEVELS = 8


@dataclass
class TextureBank:
    """Textures of one scene. Each multiplies the colour of the surface that carries it.

    texels: float32 [T, 3], all mip levels of all textures; offsets: first texel of each level;
    indices: texture numbers by kind, number 0 is plain white.
    """

    texels: np.ndarray
    offsets: np.ndarray
    indices: dict[str, list[int]]

    def pick(self, rng: Rng, *kinds: str) -> int:
        """A random texture of one of the kinds."""
        choices = [index for kind in kinds for index in self.indices[kind]]
        return int(rng.choice(choices))

    def sample(
        self, index: np.ndarray, u: np.ndarray, v: np.ndarray, footprint: np.ndarray
    ) -> np.ndarray:
        """Bilinear look-up at u, v (1 = one texture width, wraps), float32 [N, 3].

        footprint: width of a pixel on the surface in texture widths, picks the mip level.
        """
        wanted = np.log2(np.maximum(footprint * SIZE, 1.0))
        level = np.clip(np.rint(wanted), 0, _LEVELS - 1).astype(np.int32)
        side = SIZE >> level
        x, y = (u - np.floor(u)) * side - 0.5, (v - np.floor(v)) * side - 0.5
        x0, y0 = np.floor(x), np.floor(y)
        fx, fy = (x - x0)[:, None], (y - y0)[:, None]
        left, top = x0.astype(np.int32) & (side - 1), y0.astype(np.int32) & (side - 1)
        right, bottom = (left + 1) & (side - 1), (top + 1) & (side - 1)
        base = self.offsets[level] + index * side * side
        upper = self.texels[base + top * side + left] * (1 - fx)
        upper += self.texels[base + top * side + right] * fx
        lower = self.texels[base + bottom * side + left] * (1 - fx)
        lower += self.texels[base + bottom * side + right] * fx
        return upper * (1 - fy) + lower * fy


def build_textures(rng: Rng) -> TextureBank:
    """Draw the textures of one scene."""
    fields = [_noise_field(rng, exponent) for exponent in (0.5, 1.0, 1.6)]

    def noise(roughness: int) -> np.ndarray:
        shift = rng.integers(0, SIZE, 2)
        return np.roll(fields[roughness], tuple(shift), (0, 1))

    images = [np.ones((SIZE, SIZE, 3), np.float32)]
    indices: dict[str, list[int]] = {'plain': [0]}
    for kind, (painter, count) in PAINTERS.items():
        indices[kind] = []
        for _ in range(count):
            indices[kind].append(len(images))
            image = painter(rng, noise)
            images.append(_three(image).astype(np.float32))
    levels, offsets, total = [], [], 0
    for level in range(_LEVELS):
        side = SIZE >> level
        offsets.append(total)
        for image in images:
            small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
            levels.append(small.reshape(-1, 3))
        total += side * side * len(images)
    return TextureBank(np.concatenate(levels), np.array(offsets, np.int64), indices)


def _three(image: np.ndarray) -> np.ndarray:
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image


def _noise_field(rng: Rng, exponent: float) -> np.ndarray:
    """Tileable 1/f^exponent noise, float32 [SIZE, SIZE], zero mean, unit variance."""
    spectrum = np.fft.rfft2(rng.standard_normal((SIZE, SIZE)))
    fy = np.fft.fftfreq(SIZE)[:, None] * SIZE
    fx = np.fft.rfftfreq(SIZE)[None] * SIZE
    spectrum /= np.maximum(np.hypot(fx, fy), 1.0) ** exponent
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, s=(SIZE, SIZE))
    return (field / field.std()).astype(np.float32)

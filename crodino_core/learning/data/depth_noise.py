"""Depth-sensor noise model, used on rendered scenes and as training augmentation on real depth."""

import cv2
import numpy as np

# 5 cm baseline and a focal length of 0.7 image widths: a D435-like stereo camera (71 deg wide).
_BASELINE_M = 0.05
_FOCAL_PER_WIDTH = 0.7


def simulate_depth_sensor(
    depth: np.ndarray,
    rng: np.random.Generator,
    strength: float = 1.0,
    min_range: float = 0.3,
    max_range: float = 6.0,
    focal_px: float | None = None,
    baseline: float = _BASELINE_M,
    subpixel_noise: float = 0.08,
    disparity_step: float = 1.0 / 16.0,
    hole_rate: float = 0.02,
    shadow_on_right: bool = False,
    weak: np.ndarray | None = None,
) -> np.ndarray:
    """Return what a stereo or structured-light sensor would report for a clean depth image.

    The error is made in disparity (d = focal * baseline / z), so that its size in metres grows
    with z^2: sigma_z = z^2 / (f B) * sigma_d (Keselman et al. 2017, "Intel RealSense Stereoscopic
    Depth Cameras", sec. 5; Nguyen et al. 2012, "Modeling Kinect Sensor Noise", fit the same
    quadratic). Disparity is then quantised; pixels hidden from the second camera, a ragged part of
    the depth edges, random speckles and everything out of range become 0.

    depth: float [H, W], metres along the optical axis, 0 = invalid (stays 0).
    strength: 0 only cuts the range, 1 is a typical sensor; scales noise, step and holes.
    min_range, max_range: metres. focal_px: of this image; None takes 0.7 image widths.
    baseline: metres. subpixel_noise: RMS matching error in pixels at a 640 pixel wide image.
    disparity_step: quantum in pixels at that width. hole_rate: share of pixels lost to speckles.
    shadow_on_right: side of a near object that the second camera cannot see.
    weak: bool [H, W], surfaces that mostly return nothing (glass, mirrors, black screens).
    Returns float32 [H, W], metres, 0 = invalid. Raises ValueError if depth is not 2-D.
    """
    if depth.ndim != 2:
        raise ValueError(f'depth must be [H, W], found shape {depth.shape}')
    clean = depth.astype(np.float32, copy=False)
    known = clean > 0
    if strength <= 0:
        return _cut_range(clean, known, min_range, max_range)
    width = clean.shape[1]
    focal_baseline = (focal_px or _FOCAL_PER_WIDTH * width) * baseline
    disparity = np.zeros_like(clean)
    np.divide(focal_baseline, clean, out=disparity, where=known)

    valid = known & ~_shadow(disparity, shadow_on_right)
    valid &= ~_ragged_edges(disparity, rng, strength)
    valid &= ~_speckles(clean, rng, min(hole_rate * strength, 1.0), max_range)
    if weak is not None:
        valid &= ~(weak & (_smooth_noise(rng, clean.shape, 8) < 0.6 * min(strength, 2.0)))

    # The sensor matches at its native width; a smaller image is a resampled one.
    scale = strength * width / 640.0
    noise = rng.standard_normal(clean.shape, dtype=np.float32)
    # Matching windows overlap, so the error is correlated between neighbours.
    noise = 1.3 * cv2.GaussianBlur(noise, (3, 3), 0.7) + 0.5 * _smooth_noise(rng, clean.shape, 12)
    noisy = disparity + np.float32(subpixel_noise * scale) * noise
    step = np.float32(max(disparity_step * scale, 1e-6))
    noisy = np.maximum(np.round(noisy / step), 1) * step
    measured = np.float32(focal_baseline) / noisy
    return _cut_range(measured, valid, min_range, max_range)


def _cut_range(depth: np.ndarray, valid: np.ndarray, near: float, far: float) -> np.ndarray:
    return np.where(valid & (depth >= near) & (depth <= far), depth, 0).astype(np.float32)


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], cell: int) -> np.ndarray:
    """Unit-variance-like noise float32 [H, W] with features of about `cell` pixels."""
    height, width = shape
    coarse = rng.standard_normal((height // cell + 2, width // cell + 2), dtype=np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR) * 1.5


def _shadow(disparity: np.ndarray, on_right: bool) -> np.ndarray:
    """Pixels hidden from the second camera: some pixel beside them lands at or past theirs."""
    # A pixel of a row lands at x - d (or x + d) in the other image; it is hidden when a nearer
    # surface beside it lands farther along, which a running maximum finds without a loop.
    seen = disparity if on_right else disparity[:, ::-1]
    landing = seen + np.arange(seen.shape[1], dtype=np.float32)
    hidden = np.zeros(seen.shape, dtype=bool)
    # Half a pixel of slack, or a slanted surface would shadow itself.
    hidden[:, 1:] = np.maximum.accumulate(landing, axis=1)[:, :-1] > landing[:, 1:] + 0.5
    return hidden if on_right else hidden[:, ::-1]


def _ragged_edges(disparity: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """A random part of the pixels around depth edges, where matching windows see two surfaces."""
    kernel = np.ones((3, 3), np.uint8)
    jump = cv2.dilate(disparity, kernel) - cv2.erode(disparity, kernel)
    edge = (jump > 0.08 * disparity + 0.15).astype(np.uint8)
    edge = cv2.dilate(edge, kernel).astype(bool)
    return edge & (_smooth_noise(rng, disparity.shape, 3) > 0.9 - 0.6 * min(strength, 2.0))


def _speckles(
    depth: np.ndarray, rng: np.random.Generator, rate: float, max_range: float
) -> np.ndarray:
    """Small blobs, more of them far away where the return is weak."""
    far = np.clip(depth / max_range, 0, 1.5)
    level = rng.random((depth.shape[0] // 3 + 2, depth.shape[1] // 3 + 2), dtype=np.float32)
    level = cv2.resize(level, depth.shape[::-1], interpolation=cv2.INTER_LINEAR)
    # Interpolation rounds the blobs and thins them; 2.5 makes up for that.
    return level < 2.5 * rate * (0.3 + 1.7 * far * far)

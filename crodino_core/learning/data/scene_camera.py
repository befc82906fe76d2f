"""Pinhole camera and camera poses of the synthetic scenes."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """Pinhole camera without distortion; pixel centres at integer coordinates, all in pixels."""

    fx: float
    fy: float
    cx: float
    cy: float
    height: int
    width: int

    @classmethod
    def from_fov(cls, height: int, width: int, horizontal_fov_deg: float) -> 'Camera':
        """Square pixels, principal point in the image centre."""
        focal = width / 2.0 / np.tan(np.radians(horizontal_fov_deg) / 2.0)
        return cls(focal, focal, (width - 1) / 2.0, (height - 1) / 2.0, height, width)

    def scaled(self, factor: float) -> 'Camera':
        """The same view with `factor` times the pixels along each side."""
        return Camera(
            self.fx * factor,
            self.fy * factor,
            (self.cx + 0.5) * factor - 0.5,
            (self.cy + 0.5) * factor - 0.5,
            round(self.height * factor),
            round(self.width * factor),
        )


def look_along(
    position: np.ndarray, yaw: float, pitch: float = 0.0, roll: float = 0.0
) -> np.ndarray:
    """Camera-to-world float64 [4, 4] of an optical frame (x right, y down, z forward).

    The world has z up. yaw turns counter-clockwise from world x, pitch > 0 looks up, roll turns
    about the optical axis; radians. position: [3], metres.
    """
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    pose = np.eye(4)
    pose[:3, 0] = np.cos(roll) * right + np.sin(roll) * down
    pose[:3, 1] = -np.sin(roll) * right + np.cos(roll) * down
    pose[:3, 2] = forward
    pose[:3, 3] = position
    return pose

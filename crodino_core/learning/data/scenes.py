"""Synthetic indoor RGB-D scenes with a class for every pixel.

A scene is a furnished room, or two, of boxes, ellipsoids and cylinders. It is built from a seed;
the same seed gives the same bytes. World frame: z up, floor at z = 0, metres. Camera frame:
optical (x right, y down, z forward).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

import cv2
import numpy as np

from .depth_noise import simulate_depth_sensor
from .scene_camera import Camera, look_along
from .scene_house import build_house
from .scene_layout import House
from .scene_paths import CLEARANCE, find_free_space, smooth_path
from .scene_patterns import random_colour
from .scene_primitives import CLASS_NAMES, VOID, tabulate
from .scene_render import cast_rays
from .scene_shading import FloorMap, Light, Lighting, expose, shade
from .scene_style import Style, wood
from .scene_textures import build_textures

__all__ = [
    'CLASS_NAMES',
    'VOID',
    'Camera',
    'Scene',
    'SceneFrame',
    'render_sequence',
    'simulate_depth_sensor',
]

# How much a class adds to the worth of a view: rare and small ones more.
_WORTH = np.array([0.3, 0.5, 0.4, 0.8, 0.8, 1.6, 1.6, 1.5, 1.0, 1.4, 1.8, 1.8, 1.6, 1.5])


@dataclass(frozen=True)
class SceneFrame:
    """One rendered frame.

    rgb: uint8 [H, W, 3], RGB; depth: float32 [H, W], metres along the optical axis as a sensor
    reports it, 0 = invalid; depth_clean: the same without sensor errors, 0 = nothing there; label:
    uint8 [H, W], index into CLASS_NAMES or 255; camera_to_world: float64 [4, 4].
    """

    rgb: np.ndarray
    depth: np.ndarray
    depth_clean: np.ndarray
    label: np.ndarray
    camera_to_world: np.ndarray


class Scene:
    """A furnished flat that is determined by its seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        # A layout may leave no floor to stand on; the next attempt is as deterministic.
        for attempt in range(20):
            rng = np.random.default_rng([seed, attempt])
            style = _make_style(rng)
            house = build_house(style)
            self.table = tabulate(house.parts)
            corners = [(room.low, room.high) for room in house.rooms]
            self.free_space = find_free_space(self.table, corners)
            if self.free_space.area(CLEARANCE) > 1.2:
                break
        else:
            raise RuntimeError(f'no layout with free floor for seed {seed}; use another seed')
        self._textures = style.textures
        self._lighting = _make_lighting(rng, house)

    def render(
        self,
        camera_to_world: np.ndarray,
        camera: Camera,
        rng: np.random.Generator | None = None,
        supersample: int = 1,
        sensor_strength: float = 1.0,
    ) -> SceneFrame:
        """Render one frame from a pose, float64 [4, 4].

        rng drives camera and depth noise; None derives it from seed and pose. supersample: rays
        per pixel side for the colour image (2 costs about four times as much).
        """
        if rng is None:
            rng = np.random.default_rng([self.seed, crc32(camera_to_world.tobytes())])
        hits = cast_rays(self.table, camera_to_world, camera)
        seen = hits.index >= 0
        depth = np.where(seen, hits.depth, 0).astype(np.float32)
        label = np.where(seen, self.table.label[hits.index], np.uint8(VOID))
        if supersample > 1:
            fine = camera.scaled(supersample)
            fine_hits = cast_rays(self.table, camera_to_world, fine)
            linear = shade(
                fine_hits, self.table, self._textures, self._lighting, camera_to_world, fine
            )
            size = camera.width, camera.height
            linear = cv2.resize(linear, size, interpolation=cv2.INTER_AREA)
        else:
            linear = shade(
                hits, self.table, self._textures, self._lighting, camera_to_world, camera
            )
        rgb = expose(linear, self._lighting, rng)
        weak = seen & self.table.weak[hits.index]
        measured = simulate_depth_sensor(
            depth, rng, sensor_strength, focal_px=camera.fx, weak=weak
        )
        return SceneFrame(rgb, measured, depth, label, np.array(camera_to_world, np.float64))

    def camera_path(self, frames: int, rate_hz: float = 10.0) -> list[np.ndarray]:
        """A smooth drive through free space, camera-to-world float64 [4, 4] per frame."""
        if frames < 1:
            raise ValueError(f'frames must be at least 1, found {frames}')
        return smooth_path(
            self.free_space, np.random.default_rng([self.seed, 101]), frames, rate_hz
        )

    def random_poses(
        self, count: int, rng: np.random.Generator, candidates: int = 8
    ) -> list[np.ndarray]:
        """Spread viewpoints that see many classes, camera-to-world float64 [4, 4] each.

        Each is the best of `candidates` random free positions and directions, judged by a
        thumbnail: classes in view, rare ones first, and not a surface close by.
        """
        cells = np.argwhere(self.free_space.clearance >= CLEARANCE)
        thumbnail = Camera.from_fov(30, 40, 75.0)
        chosen: list[np.ndarray] = []
        for _ in range(count):
            poses = []
            for row, column in cells[rng.integers(len(cells), size=candidates)]:
                spot = np.array([*self.free_space.centre(row, column), rng.uniform(1.0, 1.5)])
                pitch, roll = rng.normal(0.0, 0.11), rng.normal(0, 0.02)
                yaw = rng.uniform(-np.pi, np.pi)
                poses.append(look_along(spot, yaw, np.clip(pitch, -0.35, 0.2), roll))
            worths = [self._worth(pose, thumbnail, chosen) for pose in poses]
            chosen.append(poses[int(np.argmax(worths))])
        return chosen

    def _worth(self, pose: np.ndarray, camera: Camera, chosen: list[np.ndarray]) -> float:
        hits = cast_rays(self.table, pose, camera)
        labels = self.table.label[hits.index[hits.index >= 0]]
        share = np.bincount(labels, minlength=14) / hits.index.size
        worth = float((_WORTH * np.minimum(share, 0.25) ** 0.5).sum())
        if np.median(hits.depth) < 1.0:
            worth -= 1.0
        for other in chosen:
            same_way = float(pose[:3, 2] @ other[:3, 2])
            apart = float(np.linalg.norm(pose[:3, 3] - other[:3, 3]))
            worth -= 0.6 * max(same_way, 0) * np.exp(-apart)
        return worth


def render_sequence(
    seed: int, frames: int, camera: Camera, rate_hz: float = 10.0
) -> Iterator[SceneFrame]:
    """Frames along the camera path of one scene."""
    scene = Scene(seed)
    for pose in scene.camera_path(frames, rate_hz):
        yield scene.render(pose, camera)


def _make_style(rng: np.random.Generator) -> Style:
    pale = np.full(3, rng.uniform(0.55, 0.88)) * rng.uniform(0.95, 1.04, 3)
    wall = pale if rng.random() < 0.75 else 0.5 * pale + 0.5 * random_colour(rng)
    return Style(
        rng, build_textures(rng), wall, wood(rng), random_colour(rng), rng.random() < 0.15
    )


def _make_lighting(rng: np.random.Generator, house: House) -> Lighting:
    warm, cold = np.array([1.0, 0.88, 0.72]), np.array([0.92, 0.97, 1.05])
    evening = rng.random() < 0.2
    lights = []
    for position, kind in house.lights:
        colour = cold if kind == 'window' else warm + (cold - warm) * rng.random()
        strength = rng.uniform(0.2, 0.8) if evening and kind == 'window' else rng.uniform(0.8, 3.0)
        lights.append(Light(position, (colour * strength).astype(np.float32)))
    ambient = rng.uniform(0.25, 0.9) * (warm + (cold - warm) * rng.uniform(0.4, 1))
    return Lighting(
        lights=lights,
        ambient=ambient.astype(np.float32),
        floor_map=_make_floor_map(rng, house),
        # The median lands between half scale and over-exposed, as in the real renders.
        exposure=rng.uniform(0.35, 1.1),
        white_balance=rng.uniform(0.94, 1.06, 3),
        noise=rng.choice([0.0, 0.006, 0.015, 0.03]),
        softness=rng.choice([0.4, 0.5, 0.7, 1.0], p=[0.3, 0.4, 0.2, 0.1]),
    )


def _make_floor_map(rng: np.random.Generator, house: House, cell: float = 0.05) -> FloorMap:
    """Contact shadows around furniture and, in some scenes, patches of sun."""
    low = np.min([room.low for room in house.rooms], axis=0) - 0.5
    high = np.max([room.high for room in house.rooms], axis=0) + 0.5
    columns, rows = np.ceil((high - low) / cell).astype(int)
    shade_map = np.ones((rows, columns), np.float32)
    for centre, half in house.shadows:
        a = np.maximum(np.floor((centre - half - low) / cell).astype(int), 0)
        b = np.ceil((centre + half - low) / cell).astype(int)
        shade_map[a[1] : b[1], a[0] : b[0]] = rng.uniform(0.35, 0.7)
    shade_map = cv2.GaussianBlur(shade_map, (0, 0), 2.5)
    if rng.random() < 0.4:
        for position, kind in house.lights:
            if kind == 'window':
                spot = (position[:2] - low) / cell + rng.uniform(-20, 20, 2)
                along, across = rng.uniform(-25, 25, 2), rng.uniform(-12, 12, 2)
                corners = [spot, spot + along, spot + along + across, spot + across]
                patch = np.zeros_like(shade_map)
                cv2.fillConvexPoly(
                    patch, np.round(corners).astype(np.int32), rng.uniform(0.5, 2.0)
                )
                shade_map *= 1 + cv2.GaussianBlur(patch, (0, 0), 1.0)
    return FloorMap(shade_map, low, cell)

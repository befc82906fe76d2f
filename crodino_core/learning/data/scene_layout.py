"""Rooms and walls of the synthetic scenes, and what is taken on them."""

from dataclasses import dataclass, field

import numpy as np

from .scene_primitives import (
    Primitive,
)


@dataclass
class Wall:
    """Local frame: x to the right as seen from the room, y into the wall, z up."""

    yaw: float
    origin: np.ndarray
    half_length: float
    # Rectangles (x0, x1, z0, z1) that something covers.
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def is_free(self, x: float, half_width: float, low: float, high: float) -> bool:
        """Whether nothing overlaps the rectangle and it lies on the wall."""
        if abs(x) + half_width > self.half_length:
            return False
        return not any(
            x - half_width < x1 and x + half_width > x0 and low < z1 and high > z0
            for x0, x1, z0, z1 in self.taken
        )

    def take(self, x: float, half_width: float, low: float, high: float) -> None:
        """Mark the rectangle as covered."""
        self.taken.append((x - half_width, x + half_width, low, high))

    def to_world(self, x: float, y: float = 0.0, z: float = 0.0) -> np.ndarray:
        """World point [3] of a local one."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return self.origin + np.array([c * x - s * y, s * x + c * y, z])


@dataclass
class Room:
    """An axis-aligned room: low and high corners [2] and height, metres."""

    low: np.ndarray
    high: np.ndarray
    height: float
    walls: list[Wall]
    # World rectangles (x0, y0, x1, y1) where no furniture may stand.
    blocked: list[tuple[float, float, float, float]] = field(default_factory=list)

    def is_clear(self, centre: np.ndarray, half: np.ndarray) -> bool:
        """Whether a rectangle is inside the room and off everything that stands there."""
        x0, y0 = centre[:2] - half
        x1, y1 = centre[:2] + half
        if x0 < self.low[0] or y0 < self.low[1] or x1 > self.high[0] or y1 > self.high[1]:
            return False
        return not any(x0 < c and x1 > a and y0 < d and y1 > b for a, b, c, d in self.blocked)

    def block(self, centre: np.ndarray, half: np.ndarray) -> None:
        """Keep furniture out of a rectangle."""
        self.blocked.append((*(centre[:2] - half), *(centre[:2] + half)))


def make_room(low: np.ndarray, high: np.ndarray, height: float) -> Room:
    """An empty room; walls in the order south, east, north, west."""
    middle, half = (low + high) / 2, (high - low) / 2
    walls = []
    for yaw, x, y in ((np.pi, 0, -1), (-np.pi / 2, 1, 0), (0.0, 0, 1), (np.pi / 2, -1, 0)):
        origin = np.array([middle[0] + x * half[0], middle[1] + y * half[1], 0.0])
        walls.append(Wall(yaw, origin, half[1] if x else half[0]))
    return Room(low, high, height, walls)


@dataclass
class House:
    """All primitives of a scene, its rooms, and where light comes from."""

    rooms: list[Room]
    parts: list[Primitive]
    lights: list[tuple[np.ndarray, str]]
    # Footprints (centre [2], half [2]) that shade the floor around them.
    shadows: list[tuple[np.ndarray, np.ndarray]]


def keep_free(room: Room, wall: Wall, x: float, width: float, reach: float = 1.0) -> None:
    wall.take(x, width / 2 + 0.12, 0.0, 2.2)
    corners = np.array(
        [wall.to_world(x + s * width / 2, y)[:2] for s in (-1, 1) for y in (-reach, 0.3)]
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    room.block((low + high) / 2, (high - low) / 2)

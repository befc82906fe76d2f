"""Boxes, ellipsoids and cylinders that the synthetic scenes are made of."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

BOX, ELLIPSOID, CYLINDER = 0, 1, 2

CLASS_NAMES: tuple[str, ...] = (
    'wall',
    'floor',
    'ceiling',
    'door',
    'window',
    'bed_sofa',
    'chair',
    'table',
    'cabinet',
    'appliance_fixture',
    'wall_flat',
    'lamp',
    'rug',
    'other_object',
)
(
    WALL,
    FLOOR,
    CEILING,
    DOOR,
    WINDOW,
    BED_SOFA,
    CHAIR,
    TABLE,
    CABINET,
    APPLIANCE,
    WALL_FLAT,
    LAMP,
    RUG,
    OTHER,
) = range(14)
VOID = 255


@dataclass(frozen=True)
class Paint:
    """Looks of a surface.

    colour: linear albedo [3]; texture: number in the bank; scale: metres per texture width, or 0
    to stretch the texture over the face whose normal is local axis `fit_axis`; glow: emitted
    light as a multiple of the albedo; gloss: strength of highlights; weak: a depth sensor sees
    little of it (glass, screens).
    """

    colour: np.ndarray
    texture: int = 0
    scale: float = 1.0
    fit_axis: int = 1
    glow: float = 0.0
    gloss: float = 0.0
    weak: bool = False


@dataclass(frozen=True)
class Primitive:
    """centre [3] and half extents [3] in metres, rotation [3, 3] (columns: local axes)."""

    shape: int
    label: int
    centre: np.ndarray
    half: np.ndarray
    rotation: np.ndarray
    paint: Paint

    def moved(self, yaw: float, offset: np.ndarray) -> 'Primitive':
        """Turned by yaw (radians) about the origin's vertical, then shifted by offset [3]."""
        turn = rotation_z(yaw)
        return replace(self, centre=turn @ self.centre + offset, rotation=turn @ self.rotation)

    def corners(self) -> np.ndarray:
        """Corners of the bounding oriented box, float64 [8, 3]."""
        return self.centre + (_CORNER_SIGNS * self.half) @ self.rotation.T


_CORNER_SIGNS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


def rotation_z(angle: float) -> np.ndarray:
    """Rotation matrix [3, 3] about z, radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def rotation_x(angle: float) -> np.ndarray:
    """Rotation matrix [3, 3] about x, radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def solid(
    label: int,
    centre: Iterable[float],
    size: Iterable[float],
    paint: Paint,
    shape: int = BOX,
    rotation: np.ndarray | None = None,
) -> Primitive:
    """A primitive from its centre and full size in metres."""
    turn = np.eye(3) if rotation is None else rotation
    half = np.maximum(np.array(list(size), float) / 2, 5e-4)
    return Primitive(shape, label, np.array(list(centre), float), half, turn, paint)


@dataclass(frozen=True)
class PrimitiveTable:
    """Primitives as arrays of length N, for the renderer."""

    shape: np.ndarray
    label: np.ndarray
    centre: np.ndarray
    half: np.ndarray
    rotation: np.ndarray
    corners: np.ndarray
    colour: np.ndarray
    texture: np.ndarray
    scale: np.ndarray
    fit_axis: np.ndarray
    glow: np.ndarray
    gloss: np.ndarray
    weak: np.ndarray


def tabulate(primitives: list[Primitive]) -> PrimitiveTable:
    """Gather primitives into arrays."""
    paints = [primitive.paint for primitive in primitives]
    return PrimitiveTable(
        shape=np.array([p.shape for p in primitives], np.uint8),
        label=np.array([p.label for p in primitives], np.uint8),
        centre=np.array([p.centre for p in primitives]),
        half=np.array([p.half for p in primitives]),
        rotation=np.array([p.rotation for p in primitives]),
        corners=np.array([p.corners() for p in primitives]),
        colour=np.array([paint.colour for paint in paints], np.float32),
        texture=np.array([paint.texture for paint in paints], np.int32),
        scale=np.array([paint.scale for paint in paints], np.float32),
        fit_axis=np.array([paint.fit_axis for paint in paints], np.uint8),
        glow=np.array([paint.glow for paint in paints], np.float32),
        gloss=np.array([paint.gloss for paint in paints], np.float32),
        weak=np.array([paint.weak for paint in paints], bool),
    )

"""Floors, ceilings, walls and doorways of the synthetic scenes."""

import numpy as np

from . import scene_fittings as fittings
from .scene_layout import House, Room, Wall, keep_free
from .scene_patterns import random_colour
from .scene_primitives import (
    CEILING,
    FLOOR,
    WALL,
    Paint,
    solid,
)
from .scene_style import Style

WALL_THICKNESS = 0.12


def shell(
    style: Style, house: House, room: Room, hole: tuple[Wall, float, float, float] | None
) -> None:
    """Floor, ceiling, walls (one with a hole), skirting and sometimes beams."""
    rng, textures = style.rng, style.textures
    middle, size = (room.low + room.high) / 2, room.high - room.low
    t = WALL_THICKNESS
    kind = str(rng.choice(['planks', 'tiles', 'carpet', 'plain'], p=[0.5, 0.25, 0.2, 0.05]))
    tone = style.wood_colour * 1.2 if kind == 'planks' else np.full(3, rng.uniform(0.15, 0.8))
    tone = tone * rng.uniform(0.9, 1.1, 3)
    paint = Paint(
        tone, textures.pick(rng, kind), rng.uniform(1.0, 2.4), gloss=rng.choice([0, 0.1])
    )
    full = (*(size + 2 * t), 0.1)
    house.parts.append(solid(FLOOR, (*middle, -0.05), full, paint))
    white = Paint(np.full(3, rng.uniform(0.75, 0.92)), textures.pick(rng, 'plaster'), 2.0)
    if rng.random() < 0.1:
        white = Paint(style.wood_colour, textures.pick(rng, 'planks'), 1.5)
    house.parts.append(solid(CEILING, (*middle, room.height + 0.05), full, white))
    if rng.random() < 0.25:
        for x in np.arange(room.low[0] + 0.7, room.high[0] - 0.3, rng.uniform(0.9, 1.6)):
            beam = (x, middle[1], room.height - 0.06)
            house.parts.append(solid(CEILING, beam, (0.14, size[1], 0.14), white))
    accent = int(rng.integers(4)) if rng.random() < 0.35 else -1
    skirting = Paint(np.full(3, rng.uniform(0.6, 0.9))) if rng.random() < 0.8 else None
    for number, wall in enumerate(room.walls):
        paint = Paint(style.wall_colour, textures.pick(rng, 'plaster', 'plain'), 2.0)
        if number == accent:
            kind = str(rng.choice(['plaster', 'brick', 'stripes', 'pattern', 'planks', 'tiles']))
            paint = Paint(random_colour(rng, (0, 0.7)), textures.pick(rng, kind), 1.2)
        length, h = wall.half_length, room.height
        pieces = [(-length - t, length + t, 0.0, h)]
        if hole is not None and hole[0] is wall:
            _, x, wide, top = hole
            a, b = x - wide / 2, x + wide / 2
            pieces = [(-length - t, a, 0.0, h), (b, length + t, 0.0, h), (a, b, top, h)]
        for x0, x1, z0, z1 in pieces:
            place = wall.to_world((x0 + x1) / 2, t / 2, (z0 + z1) / 2)
            part = solid(WALL, (0, 0, 0), (x1 - x0, t, z1 - z0), paint)
            house.parts.append(part.moved(wall.yaw, place))
            if skirting is not None and z0 == 0:
                part = solid(WALL, (0, 0, 0), (x1 - x0, 0.024, 0.11), skirting)
                house.parts.append(part.moved(wall.yaw, wall.to_world((x0 + x1) / 2, 0, 0.055)))


def doorway(
    style: Style, house: House, room: Room, wall: Wall, x: float, width: float, top: float
) -> None:
    """The opening between two rooms: a door that stands open, a casing, or nothing."""
    rng = style.rng
    keep_free(room, wall, x, width)
    if width > 1.05 and rng.random() < 0.6:
        return
    paint = fittings.door_paint(style)
    parts = fittings.door_frame(style, width, top, Paint(paint.colour))
    # Lining of the hole, and the casing of the far side.
    for side in (-1, 1):
        place = (side * (width / 2 - 0.01), WALL_THICKNESS, top / 2)
        parts.append(
            solid(fittings.DOOR, place, (0.02, 2 * WALL_THICKNESS, top), Paint(paint.colour))
        )
    # Overhead it covers the edge of the casings, which would flicker against the wall's.
    lintel = (0, WALL_THICKNESS, top - 0.01)
    size = (width, 2 * WALL_THICKNESS + 0.08, 0.025)
    parts.append(solid(fittings.DOOR, lintel, size, Paint(paint.colour)))
    far = fittings.door_frame(style, width, top, Paint(paint.colour))
    parts += [part.moved(0, np.array([0, 2 * WALL_THICKNESS, 0])) for part in far]
    if width <= 1.05 and rng.random() < 0.75:
        leaf = fittings.door_leaf(style, width - 0.05, top - 0.02, paint)
        swing = -rng.uniform(1.2, 1.9)
        hinge = np.array([-width / 2 + 0.03, -0.02, 0])
        parts += [part.moved(swing, hinge) for part in leaf]
    house.parts += [part.moved(wall.yaw, wall.to_world(x)) for part in parts]

"""Lamps, plants, and loose things of the synthetic scenes.

Each function builds around the origin of a footprint: x to the right, z up from the floor, and y
towards the wall it stands at (its front looks to -y). Metres.
"""

import numpy as np

from .scene_patterns import random_colour
from .scene_primitives import (
    CYLINDER,
    ELLIPSOID,
    LAMP,
    OTHER,
    Paint,
    Primitive,
    rotation_x,
    rotation_z,
    solid,
)
from .scene_style import Item, Style, wood


def floor_lamp(style: Style) -> Item:
    rng = style.rng
    h = rng.uniform(1.4, 1.8)
    pole = style.paint('metal')
    width, tall = rng.uniform(0.25, 0.5), rng.uniform(0.2, 0.4)
    shade = Paint(
        np.array([1.0, 0.93, 0.8]) * rng.uniform(0.6, 0.95), glow=rng.choice([0, 0.8, 2])
    )
    parts = [
        solid(LAMP, (0, 0, 0.015), (0.3, 0.3, 0.03), pole, CYLINDER),
        solid(LAMP, (0, 0, h / 2), (0.03, 0.03, h), pole, CYLINDER),
        solid(LAMP, (0, 0, h), (width, width, tall), shade, CYLINDER),
    ]
    return Item(0.22, 0.22, h + 0.2, parts)


def table_lamp(style: Style, z: float) -> list[Primitive]:
    """A lamp on a surface at height z."""
    rng = style.rng
    foot, h = style.paint('metal', 'lacquer', 'wood'), rng.uniform(0.2, 0.35)
    width = rng.uniform(0.2, 0.35)
    shade = Paint(
        np.array([1.0, 0.92, 0.75]) * rng.uniform(0.6, 0.95), glow=rng.choice([0, 0.8, 2])
    )
    body = ELLIPSOID if rng.random() < 0.5 else CYLINDER
    size = (0.13, 0.13, h) if body == ELLIPSOID else (0.04, 0.04, h)
    return [
        solid(LAMP, (0, 0, z + h / 2), size, foot, body),
        solid(LAMP, (0, 0, z + h + 0.09), (width, width, 0.2), shade, CYLINDER),
    ]


def plant(style: Style) -> Item:
    rng = style.rng
    h, spread = rng.uniform(0.5, 1.7), rng.uniform(0.15, 0.35)
    pot = rng.uniform(0.2, 0.4)
    green = np.array([0.08, 0.22, 0.05]) * rng.uniform(0.4, 2.0, 3)
    paint = Paint(green, style.textures.pick(rng, 'mottled'), 0.3)
    tub = style.paint('lacquer', 'wood')
    parts = [
        solid(OTHER, (0, 0, pot / 2), (pot, pot, pot), tub, CYLINDER),
        solid(OTHER, (0, 0, h / 2), (0.03, 0.03, h), Paint(wood(rng)), CYLINDER),
    ]
    for _ in range(int(rng.integers(10, 26))):
        angle, up = rng.uniform(0, 2 * np.pi), rng.uniform(pot + 0.1, h + 0.1)
        reach = spread * rng.uniform(0.3, 1.0)
        turn = rotation_z(angle) @ rotation_x(rng.uniform(-0.9, 0.9))
        place = (-np.sin(angle) * reach, np.cos(angle) * reach, up)
        size = (rng.uniform(0.05, 0.14), rng.uniform(0.2, 0.45), 0.02)
        parts.append(solid(OTHER, place, size, paint, ELLIPSOID, turn))
    return Item(spread, spread, h + 0.2, parts)


def loose_object(style: Style) -> Item:
    """A box, basket, ball, bin, or bag on the floor."""
    rng = style.rng
    w, d, h = rng.uniform(0.2, 0.5), rng.uniform(0.2, 0.45), rng.uniform(0.15, 0.6)
    shape = int(rng.choice([0, CYLINDER, ELLIPSOID]))
    parts = [solid(OTHER, (0, 0, h / 2), (w, d, h), style.paint('any'), shape)]
    if shape == 0 and rng.random() < 0.4:
        size = (w * 0.8, d * 0.8, 0.2)
        parts.append(solid(OTHER, (0, 0, h + 0.1), size, style.paint('any')))
    return Item(w / 2, d / 2, h + 0.2, parts)


def clutter(
    style: Style, w: float, d: float, z: float, most: int, tallest: float = 0.35
) -> list[Primitive]:
    """Up to `most` small things on a surface of w x d at height z."""
    rng = style.rng
    parts = []
    for _ in range(int(rng.integers(0, most + 1))):
        x, y = rng.uniform(-w / 2, w / 2), rng.uniform(-d / 2, d / 2)
        kind, turn = rng.integers(5), rotation_z(rng.uniform(0, np.pi))
        if kind == 0:
            for n in range(int(rng.integers(1, 5))):
                size = (0.22, 0.16, 0.03)
                parts.append(
                    solid(
                        OTHER,
                        (x, y, z + 0.015 + n * 0.03),
                        size,
                        Paint(random_colour(rng, (0, 0.9))),
                        rotation=turn,
                    )
                )
        elif kind == 1:
            h = rng.uniform(0.08, min(0.3, tallest))
            wide = rng.uniform(0.06, 0.12)
            parts.append(
                solid(OTHER, (x, y, z + h / 2), (wide, wide, h), style.paint('any'), CYLINDER)
            )
        elif kind == 2:
            wide = rng.uniform(0.1, min(0.28, tallest))
            parts.append(
                solid(
                    OTHER,
                    (x, y, z + wide * 0.3),
                    (wide, wide, wide * 0.6),
                    style.paint('any'),
                    ELLIPSOID,
                )
            )
        elif kind == 3:
            box = rng.uniform(0.06, min(0.3, tallest), 3)
            parts.append(
                solid(OTHER, (x, y, z + box[2] / 2), box, style.paint('any'), rotation=turn)
            )
        else:
            h = rng.uniform(0.1, min(0.2, tallest))
            green = Paint(
                np.array([0.1, 0.25, 0.06]) * rng.uniform(0.4, 1.8, 3),
                style.textures.pick(rng, 'mottled'),
                0.2,
            )
            parts.append(
                solid(OTHER, (x, y, z + h / 2), (0.09, 0.09, h), style.paint('lacquer'), CYLINDER)
            )
            if tallest > 0.3:
                parts.append(
                    solid(OTHER, (x, y, z + h + 0.08), (0.24, 0.24, 0.22), green, ELLIPSOID)
                )
    return parts

"""Kitchens and bathrooms of the synthetic scenes.

Each function builds around the origin of a footprint: x to the right, z up from the floor, and y
towards the wall it stands at (its front looks to -y). Metres.
"""

import numpy as np

from .scene_furniture import chair
from .scene_objects import clutter
from .scene_primitives import (
    APPLIANCE,
    CABINET,
    CYLINDER,
    ELLIPSOID,
    OTHER,
    TABLE,
    Paint,
    rotation_x,
    solid,
)
from .scene_style import Item, Style


def fridge(style: Style) -> Item:
    rng = style.rng
    w, d, h = rng.uniform(0.58, 0.9), rng.uniform(0.6, 0.75), rng.uniform(1.5, 1.9)
    tone = rng.choice([0.05, 0.35, 0.85])
    paint = Paint(np.full(3, tone), gloss=0.2)
    cut = rng.uniform(0.3, 0.7) * h
    parts = [
        solid(APPLIANCE, (0, 0, cut / 2), (w, d, cut - 0.006), paint),
        solid(APPLIANCE, (0, 0, (h + cut) / 2), (w, d, h - cut - 0.006), paint),
        solid(
            APPLIANCE, (0, 0.02, h / 2), (w - 0.02, d - 0.05, h - 0.02), Paint(np.full(3, 0.05))
        ),
    ]
    handle = Paint(np.full(3, 0.4), gloss=0.4)
    for z in (cut - 0.25, cut + 0.25):
        place = (-w / 2 + 0.06, -d / 2 - 0.03, z)
        parts.append(solid(APPLIANCE, place, (0.025, 0.04, 0.3), handle))
    return Item(w / 2, d / 2 + 0.03, h, parts)


def washer(style: Style) -> Item:
    white = Paint(np.full(3, style.rng.uniform(0.6, 0.9)), gloss=0.1)
    ring, glass = Paint(np.full(3, 0.4)), Paint(np.full(3, 0.04), gloss=0.4, weak=True)
    upright = rotation_x(np.pi / 2)
    parts = [
        solid(APPLIANCE, (0, 0, 0.425), (0.6, 0.58, 0.85), white),
        solid(APPLIANCE, (0, -0.29, 0.4), (0.4, 0.4, 0.03), ring, CYLINDER, upright),
        solid(APPLIANCE, (0, -0.3, 0.4), (0.3, 0.3, 0.04), glass, CYLINDER, upright),
        solid(APPLIANCE, (0.15, -0.292, 0.77), (0.25, 0.01, 0.08), glass),
    ]
    return Item(0.3, 0.32, 0.85, parts)


def toilet(style: Style) -> Item:
    white = Paint(np.full(3, style.rng.uniform(0.75, 0.9)), gloss=0.15)
    parts = [
        solid(APPLIANCE, (0, 0.25, 0.6), (0.42, 0.18, 0.4), white),
        solid(APPLIANCE, (0, 0.1, 0.2), (0.22, 0.4, 0.4), white),
        solid(APPLIANCE, (0, -0.08, 0.38), (0.4, 0.52, 0.12), white, CYLINDER),
        solid(APPLIANCE, (0, -0.08, 0.25), (0.36, 0.46, 0.3), white, ELLIPSOID),
    ]
    return Item(0.24, 0.36, 0.8, parts)


def bathtub(style: Style) -> Item:
    white = Paint(np.full(3, style.rng.uniform(0.75, 0.9)), gloss=0.15)
    w, d, h = style.rng.uniform(1.4, 1.7), 0.75, 0.55
    parts = [solid(APPLIANCE, (0, 0, 0.1), (w, d, 0.2), white)]
    for side in (-1, 1):
        parts.append(solid(APPLIANCE, (side * (w / 2 - 0.04), 0, h / 2), (0.08, d, h), white))
        parts.append(solid(APPLIANCE, (0, side * (d / 2 - 0.04), h / 2), (w, 0.08, h), white))
    return Item(w / 2, d / 2, h, parts)


def vanity(style: Style) -> Item:
    """A wash basin on a cabinet, or on a pedestal."""
    rng = style.rng
    white = Paint(np.full(3, 0.85), gloss=0.15)
    tap = solid(OTHER, (0, 0.15, 0.95), (0.03, 0.12, 0.2), Paint(np.full(3, 0.5), gloss=0.4))
    basin = solid(APPLIANCE, (0, 0, 0.84), (0.52, 0.4, 0.16), white, ELLIPSOID)
    if rng.random() < 0.5:
        foot = solid(APPLIANCE, (0, 0.05, 0.4), (0.18, 0.18, 0.8), white, CYLINDER)
        return Item(0.28, 0.24, 1.0, [basin, foot, tap])
    w = rng.uniform(0.6, 1.2)
    front = style.fitted('front', style.paint('wood', 'lacquer').colour)
    top = style.paint('lacquer')
    return Item(
        w / 2,
        0.26,
        1.0,
        [
            solid(CABINET, (0, 0, 0.39), (w, 0.48, 0.78), front),
            solid(TABLE, (0, 0, 0.8), (w + 0.02, 0.5, 0.04), top),
            basin,
            tap,
        ],
    )


def kitchen_run(style: Style) -> Item:
    """Base cabinets with a counter (class table), cooker, sink, and wall cabinets above."""
    rng = style.rng
    units = int(rng.integers(3, 6))
    unit, d, h = 0.6, 0.6, 0.9
    w = units * unit
    colour = style.paint('wood', 'lacquer').colour
    front = style.fitted('front', colour)
    stone = Paint(style.paint('lacquer', 'wood').colour, style.textures.pick(rng, 'marble'), 1.2)
    cooker, sink = rng.choice(units, 2, replace=False)
    metal = Paint(np.full(3, rng.choice([0.04, 0.35, 0.85])), gloss=0.2)
    black = Paint(np.full(3, 0.03), gloss=0.3, weak=True)
    parts = []
    wall_units, hood = rng.random() < 0.8, rng.random() < 0.7
    for n in range(units):
        x = (n - (units - 1) / 2) * unit
        if n == cooker:
            parts.append(solid(APPLIANCE, (x, 0, h / 2), (unit, d, h), metal))
            parts.append(solid(APPLIANCE, (x, -d / 2, 0.45), (0.48, 0.02, 0.4), black))
            parts.append(solid(APPLIANCE, (x, -d / 2 - 0.03, 0.72), (0.45, 0.03, 0.02), metal))
            parts.append(solid(APPLIANCE, (x, 0, h + 0.005), (0.56, 0.5, 0.012), black))
        else:
            parts.append(solid(CABINET, (x, 0, h / 2 - 0.02), (unit - 0.005, d, h - 0.04), front))
            parts.append(solid(TABLE, (x, -0.01, h - 0.02), (unit, d + 0.03, 0.04), stone))
        if n == sink:
            parts.append(
                solid(
                    APPLIANCE,
                    (x, 0, h + 0.002),
                    (0.48, 0.4, 0.01),
                    Paint(np.full(3, 0.3), gloss=0.3),
                )
            )
            parts.append(solid(OTHER, (x, 0.2, h + 0.15), (0.03, 0.03, 0.3), metal, CYLINDER))
            parts.append(solid(OTHER, (x, 0.12, h + 0.29), (0.03, 0.18, 0.03), metal))
        if n == cooker and hood:
            parts.append(solid(APPLIANCE, (x, 0.05, 1.6), (unit, 0.5, 0.1), metal))
            parts.append(solid(APPLIANCE, (x, 0.18, 2.0), (0.25, 0.25, 0.75), metal))
        elif wall_units:
            parts.append(solid(CABINET, (x, 0.12, 1.85), (unit - 0.005, 0.35, 0.75), front))
        if n not in (cooker, sink):
            things = clutter(style, 0.4, 0.3, h, 3)
            if rng.random() < 0.2:
                things = [
                    solid(APPLIANCE, (0, 0.05, h + 0.14), (0.48, 0.36, 0.28), metal),
                    solid(APPLIANCE, (-0.05, -0.13, h + 0.14), (0.32, 0.01, 0.2), black),
                ]
            parts += [thing.moved(0, np.array([x, 0, 0])) for thing in things]
    return Item(w / 2, d / 2 + 0.02, 2.25, parts)


def kitchen_island(style: Style) -> Item:
    rng = style.rng
    w, d, h = rng.uniform(1.2, 2.0), rng.uniform(0.7, 0.9), 0.92
    front = style.fitted('front', style.paint('wood', 'lacquer').colour)
    stone = Paint(style.paint('lacquer').colour, style.textures.pick(rng, 'marble'), 1.2)
    parts = [
        solid(CABINET, (0, 0, h / 2 - 0.03), (w - 0.06, d - 0.2, h - 0.06), front),
        solid(TABLE, (0, 0, h - 0.025), (w, d, 0.05), stone),
    ]
    for x in np.linspace(-w / 2 + 0.3, w / 2 - 0.3, int(rng.integers(1, 4))):
        parts += chair(style).moved(np.pi, np.array([x, -d / 2 - 0.15, 0]))
    return Item(w / 2, d / 2 + 0.4, 1.0, parts + clutter(style, w * 0.7, d * 0.5, h, 4))

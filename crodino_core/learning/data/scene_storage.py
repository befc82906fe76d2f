"""Cabinets and shelves of the synthetic scenes.

Each function builds around the origin of a footprint: x to the right, z up from the floor, and y
towards the wall it stands at (its front looks to -y). Metres.
"""

import numpy as np

from .scene_furniture import legs, table_parts
from .scene_objects import clutter, table_lamp
from .scene_primitives import (
    CABINET,
    OTHER,
    TABLE,
    Paint,
    solid,
)
from .scene_style import Item, Style


def nightstand(style: Style) -> Item:
    rng = style.rng
    w, d, h = rng.uniform(0.35, 0.55), rng.uniform(0.35, 0.45), rng.uniform(0.45, 0.65)
    if rng.random() < 0.5:
        parts = table_parts(style, w, d, h)
    else:
        paint = style.fitted('front', style.paint('wood', 'lacquer').colour)
        parts = [solid(TABLE, (0, 0, h / 2), (w, d, h), paint)]
    parts += table_lamp(style, h) if rng.random() < 0.7 else clutter(style, w / 2, d / 2, h, 2)
    return Item(w / 2, d / 2, h, parts)


def cabinet(style: Style) -> Item:
    """A chest of drawers, a sideboard or a wardrobe."""
    rng = style.rng
    w, d = rng.uniform(0.6, 1.8), rng.uniform(0.35, 0.6)
    h = rng.choice([rng.uniform(0.5, 1.1), rng.uniform(1.7, 2.2)], p=[0.6, 0.4])
    paint = style.fitted('front', style.paint('wood', 'lacquer').colour)
    parts = [solid(CABINET, (0, 0, h / 2), (w, d, h), paint)]
    if rng.random() < 0.5:
        plinth = Paint(np.full(3, 0.05))
        parts = [solid(CABINET, (0, 0, h / 2 + 0.05), (w, d, h - 0.1), paint)]
        parts += legs(CABINET, w, d, 0.1, 0.04, plinth)
    if rng.random() < 0.4 and h < 1.2:
        metal = style.paint('metal')
        for x in (-0.1, 0.1):
            parts.append(solid(CABINET, (x, -d / 2 - 0.02, h * 0.6), (0.02, 0.03, 0.15), metal))
    if h < 1.2:
        parts += clutter(style, w * 0.8, d * 0.6, h, 4)
        if rng.random() < 0.3:
            parts += table_lamp(style, h)
    return Item(w / 2, d / 2, h, parts)


def shelf(style: Style) -> Item:
    """Open boards with books and things."""
    rng = style.rng
    w, d, h = rng.uniform(0.5, 1.3), rng.uniform(0.25, 0.38), rng.uniform(0.9, 2.1)
    board = style.paint('wood', 'lacquer', 'metal')
    count = int(rng.integers(3, 6))
    closed = rng.random() < 0.6
    parts = []
    for x in (-1, 1):
        if closed:
            parts.append(solid(CABINET, (x * w / 2, 0, h / 2), (0.025, d, h), board))
        else:
            for y in (-1, 1):
                place = (x * w / 2, y * (d / 2 - 0.015), h / 2)
                parts.append(solid(CABINET, place, (0.03, 0.03, h), board))
    if closed and rng.random() < 0.7:
        parts.append(solid(CABINET, (0, d / 2 - 0.005, h / 2), (w, 0.01, h), board))
    heights = np.linspace(0.06, h - 0.0125, count)
    for z in heights:
        parts.append(solid(CABINET, (0, 0, z), (w, d, 0.025), board))
    for z in heights[:-1]:
        if rng.random() < 0.6:
            wide = rng.uniform(0.3, 0.9) * (w - 0.06)
            place = (rng.uniform(-1, 1) * (w - 0.06 - wide) / 2, 0.02, z + 0.013 + 0.12)
            books = style.fitted('books', np.ones(3))
            parts.append(solid(OTHER, place, (wide, d * 0.7, 0.24), books))
        else:
            parts += clutter(style, w * 0.8, d * 0.5, z + 0.013, 3, 0.2)
    return Item(w / 2 + 0.02, d / 2, h, parts)


def tv_stand(style: Style) -> Item:
    """A low cabinet with a television on it."""
    rng = style.rng
    w, d, h = rng.uniform(1.2, 1.8), rng.uniform(0.35, 0.45), rng.uniform(0.35, 0.6)
    paint = style.fitted('front', style.paint('wood', 'lacquer').colour)
    parts = [solid(CABINET, (0, 0, h / 2), (w, d, h), paint)]
    return Item(w / 2, d / 2, h, parts + clutter(style, w * 0.9, d * 0.4, h, 2))

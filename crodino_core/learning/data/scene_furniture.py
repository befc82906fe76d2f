"""Beds, seats and tables of the synthetic scenes.

Each function builds around the origin of a footprint: x to the right, z up from the floor, and y
towards the wall it stands at (its front looks to -y). Metres.
"""

import numpy as np

from .scene_objects import clutter
from .scene_primitives import (
    BED_SOFA,
    CHAIR,
    CYLINDER,
    ELLIPSOID,
    OTHER,
    TABLE,
    Paint,
    Primitive,
    rotation_x,
    rotation_z,
    solid,
)
from .scene_style import Item, Style


def legs(
    label: int, w: float, d: float, top: float, thick: float, paint: Paint, inset: float = 0.03
) -> list[Primitive]:
    """Four legs inside a rectangle of w x d."""
    return [
        solid(
            label,
            (x * (w / 2 - inset - thick / 2), y * (d / 2 - inset - thick / 2), top / 2),
            (thick, thick, top),
            paint,
        )
        for x in (-1, 1)
        for y in (-1, 1)
    ]


def bed(style: Style) -> Item:
    rng = style.rng
    w, d, h = rng.choice([0.95, 1.4, 1.7]), rng.uniform(1.95, 2.15), rng.uniform(0.38, 0.6)
    frame, sheet, cover = (
        style.paint('wood', 'fabric'),
        style.paint('fabric'),
        style.paint('fabric'),
    )
    if rng.random() < 0.6:
        sheet = Paint(np.full(3, rng.uniform(0.7, 0.9)))
    parts = [
        solid(BED_SOFA, (0, 0, h * 0.3), (w, d, h * 0.4), frame),
        solid(BED_SOFA, (0, 0, h * 0.75), (w - 0.04, d - 0.06, h * 0.5), sheet),
        solid(BED_SOFA, (0, -0.2, h * 0.79), (w + 0.06, d - 0.5, h * 0.52), cover),
    ]
    if rng.random() < 0.75:
        top = rng.uniform(0.8, 1.3)
        parts.append(solid(BED_SOFA, (0, d / 2 + 0.03, top / 2), (w + 0.1, 0.07, top), frame))
    for x in np.linspace(-w / 2 + 0.35, w / 2 - 0.35, 1 if w < 1.2 else 2):
        parts.append(_pillow(style, (x, d / 2 - 0.25, h + 0.08), 0.6))
        if rng.random() < 0.5:
            parts.append(_pillow(style, (x, d / 2 - 0.45, h + 0.12), 0.4))
    return Item(w / 2 + 0.06, d / 2 + 0.07, 0.65, parts)


def _pillow(style: Style, centre: tuple[float, float, float], size: float) -> Primitive:
    lean = rotation_x(style.rng.uniform(-1.2, -0.1)) @ rotation_z(style.rng.uniform(-0.2, 0.2))
    paint = style.paint('fabric')
    return solid(BED_SOFA, centre, (size, size * 0.7, 0.2), paint, ELLIPSOID, lean)


def sofa(style: Style) -> Item:
    rng = style.rng
    w, d, seat = rng.uniform(0.85, 2.4), rng.uniform(0.8, 1.0), rng.uniform(0.38, 0.46)
    back, arm = rng.uniform(0.7, 0.95), rng.uniform(0.1, 0.22)
    cover = style.paint('fabric')
    parts = [
        solid(BED_SOFA, (0, 0, seat / 2 + 0.04), (w, d, seat - 0.08), cover),
        solid(BED_SOFA, (0, d / 2 - 0.1, back / 2 + 0.04), (w, 0.2, back), cover),
    ]
    for x in (-1, 1):
        place = (x * (w / 2 - arm / 2), 0, 0.32)
        parts.append(solid(BED_SOFA, place, (arm, d, rng.uniform(0.5, 0.56)), cover))
    count = max(1, round((w - 2 * arm) / 0.7))
    wide = (w - 2 * arm) / count
    for x in (np.arange(count) - (count - 1) / 2) * wide:
        parts.append(solid(BED_SOFA, (x, -0.1, seat + 0.06), (wide - 0.015, d - 0.2, 0.13), cover))
        if rng.random() < 0.6:
            parts.append(_pillow(style, (x + rng.uniform(-0.1, 0.1), 0.12, seat + 0.28), 0.45))
    return Item(w / 2, d / 2, back + 0.05, parts)


def chair(style: Style) -> Item:
    """A dining chair, a stool, or an upholstered one."""
    rng = style.rng
    w, d = rng.uniform(0.4, 0.5), rng.uniform(0.4, 0.5)
    kind = rng.integers(5)
    seat = rng.uniform(0.43, 0.48) if kind else rng.uniform(0.6, 0.75)
    top = rng.uniform(0.82, 1.05)
    frame = style.paint('wood', 'metal', 'lacquer')
    cushion = style.paint('fabric', 'wood') if rng.random() < 0.6 else frame
    thick = rng.uniform(0.022, 0.045)
    if kind == 0:
        parts = legs(CHAIR, w - 0.1, d - 0.1, seat, thick, frame)
        parts.append(solid(CHAIR, (0, 0, seat), (w - 0.08, w - 0.08, 0.04), cushion, CYLINDER))
        return Item(w / 2, d / 2, seat, parts)
    parts = [solid(CHAIR, (0, 0, seat), (w, d, rng.uniform(0.03, 0.08)), cushion)]
    if kind == 1:
        parts.append(solid(CHAIR, (0, 0, seat / 2), (0.06, 0.06, seat), frame, CYLINDER))
        for angle in np.arange(3) * np.pi / 3:
            foot = rotation_z(angle)
            parts.append(solid(CHAIR, (0, 0, 0.05), (0.6, 0.05, 0.05), frame, rotation=foot))
    else:
        parts += legs(CHAIR, w, d, seat, thick, frame, 0.0)
    if kind in (1, 2):
        size = (w, 0.06, top - seat)
        parts.append(solid(CHAIR, (0, d / 2 - 0.03, (top + seat) / 2), size, cushion))
    else:
        for x in (-1, 1):
            place = (x * (w / 2 - thick / 2), d / 2 - thick / 2, (top + seat) / 2)
            parts.append(solid(CHAIR, place, (thick, thick, top - seat), frame))
        if kind == 3:
            for z in np.linspace(seat + 0.15, top - 0.04, int(rng.integers(2, 5))):
                parts.append(solid(CHAIR, (0, d / 2 - 0.02, z), (w, 0.02, 0.06), frame))
        else:
            parts.append(solid(CHAIR, (0, d / 2 - 0.02, top - 0.04), (w, 0.025, 0.08), frame))
            for x in np.linspace(-w / 2, w / 2, int(rng.integers(4, 8)))[1:-1]:
                place = (x, d / 2 - 0.02, (top + seat) / 2)
                parts.append(solid(CHAIR, place, (0.02, 0.015, top - seat), frame))
    if rng.random() < 0.25:
        for x in (-1, 1):
            parts.append(solid(CHAIR, (x * w / 2, 0, seat + 0.2), (0.04, d, 0.03), frame))
            parts.append(solid(CHAIR, (x * w / 2, -d / 3, seat + 0.1), (0.03, 0.03, 0.2), frame))
    return Item(w / 2, d / 2, top, parts)


def armchair(style: Style) -> Item:
    """An upholstered single seat, which the real data calls a chair."""
    rng = style.rng
    w, d, seat, back = rng.uniform(0.6, 0.75), rng.uniform(0.6, 0.75), 0.42, rng.uniform(0.8, 1.0)
    cover, leg = style.paint('fabric'), style.paint('wood', 'metal')
    parts = legs(CHAIR, w, d, 0.2, 0.04, leg)
    parts.append(solid(CHAIR, (0, 0, 0.31), (w, d, seat - 0.2), cover))
    lean = rotation_x(-rng.uniform(0.05, 0.2))
    size = (w, 0.12, back - seat + 0.1)
    parts.append(solid(CHAIR, (0, d / 2 - 0.06, (back + seat) / 2), size, cover, rotation=lean))
    if rng.random() < 0.5:
        for x in (-1, 1):
            place = (x * (w / 2 - 0.04), -0.04, seat + 0.08)
            parts.append(solid(CHAIR, place, (0.08, d - 0.1, 0.25), cover))
    return Item(w / 2, d / 2 + 0.05, back, parts)


def table_parts(style: Style, w: float, d: float, h: float) -> list[Primitive]:
    """A top on four legs, or a round one on a foot."""
    rng = style.rng
    top = style.paint('wood', 'wood', 'lacquer', 'metal')
    leg = top if rng.random() < 0.6 else style.paint('metal', 'wood')
    thick = rng.uniform(0.02, 0.05)
    round_top = rng.random() < 0.2
    shape = CYLINDER if round_top else 0
    parts = [solid(TABLE, (0, 0, h - thick / 2), (w, d, thick), top, shape)]
    if round_top:
        parts.append(solid(TABLE, (0, 0, h / 2), (0.09, 0.09, h), leg, CYLINDER))
        parts.append(solid(TABLE, (0, 0, 0.015), (0.5 * w, 0.5 * d, 0.03), leg, CYLINDER))
    else:
        parts += legs(TABLE, w, d, h - thick, rng.uniform(0.025, 0.08), leg)
        if rng.random() < 0.5:
            parts.append(solid(TABLE, (0, 0, h - 0.07), (w - 0.1, d - 0.1, 0.08), leg))
    return parts


def dining_set(style: Style) -> Item:
    rng = style.rng
    w, d, h = rng.uniform(0.8, 1.9), rng.uniform(0.75, 1.0), rng.uniform(0.71, 0.78)
    parts = table_parts(style, w, d, h) + clutter(style, w * 0.7, d * 0.6, h, 3)
    state = rng.bit_generator.state
    per_side = 1 if w < 1.2 else int(rng.integers(2, 4))
    for side in (-1, 1):
        for x in (np.arange(per_side) - (per_side - 1) / 2) * (w / per_side):
            if rng.random() < 0.15:
                continue
            # One set: all chairs come from the same state of the generator.
            later, rng.bit_generator.state = rng.bit_generator.state, state
            seat = chair(style)
            rng.bit_generator.state = later
            reach = d / 2 + rng.uniform(-0.05, 0.25)
            yaw = (0 if side > 0 else np.pi) + rng.uniform(-0.15, 0.15)
            parts += seat.moved(yaw, np.array([x, side * reach, 0]))
    return Item(max(w, d) / 2 + 0.1, d / 2 + 0.5, 1.0, parts)


def coffee_table(style: Style) -> Item:
    rng = style.rng
    w, d, h = rng.uniform(0.6, 1.2), rng.uniform(0.45, 0.7), rng.uniform(0.35, 0.5)
    parts = table_parts(style, w, d, h) + clutter(style, w * 0.7, d * 0.6, h, 3)
    return Item(w / 2, d / 2, h, parts)


def desk(style: Style) -> Item:
    rng = style.rng
    w, d, h = rng.uniform(1.0, 1.6), rng.uniform(0.55, 0.75), rng.uniform(0.71, 0.78)
    parts = table_parts(style, w, d, h) + clutter(style, w * 0.8, d * 0.7, h, 4)
    if rng.random() < 0.6:
        screen = style.fitted('screen', np.ones(3), gloss=0.1)
        parts.append(solid(OTHER, (0, d / 4, h + 0.3), (0.55, 0.03, 0.33), screen))
        parts.append(
            solid(OTHER, (0, d / 4 + 0.02, h + 0.08), (0.06, 0.04, 0.16), Paint(np.full(3, 0.05)))
        )
    yaw = np.pi + rng.uniform(-0.4, 0.4)
    parts += chair(style).moved(yaw, np.array([rng.uniform(-0.2, 0.2), -d / 2 - 0.1, 0]))
    # The chair in front needs floor, too: the item is deeper than the desk and not centred on it.
    shift = np.array([0, 0.2, 0])
    return Item(w / 2, d / 2 + 0.2, 1.0, [part.moved(0, shift) for part in parts])

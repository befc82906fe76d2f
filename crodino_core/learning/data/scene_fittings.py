"""What hangs on walls and ceilings of the synthetic scenes or lies flat on their floors.

Wall fittings are built around the wall's surface: x to the right as seen from the room, y into
the wall (the surface is y = 0, the room is at y < 0), z up from the floor. Metres.
"""

import numpy as np

from .scene_patterns import random_colour
from .scene_primitives import (
    APPLIANCE,
    CABINET,
    CYLINDER,
    DOOR,
    ELLIPSOID,
    LAMP,
    OTHER,
    RUG,
    WALL_FLAT,
    WINDOW,
    Paint,
    Primitive,
    rotation_z,
    solid,
)
from .scene_style import Style


def door_frame(style: Style, width: float, height: float, paint: Paint) -> list[Primitive]:
    """Casing around a door or a doorway."""
    c = style.rng.uniform(0.06, 0.12)
    out = style.rng.uniform(0.015, 0.035)
    parts = [
        solid(DOOR, (x * (width + c) / 2, 0, height / 2), (c, 2 * out, height), paint)
        for x in (-1, 1)
    ]
    parts.append(solid(DOOR, (0, 0, height + c / 2), (width + 2 * c, 2 * out, c), paint))
    return parts


def door_leaf(style: Style, width: float, height: float, paint: Paint) -> list[Primitive]:
    """A leaf 4 cm thick that hangs at x = 0 and reaches to x = width, with a handle."""
    parts = [solid(DOOR, (width / 2, 0, height / 2), (width, 0.04, height), paint)]
    metal = Paint(np.full(3, style.rng.choice([0.03, 0.4])), gloss=0.3)
    for side in (-1, 1):
        place = (width - 0.1, side * 0.05, 1.0)
        parts.append(solid(DOOR, place, (0.12, 0.03, 0.025), metal))
        parts.append(solid(DOOR, (width - 0.06, side * 0.03, 1.0), (0.05, 0.03, 0.05), metal))
    for z in (0.25, height - 0.25):
        parts.append(solid(DOOR, (0.0, -0.02, z), (0.02, 0.02, 0.1), metal))
    return parts


def door_paint(style: Style) -> Paint:
    """Mostly white or wall-coloured panels, sometimes wood or a colour."""
    rng = style.rng
    choice = rng.random()
    if choice < 0.55:
        colour = np.full(3, rng.uniform(0.7, 0.9))
    elif choice < 0.7:
        colour = style.wall_colour
    elif choice < 0.9:
        colour = style.wood_colour
    else:
        colour = random_colour(rng, (0.1, 0.6))
    return style.fitted('door', colour, gloss=float(rng.choice([0, 0.05])))


def closed_door(style: Style, width: float, height: float) -> list[Primitive]:
    """A closed door; its leaf is within 2 cm of the wall."""
    paint = door_paint(style)
    parts = door_leaf(style, width, height, paint)
    depth = style.rng.uniform(0.005, 0.018)
    parts = [part.moved(0, np.array([-width / 2, 0.02 - depth, 0])) for part in parts]
    if style.rng.random() < 0.85:
        parts += door_frame(style, width, height, Paint(paint.colour))
    return parts


def window(style: Style, width: float, height: float, sill: float) -> list[Primitive]:
    """Bright panes in a frame, with a blind or curtains at times."""
    rng = style.rng
    frame = Paint(np.full(3, rng.uniform(0.6, 0.9)) if rng.random() < 0.8 else style.wood_colour)
    pane = style.fitted('pane', np.ones(3), glow=rng.uniform(0.8, 4.0), weak=True)  # type: ignore[arg-type]
    middle, out, c = sill + height / 2, rng.uniform(0.01, 0.04), rng.uniform(0.04, 0.1)
    parts = [solid(WINDOW, (0, 0, middle), (width, 0.012, height), pane)]
    for x in (-1, 1):
        side = (x * (width + c) / 2, 0, middle)
        parts.append(solid(WINDOW, side, (c, 2 * out, height + 2 * c), frame))
    for z in (sill - c / 2, sill + height + c / 2):
        parts.append(solid(WINDOW, (0, 0, z), (width + 2 * c, 2 * out, c), frame))
    choice = rng.random()
    if choice < 0.3:
        drop = rng.uniform(0.2, 1.0) * height
        cloth = Paint(style.cloth() * 0.5 + 0.4, glow=rng.uniform(0, 0.8))
        hung = (0, -out, sill + height - drop / 2)
        parts.append(solid(WINDOW, hung, (width - 0.02, 0.02, drop), cloth))
    elif choice < 0.6:
        cloth = Paint(style.cloth(), style.textures.pick(rng, 'curtain'), 0.5)
        low = 0.03 if rng.random() < 0.6 else sill - 0.1
        top, wide = sill + height + 0.12, rng.uniform(0.2, 0.45)
        for x in (-1, 1):
            edge = x * (width / 2 + 0.05)
            for n in range(4):
                place = (edge + x * (n / 3 - 0.6) * wide, -0.07, (low + top) / 2)
                size = (wide / 2.8, 0.09, top - low)
                parts.append(solid(WINDOW, place, size, cloth, CYLINDER))
        rod = Paint(np.full(3, 0.1))
        parts.append(solid(WINDOW, (0, -0.08, top + 0.02), (width + 0.7, 0.03, 0.03), rod))
    return parts


def picture(style: Style, width: float, height: float, middle: float) -> list[Primitive]:
    depth = style.rng.uniform(0.004, 0.03)
    paint = style.fitted('picture', np.full(3, style.rng.uniform(0.7, 1.0)))
    return [solid(WALL_FLAT, (0, -depth / 2, middle), (width, depth, height), paint)]


def television(style: Style, width: float, middle: float) -> list[Primitive]:
    screen = style.fitted('screen', np.ones(3), gloss=0.15)
    screen = Paint(screen.colour, screen.texture, 0.0, 1, gloss=0.15, weak=True)
    return [solid(WALL_FLAT, (0, -0.015, middle), (width, 0.03, width * 0.57), screen)]


def switch(style: Style, middle: float) -> list[Primitive]:
    """A switch or socket of one to three parts."""
    white = np.full(3, style.rng.uniform(0.6, 0.92))
    paint = style.fitted('switch', white)
    wide = 0.085 * style.rng.integers(1, 4)
    return [solid(WALL_FLAT, (0, -0.004, middle), (wide, 0.008, 0.11), paint)]


def vent(style: Style, middle: float) -> list[Primitive]:
    paint = style.fitted('vent', np.full(3, style.rng.uniform(0.6, 0.9)))
    wide = style.rng.uniform(0.25, 0.5)
    return [solid(WALL_FLAT, (0, -0.005, middle), (wide, 0.01, wide * 0.5), paint)]


def clock(style: Style, middle: float) -> list[Primitive]:
    face = rotation_z(0) @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
    rim, dial = Paint(random_colour(style.rng)), Paint(np.full(3, 0.85))
    wide = style.rng.uniform(0.22, 0.4)
    return [
        solid(WALL_FLAT, (0, -0.01, middle), (wide, wide, 0.02), rim, CYLINDER, face),
        solid(
            WALL_FLAT, (0, -0.011, middle), (wide * 0.85, wide * 0.85, 0.022), dial, CYLINDER, face
        ),
        solid(
            WALL_FLAT, (0, -0.024, middle + 0.04), (0.012, 0.004, 0.09), Paint(np.full(3, 0.02))
        ),
        solid(WALL_FLAT, (0.03, -0.024, middle), (0.07, 0.004, 0.012), Paint(np.full(3, 0.02))),
    ]


def air_conditioner(style: Style, middle: float) -> list[Primitive]:
    white = Paint(np.full(3, style.rng.uniform(0.7, 0.9)))
    return [
        solid(APPLIANCE, (0, -0.11, middle), (0.85, 0.22, 0.28), white),
        solid(APPLIANCE, (0, -0.18, middle - 0.12), (0.75, 0.09, 0.03), Paint(np.full(3, 0.2))),
    ]


def wall_shelf(style: Style, width: float, middle: float) -> list[Primitive]:
    board = style.paint('wood', 'lacquer')
    parts = [solid(CABINET, (0, -0.11, middle), (width, 0.22, 0.03), board)]
    for x in np.arange(-width / 2 + 0.12, width / 2 - 0.1, 0.22):
        if style.rng.random() < 0.7:
            h = style.rng.uniform(0.08, 0.28)
            paint = style.paint('any')
            shape = CYLINDER if style.rng.random() < 0.5 else 0
            place = (x, -0.11, middle + 0.015 + h / 2)
            parts.append(solid(OTHER, place, (0.1, 0.1, h), paint, shape))
    return parts


def rug(style: Style, width: float, depth: float) -> list[Primitive]:
    """Around the origin of the floor; at most 1.5 cm thick, some of them round."""
    shape = CYLINDER if style.rng.random() < 0.2 else 0
    thick = style.rng.uniform(0.004, 0.015)
    paint = style.fitted('rug', np.full(3, style.rng.uniform(0.6, 1.0)), axis=2)
    return [solid(RUG, (0, 0, thick / 2), (width, depth, thick), paint, shape)]


def recessed_light(style: Style) -> list[Primitive]:
    """Around a point of the ceiling at z = 0: 5 mm proud, so that only its looks tell it apart."""
    wide = style.rng.uniform(0.12, 0.22)
    on = style.rng.choice([0.3, 4.0], p=[0.2, 0.8])
    glass = style.fitted('glow', np.array([1.0, 0.96, 0.88]), axis=2, glow=on)  # type: ignore[arg-type]
    rim = Paint(np.full(3, 0.7))
    return [
        solid(LAMP, (0, 0, 0), (wide, wide, 0.01), rim, CYLINDER),
        solid(LAMP, (0, 0, 0), (wide * 0.8, wide * 0.8, 0.014), glass, CYLINDER),
    ]


def ceiling_light(style: Style) -> list[Primitive]:
    """A flush dome or disc."""
    wide, deep = style.rng.uniform(0.3, 0.6), style.rng.uniform(0.1, 0.3)
    glass = style.fitted('glow', np.array([1.0, 0.95, 0.85]), axis=2, glow=3.0)  # type: ignore[arg-type]
    shape = ELLIPSOID if style.rng.random() < 0.6 else CYLINDER
    return [solid(LAMP, (0, 0, 0), (wide, wide, deep), glass, shape)]


def pendant(style: Style, drop: float) -> list[Primitive]:
    """One to three shades on cables, `drop` metres below the ceiling."""
    rng = style.rng
    wide, tall = rng.uniform(0.2, 0.5), rng.uniform(0.15, 0.35)
    shade = Paint(style.paint('metal', 'lacquer', 'fabric').colour, glow=rng.choice([0, 1.0, 2.5]))
    shape = ELLIPSOID if rng.random() < 0.5 else CYLINDER
    count = int(rng.choice([1, 1, 2, 3]))
    parts = []
    for x in (np.arange(count) - (count - 1) / 2) * (wide + 0.15):
        cable = (x, 0, -drop / 2)
        parts.append(solid(LAMP, cable, (0.012, 0.012, drop), Paint(np.full(3, 0.03))))
        parts.append(solid(LAMP, (x, 0, -drop), (wide, wide, tall), shade, shape))
    return parts

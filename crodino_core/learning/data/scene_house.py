"""A synthetic flat: one room or two joined ones, with all that is in them."""

from collections.abc import Callable
from functools import partial

import numpy as np

from . import scene_fittings as fittings
from .scene_furnishing import furnish
from .scene_layout import House, Room, Wall, keep_free, make_room
from .scene_primitives import (
    Primitive,
)
from .scene_shell import WALL_THICKNESS, doorway, shell
from .scene_style import Style


def build_house(style: Style) -> House:
    """One room or two joined ones, with fittings and furniture."""
    rng = style.rng
    size = np.array([rng.uniform(3.0, 6.5), rng.uniform(2.8, 6.0)])
    height = rng.uniform(2.35, 3.0)
    rooms = [make_room(np.zeros(2), size, height)]
    opening = None
    if rng.random() < 0.6:
        depth = rng.uniform(2.2, 4.5)
        start = rng.uniform(-0.3 * depth, max(size[1] - 0.7 * depth, 0.1))
        shared = max(0.0, start), min(size[1], start + depth)
        wide = rng.uniform(0.8, 1.0) if rng.random() < 0.6 else rng.uniform(1.2, 2.4)
        wide = min(wide, shared[1] - shared[0] - 0.3)
        if wide > 0.75:
            low = np.array([size[0] + 2 * WALL_THICKNESS, start])
            high = low + np.array([rng.uniform(2.2, 4.5), depth])
            rooms.append(make_room(low, high, height))
            place = rng.uniform(shared[0] + wide / 2 + 0.1, shared[1] - wide / 2 - 0.1)
            opening = (place, wide, rng.uniform(2.0, min(2.2, height - 0.1)))
    house = House(rooms, [], [], [])
    for number, room in enumerate(rooms):
        hole = None
        if opening is not None:
            place, wide, top = opening
            # The east wall of the first room and the west wall of the second share the hole.
            wall = room.walls[1 if number == 0 else 3]
            x = (place - (room.low[1] + room.high[1]) / 2) * (-1 if number == 0 else 1)
            hole = (wall, x, wide, top)
        shell(style, house, room, hole)
        if hole is not None and number == 0:
            doorway(style, house, room, *hole)
        elif hole is not None:
            keep_free(room, hole[0], hole[1], hole[2])
        _fit_out(style, house, room)
    return house


def _hang(
    style: Style,
    house: House,
    room: Room,
    width: float,
    low: float,
    high: float,
    make: Callable[[], list[Primitive]],
    near: float = 0.0,
) -> tuple[Wall, float] | None:
    """Hang a fitting on a free rectangle of some wall; None if there is no room for it.

    near: depth in metres the fitting needs in front of the wall, down to the floor.
    """
    rng = style.rng
    for _ in range(12):
        wall = room.walls[int(rng.integers(4))]
        if wall.half_length < width / 2 + 0.1 or high > room.height - 0.05:
            continue
        reach = wall.half_length - width / 2 - 0.1
        x = rng.uniform(-reach, reach)
        if wall.is_free(x, width / 2 + 0.06, low, high):
            wall.take(x, width / 2 + 0.06, low, high)
            house.parts += [part.moved(wall.yaw, wall.to_world(x)) for part in make()]
            if near:
                keep_free(room, wall, x, width, near)
            return wall, x
    return None


def _fit_out(style: Style, house: House, room: Room) -> None:
    """Doors, windows, furniture, then what fits between them on walls, floor and ceiling."""
    rng = style.rng
    for _ in range(int(rng.integers(1, 3))):
        wide, high = rng.uniform(0.72, 0.95), rng.uniform(1.98, 2.15)
        _hang(
            style,
            house,
            room,
            wide + 0.2,
            0.0,
            high + 0.1,
            partial(fittings.closed_door, style, wide, high),
            near=0.9,
        )
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.1, 0.4, 0.35, 0.15]))):
        wide, sill = rng.uniform(0.6, 2.2), rng.uniform(0.3, 1.2)
        high = rng.uniform(0.7, max(0.75, min(1.6, room.height - sill - 0.35)))
        placed = _hang(
            style,
            house,
            room,
            wide + 0.5,
            sill - 0.1,
            sill + high + 0.2,
            partial(fittings.window, style, wide, high, sill),
        )
        if placed is not None:
            house.lights.append((placed[0].to_world(placed[1], -0.5, sill + high / 2), 'window'))
    furnish(style, house, room)
    _decorate_walls(style, house, room)
    _lay_rugs(style, house, room)
    _light_ceiling(style, house, room)


def _decorate_walls(style: Style, house: House, room: Room) -> None:
    rng = style.rng
    for _ in range(int(rng.integers(2, 8))):
        kind = rng.choice(
            ['picture', 'tv', 'clock', 'shelf', 'ac', 'vent'],
            p=[0.6, 0.12, 0.07, 0.09, 0.05, 0.07],
        )
        if kind == 'picture':
            w, h, z = rng.uniform(0.2, 1.2), rng.uniform(0.25, 0.9), rng.uniform(1.3, 1.7)
            _hang(
                style,
                house,
                room,
                w,
                z - h / 2,
                z + h / 2,
                partial(fittings.picture, style, w, h, z),
            )
        elif kind == 'tv':
            w, z = rng.uniform(0.7, 1.4), rng.uniform(1.1, 1.5)
            _hang(
                style,
                house,
                room,
                w,
                z - 0.35 * w,
                z + 0.35 * w,
                partial(fittings.television, style, w, z),
            )
        elif kind == 'clock':
            _hang(style, house, room, 0.4, 1.6, 2.0, partial(fittings.clock, style, 1.8))
        elif kind == 'shelf':
            w, z = rng.uniform(0.5, 1.2), rng.uniform(1.2, 1.7)
            _hang(
                style,
                house,
                room,
                w,
                z - 0.1,
                z + 0.4,
                partial(fittings.wall_shelf, style, w, z),
            )
        elif kind == 'ac':
            _hang(
                style,
                house,
                room,
                0.9,
                room.height - 0.5,
                room.height - 0.1,
                partial(fittings.air_conditioner, style, room.height - 0.3),
            )
        else:
            z = rng.choice([0.3, room.height - 0.25])
            _hang(style, house, room, 0.5, z - 0.13, z + 0.13, partial(fittings.vent, style, z))
    for z in rng.choice([0.3, 1.15], int(rng.integers(2, 7))):
        _hang(style, house, room, 0.25, z - 0.08, z + 0.08, partial(fittings.switch, style, z))


def _lay_rugs(style: Style, house: House, room: Room) -> None:
    rng = style.rng
    size = room.high - room.low
    for n in range(int(rng.choice([0, 1, 2], p=[0.25, 0.5, 0.25]))):
        # The second one is a mat: smaller, so that it seldom covers the first.
        most = 0.65 * size if n == 0 else np.array([1.1, 0.8])
        rug = np.minimum(rng.uniform(0.5, 1.0, 2) * most, [3.2, 2.6])
        place = rng.uniform(room.low + rug / 2 + 0.1, room.high - rug / 2 - 0.1)
        # Stacked rugs of one height would flicker.
        offset = np.array([*place, 0.002 * n])
        parts = fittings.rug(style, float(rug[0]), float(rug[1]))
        house.parts += [part.moved(0.0, offset) for part in parts]


def _light_ceiling(style: Style, house: House, room: Room) -> None:
    rng = style.rng
    top, middle = room.height, (room.low + room.high) / 2
    size = room.high - room.low
    kind = rng.choice(['recessed', 'flush', 'pendant'], p=[0.45, 0.3, 0.25])
    if kind == 'recessed':
        columns, rows = max(1, round(size[0] / 1.8)), max(1, round(size[1] / 1.8))
        for x in (np.arange(columns) + 0.5) / columns:
            for y in (np.arange(rows) + 0.5) / rows:
                place = np.array([*(room.low + size * [x, y]), top])
                parts = fittings.recessed_light(style)
                house.parts += [part.moved(0.0, place) for part in parts]
        house.lights.append((np.array([*middle, top - 0.5]), 'ceiling'))
        return
    place = np.array([*(middle + rng.uniform(-0.15, 0.15, 2) * size), top])
    # High enough for a camera to pass below.
    drop = rng.uniform(0.3, max(0.35, top - 2.0)) if kind == 'pendant' else 0.0
    parts = fittings.pendant(style, drop) if drop else fittings.ceiling_light(style)
    house.parts += [part.moved(rng.uniform(0, np.pi), place) for part in parts]
    house.lights.append((place - [0, 0, drop + 0.4], 'ceiling'))

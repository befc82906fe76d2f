"""Which furniture a synthetic room gets and where it stands."""

from collections.abc import Callable

import numpy as np

from . import scene_furniture as furniture
from . import scene_kitchen as kitchen
from . import scene_objects as objects
from . import scene_storage as storage
from .scene_layout import House, Room
from .scene_style import Item, Style

# Furniture of each kind of room: (what, chance, at a wall).
_Choice = tuple[Callable[[Style], Item], float, bool]


_SHARED: list[_Choice] = [
    (objects.floor_lamp, 0.5, True),
    (objects.plant, 0.5, True),
    (furniture.chair, 0.6, True),
    (storage.shelf, 0.3, True),
    (objects.loose_object, 0.6, True),
    (objects.loose_object, 0.4, False),
    (furniture.chair, 0.4, False),
]


_ROOMS: dict[str, list[_Choice]] = {
    'bedroom': [
        (furniture.bed, 1.0, True),
        (storage.nightstand, 0.8, True),
        (storage.nightstand, 0.6, True),
        (storage.cabinet, 0.7, True),
        (furniture.desk, 0.4, True),
        (furniture.armchair, 0.5, False),
    ],
    'living': [
        (furniture.sofa, 1.0, True),
        (furniture.coffee_table, 0.8, False),
        (storage.tv_stand, 0.6, True),
        (furniture.armchair, 0.8, False),
        (furniture.sofa, 0.4, False),
        (storage.shelf, 0.5, True),
        (storage.cabinet, 0.4, True),
    ],
    'kitchen': [
        (kitchen.kitchen_run, 1.0, True),
        (kitchen.fridge, 0.9, True),
        (kitchen.kitchen_island, 0.4, False),
        (furniture.dining_set, 0.6, False),
        (kitchen.washer, 0.3, True),
    ],
    'dining': [
        (furniture.dining_set, 1.0, False),
        (storage.cabinet, 0.7, True),
        (storage.cabinet, 0.4, True),
        (kitchen.fridge, 0.3, True),
    ],
    'office': [
        (furniture.desk, 1.0, True),
        (furniture.desk, 0.5, True),
        (storage.shelf, 0.8, True),
        (storage.cabinet, 0.5, True),
        (furniture.armchair, 0.4, False),
    ],
    'bathroom': [
        (kitchen.toilet, 1.0, True),
        (kitchen.vanity, 1.0, True),
        (kitchen.bathtub, 0.7, True),
        (kitchen.washer, 0.6, True),
    ],
}


# In the order above: beds and sofas are large and need most of the rooms to be frequent.
_ROOM_CHANCES = (0.28, 0.28, 0.14, 0.1, 0.1, 0.1)
_MIXED = [choice for choices in _ROOMS.values() for choice in choices]


def furnish(style: Style, house: House, room: Room) -> None:
    """Place wished furniture, important pieces first, while it leaves room to move."""
    rng = style.rng
    # Real flats mix: some furniture of any kind of room goes in as well.
    wishes = list(_ROOMS[str(rng.choice(list(_ROOMS), p=_ROOM_CHANCES))])
    wishes += [_MIXED[int(n)] for n in rng.integers(0, len(_MIXED), 2)]
    shared = [_SHARED[int(n)] for n in rng.permutation(len(_SHARED))]
    budget = 0.42 * float(np.prod(room.high - room.low))
    for make, chance, at_wall in wishes + shared:
        if rng.random() > chance:
            continue
        item = make(style)
        area = 4 * item.half_width * item.half_depth
        if area < budget and _place(style, house, room, item, at_wall):
            budget -= area


def _place(style: Style, house: House, room: Room, item: Item, at_wall: bool) -> bool:
    """Try random places; whether one was free."""
    rng = style.rng
    for _ in range(60):
        if at_wall:
            wall = room.walls[int(rng.integers(4))]
            reach = wall.half_length - item.half_width - 0.02
            if reach < 0:
                continue
            x, gap = rng.uniform(-reach, reach), rng.uniform(0.03, 0.08)
            if not wall.is_free(x, item.half_width, 0.0, item.height):
                continue
            yaw, place = wall.yaw, wall.to_world(x, -item.half_depth - gap)
        else:
            yaw = rng.choice([0, np.pi / 2, np.pi, -np.pi / 2]) + rng.normal(0, 0.15)
            place = np.array([*rng.uniform(room.low + 0.3, room.high - 0.3), 0.0])
        c, s = abs(np.cos(yaw)), abs(np.sin(yaw))
        half = np.array(
            [c * item.half_width + s * item.half_depth, s * item.half_width + c * item.half_depth]
        )
        if room.is_clear(place, half):
            room.block(place, half + 0.03)
            house.parts += item.moved(yaw, place)
            house.shadows.append((place[:2], half))
            if at_wall:
                wall.take(x, item.half_width, 0.0, item.height)
            return True
    return False

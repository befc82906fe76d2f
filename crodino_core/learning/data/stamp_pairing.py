"""Which colour, depth and label image of a recording belong together, told from their stamps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Trio:
    """The stamps, nanoseconds, of three images of one instant."""

    rgb: int
    depth: int
    label: int


def pair_by_stamp(
    stamps: Mapping[str, Sequence[int]],
) -> tuple[list[Trio], Counter[str]]:
    """Give each label the nearest colour and depth image within half a period of the colour's.

    No image is used twice: of two labels with the same nearest image the nearer one has it.

    :param stamps: nanoseconds by role ('rgb', 'depth', 'label'), in any order.
    :return: the trios in order of time, and how many images were left, by the reason in words.
    """
    left: Counter[str] = Counter()
    unique = {}
    for role, name in (('rgb', 'colour images'), ('depth', 'depth images'), ('label', 'labels')):
        unique[role] = np.unique(np.asarray(stamps.get(role, ()), np.int64))
        left[f'{name} with the stamp of another one'] += len(stamps.get(role, ())) - len(
            unique[role]
        )
    reach = _half_a_period(unique['rgb'])
    labels = unique['label']
    colors = _partners(labels, unique['rgb'], reach)
    depths = _partners(labels, unique['depth'], reach)
    left['labels without a colour image'] += int((colors < 0).sum())
    left['labels without a depth image'] += int(((colors >= 0) & (depths < 0)).sum())
    whole = (colors >= 0) & (depths >= 0)
    left['colour images without a label and a depth image'] += len(unique['rgb']) - int(
        whole.sum()
    )
    trios = [
        Trio(int(unique['rgb'][rgb]), int(unique['depth'][depth]), int(label))
        for rgb, depth, label in zip(colors[whole], depths[whole], labels[whole], strict=True)
    ]
    return trios, +left


def _half_a_period(stamps: np.ndarray) -> float:
    """Half the usual distance of two images; half a second where there is only one."""
    return float(np.median(np.diff(stamps))) / 2 if len(stamps) > 1 else 5e8


def _partners(stamps: np.ndarray, others: np.ndarray, reach: float) -> np.ndarray:
    """Index of the nearest of `others` for each stamp, int [N], -1 where there is none."""
    partners = np.full(len(stamps), -1)
    if not len(others):
        return partners
    after = np.searchsorted(others, stamps).clip(1, max(1, len(others) - 1))
    after = np.minimum(after, len(others) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(stamps - others[before] <= others[after] - stamps, before, after)
    distance = np.abs(others[nearest] - stamps)
    # The nearest first: who comes later finds the image taken.
    taken: set[int] = set()
    for index in np.argsort(distance, kind='stable'):
        if distance[index] > reach:
            break
        if int(nearest[index]) not in taken:
            taken.add(int(nearest[index]))
            partners[index] = nearest[index]
    return partners

"""Frames and streams that the runtime tests are fed with, and a clock driven by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.selector import FailoverSelector, Selection

PERIOD = 0.1
SIZE = (12, 16)
NANOSECONDS = 1_000_000_000


def color_image(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return a textured RGB image, another one for every seed."""
    return np.random.default_rng(seed).integers(30, 220, (*size, 3), dtype=np.uint8)


def depth_image(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return a depth image with relief, another one for every seed."""
    return np.random.default_rng(seed).uniform(1.0, 4.0, size).astype(np.float32)


_NOISE = {
    Modality.RGB: [color_image(seed) for seed in range(50)],
    Modality.DEPTH: [depth_image(seed) for seed in range(50)],
}

_count = itertools.count()


def frame(
    modality: Modality,
    arrival: float,
    image: np.ndarray | None = None,
    *,
    stamp: float | None = None,
    seed: int | None = None,
) -> Frame:
    """Return a good frame, but for what is asked for; stamps start at 1000 s, not at 0."""
    if image is None:
        index = 20 + next(_count) % 30 if seed is None else seed % 20
        image = _NOISE[modality][index]
    stamp = 1000 + arrival if stamp is None else stamp
    return Frame(modality, image, round(stamp * NANOSECONDS), arrival, f'{modality}_frame')


def rgb(arrival: float, image: np.ndarray | None = None, **options: float) -> Frame:
    """Return a frame of the camera."""
    return frame(Modality.RGB, arrival, image, **options)  # type: ignore[arg-type]


def depth(arrival: float, image: np.ndarray | None = None, **options: float) -> Frame:
    """Return a frame of the depth sensor."""
    return frame(Modality.DEPTH, arrival, image, **options)  # type: ignore[arg-type]


def stream(
    modality: Modality, count: int, *, phase: float = 0.0, period: float = PERIOD
) -> Iterator[Frame]:
    """Yield frames that arrive exactly on time."""
    return arriving(modality, (phase + index * period for index in range(count)))


def arriving(modality: Modality, arrivals: Iterable[float]) -> Iterator[Frame]:
    """Yield a new image for each arrival."""
    for index, arrival in enumerate(arrivals):
        yield frame(modality, arrival, seed=index)


@dataclass(frozen=True)
class Served:
    """A selection and the moment it was made."""

    at: float
    selection: Selection

    @property
    def modality(self) -> Modality | None:
        """The sensor served."""
        return self.selection.modality


def drive(
    selector: FailoverSelector, *streams: Iterable[Frame], until: float = 0.0
) -> list[Served]:
    """Feed merged streams in the order of arrival and poll exactly at every deadline."""
    served: list[Served] = []

    def keep(at: float, selection: Selection | None) -> None:
        if selection is not None:
            served.append(Served(at, selection))

    def poll_until(end: float) -> None:
        while (deadline := selector.deadline()) is not None and deadline <= end:
            keep(deadline, selector.poll(deadline))

    frames = sorted((f for each in streams for f in each), key=lambda each: each.arrival)
    for each in frames:
        poll_until(each.arrival)
        keep(each.arrival, selector.observe(each))
    poll_until(until)
    return served


def switches(served: list[Served]) -> list[tuple[Modality | None, Modality | None]]:
    """Return the changes of the served modality."""
    modalities = [each.modality for each in served]
    return [(a, b) for a, b in itertools.pairwise(modalities) if a is not b]


def gaps(served: list[Served]) -> list[float]:
    """Return the times between successive masks, seconds."""
    return [b.at - a.at for a, b in itertools.pairwise(served)]

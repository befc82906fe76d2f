"""What a replay reads: a recording as a stream of frames and labels in receive order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame


@dataclass(frozen=True)
class RecordedFrame:
    """A frame as it was received; `frame.arrival` is its receive time."""

    frame: Frame

    @property
    def arrival(self) -> float:
        """Receive time, seconds."""
        return self.frame.arrival


@dataclass(frozen=True)
class RecordedLabel:
    """The ground truth of one instant."""

    stamp_ns: int
    arrival: float
    label: np.ndarray
    """uint8 [H, W], class indices, 255 = unlabelled."""


@dataclass(frozen=True)
class RecordedDamage:
    """A message of a sensor that could not be decoded."""

    modality: Modality
    arrival: float
    cause: str


RecordedItem = RecordedFrame | RecordedLabel | RecordedDamage


class Recording(Protocol):
    """A recorded stream; iterating it reads it once from the beginning."""

    name: str
    duration: float
    """Seconds from the first to the last frame; labels do not count."""
    labelled: bool
    """Whether there are `RecordedLabel`s."""

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the recording, one line each; complete once it was iterated."""

    def __iter__(self) -> Generator[RecordedItem, None, None]: ...


_Item = TypeVar('_Item')


def prefetch(items: Iterable[_Item], ahead: int = 8) -> Generator[_Item, None, None]:
    """Read `items` in a thread of its own, at most `ahead` items before they are asked for.

    Decoding images releases Python's lock, so it runs beside the networks. An exception of
    `items` is raised where the item was due. Closing the generator ends the thread.
    """
    waiting: queue.Queue[tuple[str, object]] = queue.Queue(maxsize=ahead)
    given_up = threading.Event()

    def put(kind: str, content: object = None) -> bool:
        while not given_up.is_set():
            try:
                waiting.put((kind, content), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for item in items:
                if not put('item', item):
                    return
            put('end')
        except BaseException as error:  # handed on to the reader, whatever it is
            put('error', error)

    reader = threading.Thread(target=read, name='prefetch', daemon=True)
    reader.start()
    try:
        while True:
            kind, content = waiting.get()
            if kind == 'end':
                return
            if kind == 'error':
                assert isinstance(content, BaseException)
                raise content
            yield content  # type: ignore[misc]
    finally:
        given_up.set()
        reader.join()

"""Frames that have something in common, known by identity."""

from __future__ import annotations

from weakref import WeakValueDictionary

from crodino_core.runtime.frame import Frame


class FrameSet:
    """A set of frames that does not keep them: one that nobody else holds is forgotten."""

    def __init__(self) -> None:
        self._frames: WeakValueDictionary[int, Frame] = WeakValueDictionary()

    def add(self, frame: Frame) -> None:
        """Put a frame in."""
        self._frames[id(frame)] = frame

    def __contains__(self, frame: object) -> bool:
        return self._frames.get(id(frame)) is frame

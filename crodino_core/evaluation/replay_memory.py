"""What replays of one recording need again and again, kept in memory up to a limit.

Over the jobs of a plan the networks take most of the time, then the decoding of the images (see
`docs/failure_plans.md` for the measurement). Many scenarios leave most frames as they are, so
both are kept, in each worker, for as long as its jobs are of the same bag and bundle. What does
not fit is computed anew: a recording of any length can be replayed.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from crodino_core.evaluation.recording import (
    RecordedDamage,
    RecordedItem,
    RecordedLabel,
    Recording,
)
from crodino_core.runtime.engines.engine import Prediction
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.segmenter import FailoverSegmenter

_ZLIB_LEVEL = 1


class KeptRecording:
    """A recording whose items are kept when it is read for the first time, if they fit.

    :param limit_bytes: of images; a recording that is larger is read anew each time.
    """

    def __init__(self, recording: Recording, limit_bytes: int) -> None:
        self._recording = recording
        self._limit = limit_bytes
        self._items: list[RecordedItem] | None = None
        self.name = recording.name
        self.duration = recording.duration
        self.labelled = recording.labelled
        self.kept_bytes = 0
        """Bytes of the images kept; 0 if they did not fit."""

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the recording, one line each."""
        return list(self._recording.warnings)

    def __iter__(self) -> Generator[RecordedItem, None, None]:
        if self._items is not None:
            yield from self._items
            return
        kept: list[RecordedItem] | None = []
        size = 0
        for item in self._recording:
            size += _bytes_of(item)
            if kept is not None:
                kept.append(item)
                kept = kept if size <= self._limit else None
            yield item
        if kept is not None:
            self._items, self.kept_bytes = kept, size


def _bytes_of(item: RecordedItem) -> int:
    if isinstance(item, RecordedDamage):
        return 0
    return item.label.nbytes if isinstance(item, RecordedLabel) else item.frame.image.nbytes


@dataclass(frozen=True)
class _Packed:
    """A prediction, its mask and confidence compressed."""

    mask: bytes
    confidence: bytes
    logits: np.ndarray | None
    size: tuple[int, int]

    @classmethod
    def of(cls, prediction: Prediction) -> _Packed:
        mask, confidence = (
            zlib.compress(each.tobytes(), _ZLIB_LEVEL)
            for each in (prediction.mask, prediction.confidence)
        )
        size = prediction.mask.shape[0], prediction.mask.shape[1]
        return cls(mask, confidence, prediction.logits, size)

    @property
    def nbytes(self) -> int:
        logits = 0 if self.logits is None else self.logits.nbytes
        return len(self.mask) + len(self.confidence) + logits

    def unpack(self) -> Prediction:
        mask, confidence = (
            np.frombuffer(zlib.decompress(each), np.uint8).reshape(self.size)
            for each in (self.mask, self.confidence)
        )
        return Prediction(mask, confidence, self.logits)


@dataclass
class PredictionMemory:
    """Predictions of one bundle by the sensor and the pixels of their frame."""

    limit_bytes: int
    used_bytes: int = 0
    hits: int = 0
    _packed: dict[tuple[object, ...], _Packed] = field(default_factory=dict)

    def get(self, frame: Frame) -> Prediction | None:
        """Return the prediction of a frame like this one, if it is known."""
        packed = self._packed.get(_key(frame))
        if packed is None:
            return None
        self.hits += 1
        return packed.unpack()

    def put(self, frame: Frame, prediction: Prediction) -> None:
        """Keep a prediction, while there is room."""
        if self.used_bytes < self.limit_bytes:
            packed = self._packed[_key(frame)] = _Packed.of(prediction)
            self.used_bytes += packed.nbytes


def _key(frame: Frame) -> tuple[object, ...]:
    return frame.modality, frame.size, frame.payload_hash


class RememberingSegmenter(FailoverSegmenter):
    """A segmenter that runs its networks once for each picture; latencies mean nothing then."""

    memory: PredictionMemory | None = None

    def infer(self, frame: Frame) -> Prediction:
        """Return the prediction of a frame, from memory if it is there."""
        if self.memory is None:
            return super().infer(frame)
        known = self.memory.get(frame)
        if known is None:
            known = super().infer(frame)
            self.memory.put(frame, known)
        return known

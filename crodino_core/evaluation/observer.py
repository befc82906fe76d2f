"""The observer of a replay: turns what happens into the records of `ReplayResult`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crodino_core.evaluation.bootstrap import tally
from crodino_core.evaluation.frame_set import FrameSet
from crodino_core.evaluation.injection import Injection
from crodino_core.evaluation.pictures import PictureBook
from crodino_core.evaluation.records import (
    KeyPicture,
    OutputRecord,
    Phase,
    ReplayResult,
    StateChange,
)
from crodino_core.evaluation.scoring import LabelPairing
from crodino_core.iou import confusion_matrix, miou_of
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.health import SensorHealth, SensorState
from crodino_core.runtime.segmenter import Segmentation

_FRESH_S, _FRESH_PERIODS = 0.15, 1.5
"""A picture shows a sensor's frame as seen 'now' up to this age, or so many of its periods."""


class Observer:
    """Watches one replay and fills in its result.

    :param injection: knows which faults are active when.
    :param labelled: whether ground truth labels will come; without them nothing waits for one.
    """

    def __init__(self, result: ReplayResult, injection: Injection, labelled: bool) -> None:
        self._result = result
        self._injection = injection
        self._pairing = LabelPairing() if labelled and result.labels else None
        self._book = PictureBook(result.duration_s)
        result.pictures, result.film = self._book.pictures, self._book.film
        self._states: dict[Modality, tuple[str, str]] = {}
        self._newest: dict[Modality, Frame] = {}
        self._seen_s: dict[Modality, float] = {}
        self._repeats = FrameSet()
        self._periods_s: dict[Modality, float | None] = {}
        self._marked: list[int] = []
        self._in_phase: list[int] = []

    def delivered(self, frame: Frame, time_s: float) -> None:
        """A frame is about to reach the segmenter."""
        before = self._newest.get(frame.modality)
        if before is not None and before.payload_hash == frame.payload_hash:
            self._repeats.add(frame)
        self._newest[frame.modality] = frame
        self._seen_s[frame.modality] = time_s

    def states(self, time_s: float, sensors: Mapping[Modality, SensorHealth]) -> bool:
        """The segmenter has decided something: note what it thinks of the sensors now.

        :return: whether the state of a sensor has changed.
        """
        noted = len(self._result.state_changes)
        for modality, sensor in sensors.items():
            cause = ': '.join(part for part in (sensor.cause, sensor.detail) if part)
            before = self._states.get(modality)
            if before is not None and before[0] == sensor.state.value:
                continue
            self._states[modality] = (sensor.state.value, cause)
            self._result.state_changes.append(
                StateChange(time_s, modality, sensor.state.value, cause)
            )
            if before is not None and sensor.state is not SensorState.OK:
                self._book.mark(f'{modality} is {sensor.state.value}', self._failure(time_s))
        active = self._active(time_s)
        if active != self._marked:
            begun = [
                f'{self._named(index)} begins' for index in active if index not in self._marked
            ]
            ended = [f'{self._named(index)} ends' for index in self._marked if index not in active]
            self._book.mark(', '.join(begun + ended), self._failure(time_s))
            self._marked = active
        self._periods_s = {modality: sensor.period for modality, sensor in sensors.items()}
        return len(self._result.state_changes) > noted

    def mask(
        self, time_s: float, made: Segmentation, other: Frame | None, latency_ms: float
    ) -> OutputRecord:
        """The segmenter gave out a mask; returns its record.

        :param other: the second frame of a mean of both.
        """
        self._mark_switch(time_s, made.modality)
        frames = [made.frame] if other is None else [made.frame, other]
        output = OutputRecord(
            time_s=time_s,
            stamp_ns=made.stamp_ns,
            modality=made.modality,
            fused=made.fused,
            stale=made.modality is not None and made.frame in self._repeats,
            latency_ms=latency_ms,
            phase=self._enter_phase(time_s, made),
            cause=self._cause(),
            damaged=any(frame in self._injection.damaged for frame in frames),
        )
        self._result.outputs.append(output)
        fresh = {
            m: time_s - seen <= max(_FRESH_S, _FRESH_PERIODS * (self._periods_s.get(m) or 0.0))
            for m, seen in self._seen_s.items()
        }
        picture = self._book.show(
            time_s, made.modality, made.fused, made.mask, self._newest, fresh
        )
        if self._pairing is not None:
            self._pairing.add_mask(
                made.stamp_ns,
                made.mask,
                lambda label, mask: self._score(output, picture, label, mask),
            )
        return output

    def label(self, stamp_ns: int, label: np.ndarray) -> None:
        """A ground truth label came."""
        if self._pairing is not None:
            self._pairing.add_label(stamp_ns, label)

    def finish(self) -> None:
        """No more will come."""
        if self._pairing is not None:
            self._pairing.finish()

    def _mark_switch(self, time_s: float, modality: Modality | None) -> None:
        before = self._result.outputs[-1].modality if self._result.outputs else None
        if before is not None and modality is not before:
            served = 'nothing' if modality is None else modality
            self._book.mark(f'{before} to {served}', self._failure(time_s))

    def _enter_phase(self, time_s: float, made: Segmentation) -> int:
        active = self._active(time_s)
        phases = self._result.phases
        if not phases or phases[-1].served is not made.modality or self._in_phase != active:
            faults = self._injection.active(time_s)
            phases.append(Phase(time_s, time_s, made.modality, faults))
        self._in_phase = active
        phases[-1].end_s = time_s
        phases[-1].frames += 1
        phases[-1].fused += made.fused
        return len(phases) - 1

    def _score(
        self, output: OutputRecord, picture: KeyPicture, label: np.ndarray, mask: np.ndarray
    ) -> None:
        assert self._result.labels is not None
        confusion = confusion_matrix(label, mask, len(self._result.labels))
        phase = self._result.phases[output.phase]
        phase.confusion = _sum(phase.confusion, confusion)
        if output.fused:
            phase.fused_confusion = _sum(phase.fused_confusion, confusion)
        phase.tallies.append(tally(confusion))
        phase.scored += 1
        output.miou = miou_of(confusion)
        self._book.score(picture, label, output.miou)

    def _cause(self) -> str:
        """Say what is wrong with the sensors, or that nothing is."""
        wrong = [
            f'{modality} {state}' + (f' ({cause})' if cause else '')
            for modality, (state, cause) in self._states.items()
            if state != SensorState.OK.value
        ]
        return ', '.join(wrong) or 'both sensors are ok'

    def _active(self, time_s: float) -> list[int]:
        """Indices of the failures that are active."""
        return [
            index
            for index, failure in enumerate(self._result.failures)
            if failure.start_s <= time_s and (failure.end_s is None or time_s < failure.end_s)
        ]

    def _named(self, index: int) -> str:
        failure = self._result.failures[index]
        return f'{failure.sensor} {failure.kind}'

    def _failure(self, time_s: float) -> int | None:
        """Index of the failure that is active or was the last to begin, if it is not long past."""
        begun = [
            (failure.start_s, index)
            for index, failure in enumerate(self._result.failures)
            if failure.start_s <= time_s and time_s <= (failure.end_s or time_s) + 1.0
        ]
        return max(begun)[1] if begun else None


def _sum(so_far: np.ndarray | None, counts: np.ndarray) -> np.ndarray:
    return counts if so_far is None else so_far + counts

"""Replay of a recording through the segmenter, with a scenario's faults, on recorded time.

The segmenter sees what it would have seen live: each frame at its recorded arrival, and its
watchdog exactly when it asked to be woken. A second selector, without networks, sees the same
recording without the faults; the frames it chooses are the expected masks. The records a replay
leaves behind are described in `records`, the figures computed from them in `metrics`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from crodino_core.evaluation.agreement import CleanRun
from crodino_core.evaluation.inference_time import MEASURED, InferenceQueue, InferenceTime
from crodino_core.evaluation.injection import Injection
from crodino_core.evaluation.metrics import complete
from crodino_core.evaluation.observer import Observer
from crodino_core.evaluation.recording import (
    RecordedDamage,
    RecordedFrame,
    RecordedItem,
    RecordedLabel,
    Recording,
    prefetch,
)
from crodino_core.evaluation.records import ReplayResult
from crodino_core.evaluation.scenario import Scenario, warnings_for
from crodino_core.labels import LabelSet
from crodino_core.modality import Modality
from crodino_core.runtime.engines.engine import Prediction
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.health import SensorHealth
from crodino_core.runtime.segmenter import Segmentation
from crodino_core.runtime.selector import Selection

_NO_FAULTS = Scenario('none')

Sink = Callable[[Segmentation, float], None]
"""Takes each mask and its time, seconds on the recording's clock (that of `Frame.arrival`)."""

LabelSink = Callable[[RecordedLabel], None]
StateSink = Callable[[Mapping[Modality, SensorHealth], float], None]
"""Takes the sensors and the time at which the state of one changed, as `Sink` does."""


class Selector(Protocol):
    """The decisions of a segmenter: `FailoverSelector` and `FailoverSegmenter` have them."""

    @property
    def sensors(self) -> Mapping[Modality, SensorHealth]: ...
    def observe(self, frame: Frame) -> Selection | None: ...
    def observe_undecodable(
        self, modality: Modality, arrival: float, cause: str
    ) -> Selection | None: ...
    def poll(self, now: float) -> Selection | None: ...
    def deadline(self) -> float | None: ...


class Segmenter(Selector, Protocol):
    """A selector that can also make the mask."""

    def prepare(self, modality: Modality, size: tuple[int, int]) -> None: ...
    def segment(self, selection: Selection) -> Segmentation: ...
    def predict(self, selection: Selection) -> Prediction: ...


def replay(
    recording: Recording,
    segmenter: Segmenter,
    reference: Selector,
    scenario: Scenario | None = None,
    *,
    labels: LabelSet | None = None,
    sink: Sink | None = None,
    label_sink: LabelSink | None = None,
    state_sink: StateSink | None = None,
    progress: Callable[[float], None] | None = None,
    inference_time: InferenceTime = None,
    read_ahead: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> ReplayResult:
    """Replay a recording from its beginning to its end.

    :param segmenter: what is judged; fresh, without a past.
    :param reference: a fresh selector with the same settings, for the expected masks.
    :param labels: the classes of the masks, needed to score them.
    :param sink: gets every mask as it is made, e.g. to write it to a bag.
    :param label_sink: gets every ground truth label of the recording.
    :param state_sink: is told whenever the health of a sensor has changed.
    :param progress: is told the seconds of the recording replayed so far, after each item.
    :param inference_time: milliseconds from the decision to the mask on the recording's clock, or
        'measured'; while a network is busy, a newer frame replaces one that waits, as live.
    :param read_ahead: read the recording in a thread of its own; nothing is gained by it where
        the processors have other work, or where the recording is in memory.
    :param clock: measures latency and the duration of the replay, seconds.
    :return: all records; `result.model`, `policy` and what names the engine are the caller's to
        set.
    :raises UsageError: a fault of the scenario ends before it starts, or two contradict.
    """
    result = ReplayResult(
        recording=recording.name,
        duration_s=recording.duration,
        scenario=scenario.name if scenario else None,
        scenario_description=scenario.description if scenario else '',
        labels=labels,
        inference_time=inference_time,
    )
    began = clock()
    # Closed also if a network fails: the recording holds a file open, or all its frames.
    with closing(prefetch(recording) if read_ahead else iter(recording)) as items:
        run = _Run(items, recording, segmenter, reference, scenario or _NO_FAULTS, result, clock)
        run.sink = sink or run.sink
        run.label_sink = label_sink or run.label_sink
        run.state_sink = state_sink or run.state_sink
        for item in run.injection:
            run.take(item)
            if progress is not None:
                progress(run.now_s)
    run.finish()
    result.wall_s = clock() - began
    return result


@dataclass(frozen=True)
class _Decision:
    """A frame, or two, chosen to become a mask."""

    selection: Selection
    at: float
    """Seconds on the recording's clock."""
    deciding: float
    """Seconds the decision took."""


class _Run:
    """One replay under way."""

    def __init__(
        self,
        items: Iterator[RecordedItem],
        recording: Recording,
        segmenter: Segmenter,
        reference: Selector,
        scenario: Scenario,
        result: ReplayResult,
        clock: Callable[[], float],
    ) -> None:
        self.result = result
        self.sink: Sink = lambda segmentation, now: None
        self.label_sink: LabelSink = lambda label: None
        self.state_sink: StateSink = lambda sensors, now: None
        self.now_s = 0.0
        self._recording = recording
        self._segmenter = segmenter
        self._reference = reference
        self._clock = clock
        self._start: float | None = None
        self._sizes: dict[Modality, list[tuple[int, int]]] = {m: [] for m in Modality}
        self._prepared: dict[Modality, tuple[int, int]] = {}
        self._measured_s: dict[Modality, float] = dict.fromkeys(Modality, 0.0)
        self._masks = InferenceQueue(self._make)
        self._expected = InferenceQueue(self._expect)
        result.warnings += warnings_for(scenario, recording.duration)
        self.injection = Injection(self._undamaged(items), scenario, recording.duration)
        result.failures = self.injection.failures
        self._observer = Observer(result, self.injection, recording.labelled)
        compared = scenario.faults and not recording.labelled and result.labels is not None
        self._clean_run = CleanRun(result, segmenter, clock) if compared else None

    def take(self, item: RecordedItem) -> None:
        """Give one item to the segmenter, after its watchdog had its turns before it."""
        self._masks.advance(item.arrival)
        if isinstance(item, RecordedLabel):
            self._observer.label(item.stamp_ns, item.label)
            self.label_sink(item)
            return
        for now in _due(self._segmenter, item.arrival):
            self._serve(now, lambda now=now: self._segmenter.poll(now))  # type: ignore[misc]
        if isinstance(item, RecordedFrame):
            frame = item.frame
            if self._prepared.get(frame.modality) != frame.size:
                # Before the clock starts: a robot's networks are warm when a sensor fails.
                self._segmenter.prepare(frame.modality, frame.size)
                self._prepared[frame.modality] = frame.size
            self.result.frames_delivered[frame.modality] += 1
            self._observer.delivered(frame, self._seconds(frame.arrival))
            self._serve(frame.arrival, lambda: self._segmenter.observe(frame))
        else:
            damage = item
            self._serve(
                damage.arrival,
                lambda: self._segmenter.observe_undecodable(
                    damage.modality, damage.arrival, damage.cause
                ),
            )

    def finish(self) -> None:
        """Close the books once the recording has ended."""
        self._expected.finish()
        self._masks.finish()
        self.result.masks_dropped = self._masks.dropped
        self._observer.finish()
        if self._clean_run is not None:
            self._clean_run.finish()
        complete(self.result)
        if not self.result.outputs:
            sensors = self._segmenter.sensors.values()
            found = '; '.join(f'{s.modality} {s.state.value} {s.cause}'.strip() for s in sensors)
            self.result.warnings.append(f'no mask was made: at the end, {found}')
        self.result.warnings += self._recording.warnings
        for failure in self.result.failures:
            if not failure.frames and failure.start_s <= self._recording.duration:
                self.result.warnings.append(
                    f'the fault {failure.sensor} {failure.kind} at {failure.start_s:.2f} s '
                    'touched no frame: none came while it was active'
                )

    def _serve(self, now: float, decide: Callable[[], Selection | None]) -> None:
        """Let the segmenter decide, and have the mask made if it chose a frame."""
        began = self._clock()
        selection = decide()
        deciding = self._clock() - began
        time_s = self._seconds(now)
        self.now_s = max(self.now_s, time_s)
        if self._observer.states(time_s, self._segmenter.sensors):
            self.state_sink(self._segmenter.sensors, now)
        if selection is not None:
            self._masks.submit(_Decision(selection, now, deciding), now)

    def _make(self, decision: _Decision, now: float) -> float:
        """Make the mask of a decision, beginning at `now`; return the seconds until it is out."""
        selection = decision.selection
        began = self._clock()
        made = self._segmenter.segment(selection)
        taken = decision.deciding + self._clock() - began
        self._measured_s[selection.frame.modality] = taken
        seconds = self._inference_seconds(taken)
        latency = taken if self.result.inference_time is None else now - decision.at + seconds
        output = self._observer.mask(
            self._seconds(now + seconds), made, selection.other, latency * 1e3
        )
        if self._clean_run is not None:
            self._clean_run.compare(output, made, selection)
        self.sink(made, now + seconds)
        return seconds

    def _inference_seconds(self, measured: float) -> float:
        given = self.result.inference_time
        if given is None:
            return 0.0
        return measured if given == MEASURED else float(given) * 1e-3

    def _undamaged(self, items: Iterator[RecordedItem]) -> Iterator[RecordedItem]:
        """Pass the recording on, counting it and asking the reference what it would serve."""
        for item in items:
            if isinstance(item, RecordedLabel):
                self.result.labels_seen += 1
                yield item
                continue
            time_s = self._seconds(item.arrival)
            for now in _due(self._reference, item.arrival):
                self._choose(self._reference.poll(now), now)
            if isinstance(item, RecordedDamage):
                self.result.undecodable[item.modality] += 1
                chosen = self._reference.observe_undecodable(
                    item.modality, item.arrival, item.cause
                )
                self._choose(chosen, item.arrival)
            else:
                self.result.frames[item.frame.modality] += 1
                self.result.arrivals_s[item.frame.modality].append(time_s)
                self._note_size(item.frame, time_s)
                self._choose(self._reference.observe(item.frame), item.arrival)
            yield item

    def _choose(self, selection: Selection | None, now: float) -> None:
        """Note what the undamaged recording would serve."""
        self._expected.advance(now)
        if selection is not None and not selection.void:
            self._expected.submit(selection, now)

    def _expect(self, selection: Selection, now: float) -> float:
        """Expect the mask of a selection, beginning at `now`; return the seconds it would take."""
        seconds = self._inference_seconds(self._measured_s[selection.frame.modality])
        self.result.expected_s.append(self._seconds(now + seconds))
        if self._clean_run is not None:
            self._clean_run.expect(selection)
        return seconds

    def _note_size(self, frame: Frame, time_s: float) -> None:
        known = self._sizes[frame.modality]
        if known and frame.size not in known:  # a size that comes back needs no second line
            self.result.warnings.append(
                f'the {frame.modality} frames change their size at {time_s:.2f} s, from '
                f'{known[-1][1]}x{known[-1][0]} to {frame.size[1]}x{frame.size[0]}; '
                'the masks change with them'
            )
        if frame.size not in known:
            known.append(frame.size)

    def _seconds(self, now: float) -> float:
        if self._start is None:
            self._start = now
        return now - self._start


def _due(selector: Selector, until: float) -> Iterator[float]:
    """Yield each time up to `until` at which the selector asked to be woken."""
    last = -np.inf
    while (deadline := selector.deadline()) is not None and deadline <= until:
        # A deadline that does not move on would never end; a float's step makes it pass.
        now = float(np.nextafter(last, np.inf)) if deadline <= last else deadline
        if now > until:
            return
        last = now
        yield now

"""One activation of the segment node: from images that arrive to masks that go out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.health import USABLE, SensorState
from crodino_core.runtime.segmenter import FailoverSegmenter
from crodino_core.runtime.selector import Selection
from crodino_ros.diagnostics import OutputReport, SensorReport
from crodino_ros.inference_worker import InferenceWorker, RecentDurations, RecentRate
from crodino_ros.mask_outputs import MaskOutputs
from crodino_ros.middleware import Clock, ClockType, LifecycleNode
from crodino_ros.networks import warm_up
from crodino_ros.segment_settings import SegmentSettings
from crodino_ros.sensor_input import SensorInput
from crodino_ros.sensor_time import SensorTime
from crodino_ros.serving_log import BOTH, NONE, ServingLog

SOONEST = 0.002
"""Seconds; the watchdog is never set to less, so that it cannot keep the thread busy."""


class MaskStream:
    """Looks at every frame, has the chosen one segmented, publishes the mask.

    Everything but `_segment` runs in the thread of the callbacks; the selector is used nowhere
    else.

    :param segmenter: with both networks loaded.
    :param on_change: called when a sensor's state or the served modality has changed.
    """

    def __init__(
        self,
        node: LifecycleNode,
        segmenter: FailoverSegmenter,
        outputs: MaskOutputs,
        settings: SegmentSettings,
        on_change: Callable[[], None],
    ) -> None:
        self._node = node
        self._log = node.get_logger()
        self._logs = {m: self._log.get_child(str(m)) for m in Modality}
        self._segmenter = segmenter
        self._outputs = outputs
        self._on_change = on_change
        self.settings = settings
        self.masks = 0
        self.error = ''
        self._served = self._active = NONE
        self._serving_log = ServingLog(self._log)
        self._states = {m: sensor.state for m, sensor in segmenter.sensors.items()}
        self.sizes = dict.fromkeys(Modality, settings.warm_up_size)
        """Height and width that each network is ready for."""
        self._hints = dict.fromkeys(Modality, '')
        self._told = dict.fromkeys(Modality, '')
        self._latency, self._inference = RecentDurations(), RecentDurations()
        self._overhead = RecentDurations()
        self._rate = RecentRate()
        self._time = SensorTime(node.get_clock(), self._begin_anew, self._look)
        self._worker = InferenceWorker(self._segment, self._inference_failed)
        self._watchdog = node.create_timer(
            3600.0, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._watchdog.cancel()
        self._inputs: dict[Modality, SensorInput] = {}
        try:
            self._begin()
        except Exception:  # a QoS override or a remapped topic that makes no sense
            self.close()
            raise

    def _begin(self) -> None:
        for modality in Modality:
            self._inputs[modality] = SensorInput(
                self._node,
                modality,
                self.settings.transports[modality],
                now=self._time.now,
                on_frame=self._take,
                on_damage=self._take_damage,
            )
        self._outputs.announce_labels()
        self._outputs.announce_modality(NONE)
        self._began = self._time.now()
        self._segmenter.reset(self._began)
        self.apply(self.settings)

    def close(self) -> None:
        """Subscribe to nothing and publish nothing any more."""
        for sensor_input in self._inputs.values():
            sensor_input.close()
        self._node.destroy_timer(self._watchdog)
        self._time.close()
        self._worker.stop()

    def apply(self, settings: SegmentSettings) -> None:
        """Take over parameters that were changed while running."""
        old, self.settings = self.settings, settings
        selector = self._segmenter.selector
        selector.arbiter = settings.arbiter
        if selector.quality is not None and settings.arbiter.policy != old.arbiter.policy:
            selector.quality.reset()  # what it knows may be old
        for sensor in selector.sensors.values():
            sensor.settings = settings.health_with(self._segmenter.bundle)
        self._look()

    def heartbeat(self) -> None:
        """Look at the clock and at the publishers, once in a while."""
        for modality, sensor_input in self._inputs.items():
            hint = sensor_input.explain()
            if hint and hint == self._hints[modality] and hint != self._told[modality]:
                self._logs[modality].warning(hint)
                self._told[modality] = hint
            self._hints[modality] = hint
        self._outputs.warn_of_others()
        self._look()

    def _take(self, frame: Frame) -> None:
        selection = self._segmenter.observe(frame)
        sensor = self._segmenter.sensors[frame.modality]
        if sensor.state in USABLE and frame.size != self.sizes[frame.modality]:
            modality, size = frame.modality, frame.size  # not the frame: its pixels would wait too
            self.sizes[modality] = size
            engine = self._segmenter.engines[modality]
            self._worker.prepare(modality, lambda: warm_up(engine, modality, size))
        self._go_on(selection)

    def _take_damage(self, modality: Modality, arrival: float, cause: str) -> None:
        self._logs[modality].error(
            f'{self._inputs[modality].topic}: {cause}', throttle_duration_sec=5.0
        )
        self._go_on(self._segmenter.selector.observe_undecodable(modality, arrival, cause))

    def _look(self) -> None:
        self._go_on(self._segmenter.poll(self._time.now()))

    def _begin_anew(self) -> None:
        self._log.info(
            'time has jumped: the periods of the sensors are learned anew',
            throttle_duration_sec=5.0,
        )
        self._began = self._time.now()
        self._segmenter.reset(self._began)

    def _go_on(self, selection: Selection | None) -> None:
        """Act on a decision: set the watchdog, start the inference, tell of changes."""
        self._set_watchdog()
        if selection is not None:
            self._served = NONE if selection.void else str(selection.modality)
            if selection.other is not None:
                self._served = BOTH
            if self._outputs.wanted():
                self._worker.submit(selection)
        self._tell_changes()

    def _set_watchdog(self) -> None:
        deadline = self._segmenter.deadline()
        self._time.expect_to_look(deadline)
        if deadline is None:
            self._watchdog.cancel()
            return
        left = max(deadline - self._time.glance(), SOONEST)
        self._watchdog.timer_period_ns = int(left * 1e9)
        self._watchdog.reset()

    def _tell_changes(self) -> None:
        selector = self._segmenter.selector
        states = {m: sensor.state for m, sensor in selector.sensors.items()}
        choice = selector.arbiter.choose(states, selector.serving, selector.worse)
        silent = choice.modality is None
        if silent and not self._is_awaited(states):
            self._served = NONE
        active = self._served
        self._outputs.announce_modality(active)
        self._serving_log.note(active, self._segmenter.sensors.values(), self._left_out())
        if states != self._states or active != self._active:
            self._states, self._active = states, active
            self._on_change()

    def _is_awaited(self, states: Mapping[Modality, SensorState]) -> bool:
        """Whether the next frame is not given up yet: it is late, or time has just jumped."""
        if SensorState.LATE in states.values():
            return True
        fresh = all(state is SensorState.NOT_RECEIVED for state in states.values())
        return fresh and self._time.glance() - self._began < self.settings.health.timeout

    def _left_out(self) -> Modality | None:
        """The sensor that the policy `best` does without, if there is one."""
        selector = self._segmenter.selector
        return selector.worse if selector.arbiter.policy == 'best' else None

    def _segment(self, selection: Selection) -> None:
        """Make a mask and publish it, in the worker's thread."""
        started = time.monotonic()
        found = self._segmenter.segment(replace(selection, standby=None))
        inference = time.monotonic() - started
        self._inference.add(inference)
        self._outputs.publish(found, self.settings.overlay_opacity)
        latency = self._time.glance() - selection.frame.arrival
        self._latency.add(latency)
        self._overhead.add(latency - inference)
        self._rate.add(self._time.glance())
        self.masks += 1
        self.error = ''
        self._segmenter.compare(selection)  # now that the mask is out

    def _inference_failed(self, error: Exception) -> None:
        if not self._node.context.ok():  # interrupted: rclpy publishes no more
            return
        words = ' '.join(str(error).split()) or type(error).__name__
        self._log.error(f'inference failed: {words}', throttle_duration_sec=5.0)
        self.error = words

    def sensor_reports(self) -> list[SensorReport]:
        """The condition of each sensor, for the diagnostics."""
        return [self._sensor_report(modality) for modality in Modality]

    def _sensor_report(self, modality: Modality) -> SensorReport:
        sensor, came = self._segmenter.sensors[modality], self._inputs[modality]
        now = self._time.glance()
        age = None if sensor.last_arrival is None else now - sensor.last_arrival
        return SensorReport(
            modality=modality,
            state=sensor.state,
            topic=came.topic,
            cause=sensor.cause,
            detail=sensor.detail,
            hint=self._hints[modality] and came.explain(),
            frame_rate=came.rate.per_second(now),
            expected_rate=1 / sensor.period if sensor.period else None,
            age_s=age,
            delay_from_realtime_s=came.delay_s,
            counts=dict(sensor.counts),
        )

    def output_report(
        self, engine: Mapping[str, Any], unknown_parameters: Sequence[str]
    ) -> OutputReport:
        """The condition of the masks, for the diagnostics.

        :param engine: see `LoadedEngines.describe`.
        """
        quality = self._segmenter.selector.quality
        return OutputReport(
            active=self._active,
            engine=engine['name'],
            engine_version=engine['version'],
            engine_device=engine['device'],
            passed_over=engine['passed_over'],
            left_out=self._left_out(),
            expected_miou={m: quality.expected(m) for m in Modality} if quality else {},
            hint=self._outputs.explain(),
            unknown_parameters=unknown_parameters,
            mask_rate=self._rate.per_second(self._time.glance()),
            wanted=self._outputs.wanted(),
            error=self.error,
            masks=self.masks,
            dropped=self._worker.dropped,
            latency_ms=self._latency.percentiles_ms(),
            inference_ms=self._inference.percentiles_ms(),
            overhead_ms=self._overhead.percentiles_ms(),
        )

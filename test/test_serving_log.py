"""What the log says when another sensor is served."""

from __future__ import annotations

import pytest
from streams import stream

from crodino_core.modality import Modality
from crodino_core.runtime.health import SensorHealth
from crodino_ros import serving_log
from crodino_ros.serving_log import BOTH, NONE, ServingLog

RGB, DEPTH = Modality.RGB, Modality.DEPTH


class Lines(list):
    """A logger that keeps its lines."""

    def info(self, text: str) -> None:
        self.append(('info', text))

    def warning(self, text: str) -> None:
        self.append(('warning', text))

    def error(self, text: str) -> None:
        self.append(('error', text))


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """Return the time of the log, to be set by hand."""
    now = [100.0]
    monkeypatch.setattr(serving_log.time, 'monotonic', lambda: now[0])
    return now


@pytest.fixture
def sensors() -> list[SensorHealth]:
    """Return a camera that was lost and a depth sensor at work."""
    made = [SensorHealth(modality) for modality in Modality]
    for sensor, count in zip(made, (10, 30), strict=True):
        for frame in stream(sensor.modality, count):
            sensor.observe(frame)
        sensor.check(2.95)
    return made


def test_a_change_is_one_line_with_the_condition_of_both(clock, sensors):
    log = ServingLog(lines := Lines())
    for _ in range(3):
        log.note('depth', sensors, None)
    [(level, line)] = lines
    assert level == 'info'
    assert line.startswith('serving depth: rgb lost (no new frame for 2.050 s')
    assert line.endswith('depth ok')


def test_a_change_that_comes_too_soon_is_logged_later_if_it_lasts(clock, sensors):
    log = ServingLog(lines := Lines())
    for now, active in ((100.0, 'rgb'), (100.2, 'depth'), (100.9, 'depth'), (101.1, 'depth')):
        clock[0] = now
        log.note(active, sensors, None)
    assert [line.split(':')[0] for _, line in lines] == ['serving rgb', 'serving depth']


def test_a_change_that_is_undone_at_once_is_not_logged(clock, sensors):
    log = ServingLog(lines := Lines())
    for now, active in ((100.0, BOTH), (100.2, 'rgb'), (100.3, BOTH), (102.0, BOTH)):
        clock[0] = now
        log.note(active, sensors, None)
    assert [line.split(':')[0] for _, line in lines] == ['serving both']


def test_why_a_healthy_sensor_is_left_out_is_said(clock, sensors):
    ServingLog(lines := Lines()).note('depth', sensors, RGB)
    assert lines[0][1].endswith('the masks of rgb have become much worse')


def test_silence_is_a_warning_and_nonsense_an_error(clock, sensors):
    for sensor in sensors:
        sensor.check(10.0)
    log = ServingLog(lines := Lines())
    log.note('rgb', sensors, None)
    clock[0] += 2.0
    log.note(NONE, sensors, None)
    sensors[1].observe_undecodable(10.0, 'it is cut off')
    log = ServingLog(lines)
    log.note('rgb', sensors, None)
    clock[0] += 2.0
    log.note(NONE, sensors, None)
    assert [level for level, _ in lines] == ['info', 'warning', 'info', 'error']

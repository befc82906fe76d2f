"""Loggers of the embedded middleware."""

from __future__ import annotations

import re

import pytest

pytest.importorskip('cyclonedds')

from crodino_ros.middleware.embedded import logging
from crodino_ros.middleware.embedded.clock import Clock
from crodino_ros.middleware.embedded.time import ClockType, Time


@pytest.fixture
def logger() -> logging.Logger:
    return logging.Logger('camera')


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_line_names_severity_time_and_logger(logger, capsys):
    assert logger.warning('no picture')
    (line,) = lines(capsys)
    assert re.fullmatch(r'\[WARN\] \[\d+\.\d{9}\] \[camera\]: no picture', line)


def test_only_lines_of_the_level_or_above_are_written(logger, capsys):
    assert not logger.debug('detail')
    logger.error('broken')
    assert len(lines(capsys)) == 1


def test_a_child_has_the_level_of_its_parent_unless_it_has_its_own(capsys):
    parent = logging.get_logger('parent')
    child = parent.get_child('child')
    parent.set_level(logging.LoggingSeverity.ERROR)
    assert not child.info('hidden')
    child.set_level(logging.LoggingSeverity.DEBUG)
    assert child.debug('shown')
    assert not parent.info('hidden')
    assert len(lines(capsys)) == 1


def test_once_writes_one_line_for_each_place(logger, capsys):
    for _ in range(3):
        logger.info('here', once=True)
        logger.info('there', once=True)
    assert len(lines(capsys)) == 2


def test_skip_first_leaves_out_the_first_time(logger, capsys):
    for _ in range(3):
        logger.info('again', skip_first=True)
    assert len(lines(capsys)) == 2


def test_a_throttled_line_comes_back_when_its_time_is_over(logger, capsys):
    clock = Clock(clock_type=ClockType.ROS_TIME)
    clock._set_ros_time_is_active(True)
    for second in (1.0, 1.4, 1.6, 2.1):
        clock.set_ros_time_override(Time(seconds=second, clock_type=ClockType.ROS_TIME))
        logger.warn(f'at {second}', throttle_duration_sec=1.0, throttle_time_source_type=clock)
    assert [line.rpartition(' ')[2] for line in lines(capsys)] == ['1.0', '2.1']


def test_an_unknown_level_lists_the_levels():
    with pytest.raises(ValueError, match='debug, info, warn'):
        logging.get_logging_severity_from_string('loud')

"""What messages say, for the live node's classes and those of `rosbags` alike."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

from crodino_core.labels import UNLABELLED, LabelSet
from crodino_core.runtime.health import SensorState


class Level(IntEnum):
    """The levels of diagnostic_msgs/DiagnosticStatus, by the names of its constants."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


SENSOR_LEVELS = {
    SensorState.NOT_RECEIVED: Level.STALE,
    SensorState.OK: Level.OK,
    SensorState.LATE: Level.WARN,
    SensorState.RECOVERING: Level.WARN,
    SensorState.LOST: Level.ERROR,
    SensorState.FROZEN: Level.ERROR,
    SensorState.INVALID: Level.ERROR,
}


def class_map(labels: LabelSet, vision_class: Callable[..., Any]) -> list[Any]:
    """Make the `class_map` of a vision_msgs/LabelInfo, with the unlabelled value.

    :param vision_class: makes a vision_msgs/VisionClass.
    """
    names = [*enumerate(labels.names), (UNLABELLED, 'unlabelled')]
    return [vision_class(class_id=index, class_name=name) for index, name in names]

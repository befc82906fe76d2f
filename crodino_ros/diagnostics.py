"""What the segment node says of itself: diagnostic_msgs, made by pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crodino_core.modality import Modality
from crodino_core.runtime.health import USABLE, SensorState
from crodino_ros.message_content import SENSOR_LEVELS
from crodino_ros.middleware.msg import DiagnosticArray, DiagnosticStatus, KeyValue


@dataclass(frozen=True)
class SensorReport:
    """What there is to say of one sensor."""

    modality: Modality
    state: SensorState
    topic: str
    cause: str = ''
    detail: str = ''
    hint: str = ''
    """What seems wrong on the topic: nobody publishes, two do, the QoS does not fit."""
    frame_rate: float = 0.0
    """Messages per second of the node's time, simulated or not, as `expected_rate`."""
    expected_rate: float | None = None
    """Of the learned period, messages per second."""
    age_s: float | None = None
    delay_from_realtime_s: float | None = None
    """How old the newest image was when it came, by its stamp and the node's clock."""
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OutputReport:
    """What there is to say of the masks."""

    active: str
    """'rgb', 'depth', 'both' or 'none'."""
    engine: str
    engine_version: str = ''
    engine_device: str = ''
    """Where it really runs."""
    passed_over: Mapping[str, str] = field(default_factory=dict)
    """Engines that were tried before, and why they could not be used."""
    mask_rate: float = 0.0
    wanted: bool = True
    """Whether anybody listens; inference rests while nobody does."""
    error: str = ''
    """What the engine raised at the last inference."""
    left_out: Modality | None = None
    """The sensor that the policy `best` does without."""
    expected_miou: Mapping[Modality, float | None] = field(default_factory=dict)
    """What the policy `best` decides by, percent; None where it has not looked yet."""
    hint: str = ''
    """Who subscribes in vain."""
    unknown_parameters: Sequence[str] = ()
    masks: int = 0
    dropped: int = 0
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    """Percentiles from the arrival of an image to the publication of its mask."""
    inference_ms: Mapping[str, float] = field(default_factory=dict)
    overhead_ms: Mapping[str, float] = field(default_factory=dict)
    """Percentiles of the latency less the inference of the same mask."""


def report(stamp: Any, node: str, sensors: Sequence[SensorReport], output: OutputReport) -> Any:
    """Make the DiagnosticArray of an active node: one status per sensor and one for the output.

    :param stamp: builtin_interfaces/Time.
    :param node: fully qualified name, the hardware id and the beginning of each status' name.
    """
    statuses = [_sensor_status(node, sensor) for sensor in sensors]
    return _array(stamp, [*statuses, _output_status(node, sensors, output)])


def report_inactive(stamp: Any, node: str, state: str, reason: str = '') -> Any:
    """Make the DiagnosticArray of a node that is not active; with a reason, it should be."""
    level = DiagnosticStatus.ERROR if reason else DiagnosticStatus.STALE
    return _array(stamp, [_status(node, 'output', level, reason or state, {'state': state})])


def _sensor_status(node: str, sensor: SensorReport) -> Any:
    state = str(sensor.state).replace('_', ' ')
    cause = '' if sensor.cause == state else sensor.cause
    words = [text for text in (state, cause, sensor.detail, sensor.hint) if text]
    values = {
        'state': str(sensor.state),
        'cause': sensor.cause,
        'topic': sensor.topic,
        'frame_rate': f'{sensor.frame_rate:.2f}',
        'expected_rate': _number(sensor.expected_rate, 1),
        'age_ms': _number(sensor.age_s, 1e3),
        'delay_from_realtime_ms': _number(sensor.delay_from_realtime_s, 1e3),
        **{f'count {cause}': str(count) for cause, count in sorted(sensor.counts.items())},
    }
    level = getattr(DiagnosticStatus, SENSOR_LEVELS[sensor.state].name)
    if level == DiagnosticStatus.OK and sensor.hint:
        level = DiagnosticStatus.WARN
    return _status(node, str(sensor.modality), level, ': '.join(words), values)


def _output_status(node: str, sensors: Sequence[SensorReport], output: OutputReport) -> Any:
    usable = [sensor for sensor in sensors if sensor.state in USABLE]
    heard = [sensor for sensor in sensors if sensor.state is not SensorState.NOT_RECEIVED]
    if output.error:
        level, message = DiagnosticStatus.ERROR, f'inference fails: {output.error}'
    elif not heard:
        level, message = DiagnosticStatus.STALE, 'no image was received yet'
    elif not usable and any(sensor.state is SensorState.LATE for sensor in sensors):
        level, message = DiagnosticStatus.WARN, 'the next image is overdue'
    elif not usable:
        level, message = DiagnosticStatus.ERROR, 'no sensor is usable'
    elif len(usable) < len(sensors):
        level, message = DiagnosticStatus.WARN, f'only {usable[0].modality} is usable'
    elif output.left_out is not None:
        level = DiagnosticStatus.WARN
        message = f'{output.left_out} is left out: its masks have become much worse'
    else:
        level, message = DiagnosticStatus.OK, 'both sensors are usable'
    if not output.wanted:
        message += '; nobody subscribes to the masks, so none are made'
    for warning in _warnings(output):
        message += f'; {warning}'
        level = DiagnosticStatus.WARN if level == DiagnosticStatus.OK else level
    values = {
        'active_modality': output.active,
        'engine': output.engine,
        'engine_version': output.engine_version,
        'engine_device': output.engine_device,
        **{f'passed_over {name}': why for name, why in output.passed_over.items()},
        'mask_rate': f'{output.mask_rate:.2f}',
        'masks': str(output.masks),
        'dropped': str(output.dropped),
        **{f'expected_miou_{m}': _number(v, 1) for m, v in output.expected_miou.items()},
        **{f'latency_{p}_ms': f'{ms:.1f}' for p, ms in output.latency_ms.items()},
        **{f'inference_{p}_ms': f'{ms:.1f}' for p, ms in output.inference_ms.items()},
        **{f'overhead_{p}_ms': f'{ms:.1f}' for p, ms in output.overhead_ms.items()},
    }
    return _status(node, 'output', level, message, values)


def _warnings(output: OutputReport) -> list[str]:
    unknown = [f'the parameter {name!r} is unknown' for name in output.unknown_parameters]
    return [output.hint, *unknown] if output.hint else unknown


def _status(node: str, task: str, level: Any, message: str, values: Mapping[str, str]) -> Any:
    return DiagnosticStatus(
        level=level,
        name=f'{node.lstrip("/")}: {task}',
        message=message,
        hardware_id=node,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def _array(stamp: Any, statuses: list[Any]) -> Any:
    array = DiagnosticArray(status=statuses)
    array.header.stamp = stamp
    return array


def _number(value: float | None, scale: float) -> str:
    return '' if value is None else f'{value * scale:.2f}'

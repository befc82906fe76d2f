"""What the node says of itself."""

from __future__ import annotations

import pytest
from node_world import NATIVE  # noqa: F401  (skips where there is no middleware)

from crodino_core.modality import Modality
from crodino_core.runtime.health import SensorState
from crodino_ros.diagnostics import OutputReport, SensorReport, report, report_inactive
from crodino_ros.message_content import Level
from crodino_ros.middleware.msg import DiagnosticStatus, Time

OK, WARN, ERROR, STALE = (
    getattr(DiagnosticStatus, name) for name in ('OK', 'WARN', 'ERROR', 'STALE')
)


def statuses(rgb: SensorState, depth: SensorState, hint: str = '', **output) -> dict:
    sensors = [
        SensorReport(Modality.RGB, rgb, '/color', counts={'lost': 2}, hint=hint),
        SensorReport(Modality.DEPTH, depth, '/depth', age_s=0.25, expected_rate=30.0),
    ]
    found = report(Time(sec=5), '/robot/eyes', sensors, OutputReport('rgb', 'openvino', **output))
    assert found.header.stamp.sec == 5
    return {status.name.split(': ')[1]: status for status in found.status}


@pytest.mark.parametrize(
    ('rgb', 'depth', 'level'),
    [
        ('ok', 'ok', OK),
        ('ok', 'lost', WARN),
        ('recovering', 'frozen', WARN),
        ('late', 'invalid', WARN),
        ('lost', 'invalid', ERROR),
        ('not_received', 'not_received', STALE),
    ],
)
def test_the_output_is_ok_with_both_sensors_and_an_error_without(rgb, depth, level):
    assert statuses(SensorState(rgb), SensorState(depth))['output'].level == level


@pytest.mark.parametrize(
    ('state', 'level'),
    [('ok', OK), ('late', WARN), ('recovering', WARN), ('lost', ERROR), ('not_received', STALE)],
)
def test_a_sensor_has_the_level_of_its_state(state, level):
    assert statuses(SensorState(state), SensorState.OK)['rgb'].level == level


def test_levels_are_numbered_as_the_message_numbers_them():
    for level in Level:
        number = getattr(DiagnosticStatus, level.name)
        assert (number[0] if isinstance(number, bytes) else number) == level


def test_names_and_values_are_those_of_the_node():
    depth = statuses(SensorState.OK, SensorState.OK)['depth']
    assert depth.name == 'robot/eyes: depth'
    assert depth.hardware_id == '/robot/eyes'
    values = {pair.key: pair.value for pair in depth.values}
    assert (values['age_ms'], values['expected_rate'], values['topic']) == (
        *('250.00', '30.00'),
        '/depth',
    )


def test_what_seems_wrong_on_the_topic_is_a_warning():
    rgb = statuses(SensorState.OK, SensorState.OK, hint='2 publishers')['rgb']
    assert (rgb.level, rgb.message) == (WARN, 'ok: 2 publishers')


def test_a_failing_engine_is_an_error():
    output = statuses(SensorState.OK, SensorState.OK, error='no memory')['output']
    assert output.level == ERROR
    assert 'no memory' in output.message


def test_the_engine_is_named_with_what_it_runs_on_and_why_it_is_not_another():
    output = statuses(
        *(SensorState.OK, SensorState.OK),
        engine_version='2026.4',
        engine_device='CPU (2 threads)',
        passed_over={'tensorrt': 'no GPU'},
    )['output']
    values = {pair.key: pair.value for pair in output.values}
    assert output.level == OK
    assert (values['engine'], values['engine_version']) == ('openvino', '2026.4')
    assert values['engine_device'] == 'CPU (2 threads)'
    assert values['passed_over tensorrt'] == 'no GPU'


def test_masks_that_nobody_wants_are_no_failure():
    output = statuses(SensorState.OK, SensorState.OK, wanted=False)['output']
    assert output.level == OK
    assert 'nobody subscribes' in output.message


def test_an_inactive_node_is_stale_and_one_that_cannot_start_an_error():
    [idle] = report_inactive(Time(), '/eyes', 'inactive').status
    [broken] = report_inactive(Time(), '/eyes', 'unconfigured', 'no model').status
    assert (idle.level, broken.level) == (STALE, ERROR)
    assert broken.message == 'no model'

"""Faults switched on by hand or played from a scenario, on a stream driven by hand."""

from __future__ import annotations

import numpy as np
import pytest
from streams import depth, rgb

from crodino_core.errors import UsageError
from crodino_core.evaluation.fault_span import FaultSpan, Moment, Scenario
from crodino_core.evaluation.faults import FAULTS
from crodino_core.evaluation.live_injection import LiveInjection, parse_faults
from crodino_core.modality import Modality

RGB, DEPTH = Modality.RGB, Modality.DEPTH


def injection(sensor: Modality, text: str) -> LiveInjection:
    made = LiveInjection()
    made.set(sensor, parse_faults(text, sensor))
    return made


@pytest.mark.parametrize('text', ['', 'none', ' none '])
def test_none_is_no_fault(text):
    assert parse_faults(text, RGB) == []


def test_faults_are_read_with_their_parameters():
    noise, delay = parse_faults('noise severity=5 + delay delay_s=0.2', RGB)
    assert (noise.kind.name, noise.parameters['severity']) == ('noise', 5)
    assert (delay.kind.name, delay.parameters['delay_s']) == ('delay', 0.2)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('frez', "did you mean 'freeze'"),
        ('sunlight', 'rgb has no fault'),
        ('noise severity', 'name=value'),
        ('noise severity=9', 'severity from 1'),
        ('noise loudness=3', 'unknown parameter'),
        ('noise severity=[1', 'a number, true, false or a word'),
        ('noise severity=2024-13-45', 'a number, true, false or a word'),
        ('drop + freeze', 'contradict'),
        ('drop +', 'has no fault'),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(text, reason):
    with pytest.raises(UsageError, match=reason):
        parse_faults(text, RGB)


def test_without_faults_a_frame_passes_as_it_is():
    frame = rgb(1.0)
    assert LiveInjection().push(frame, 1.0) == [frame]


def test_a_fault_touches_its_sensor_only_and_ends_when_it_is_taken_back():
    live = injection(RGB, 'drop')
    assert live.push(rgb(1.0), 1.0) == []
    assert len(live.push(depth(1.0), 1.0)) == 1
    assert live.active(1.0) == ['rgb drop']
    assert live.swallows(RGB, 1.0)
    live.set(RGB, [])
    assert len(live.push(rgb(1.1), 1.1)) == 1


def test_a_fault_that_replaces_another_between_two_frames_is_not_that_one():
    live = injection(RGB, 'drop')
    assert live.push(rgb(1.0), 1.0) == []
    live.set(RGB, [])
    live.set(RGB, parse_faults('black', RGB))
    [out] = live.push(rgb(1.1), 1.1)
    assert not out.image.any()


def test_a_freeze_holds_the_frame_before_it():
    live = LiveInjection()
    before = rgb(1.0)
    live.push(before, 1.0)
    live.set(RGB, parse_faults('freeze', RGB))
    for index in range(3):
        [out] = live.push(rgb(1.1 + index), 1.1 + index)
        assert np.array_equal(out.image, before.image)


def test_a_delayed_frame_is_due_later_and_set_free_at_the_end():
    live = injection(RGB, 'delay delay_s=0.2')
    assert live.push(rgb(1.0), 1.0) == []
    assert live.next_arrival == pytest.approx(1.2)
    assert live.due(1.1) == []
    assert len(live.due(1.2)) == 1
    live.push(rgb(1.3), 1.3)
    live.set(RGB, [])
    assert [frame.arrival for frame in live.push(rgb(1.4), 1.4)] == [1.4, 1.4]
    assert live.next_arrival is None


def scenario(start: Moment, end: Moment | None = None, kind: str = 'drop') -> Scenario:
    parameters = FAULTS[kind].complete({})
    return Scenario('cut', '', (FaultSpan(RGB, kind, start, end, parameters),))


def test_a_scenario_begins_with_the_first_frame():
    live = LiveInjection()
    live.play(scenario(Moment(1.0), Moment(2.0)))
    came = [bool(live.push(rgb(50 + 0.5 * i), 50 + 0.5 * i)) for i in range(5)]
    assert came == [True, True, False, False, True]


def test_a_scenario_begins_anew_when_time_goes_back():
    live = LiveInjection()
    live.play(scenario(Moment(1.0)))
    assert [bool(live.push(rgb(t), t)) for t in (10.0, 11.5)] == [True, False]
    assert [bool(live.push(rgb(12 + t), t)) for t in (5.0, 6.5)] == [True, False]


def test_a_scenario_waits_for_the_first_clock():
    """Simulated time is 0 until then, and jumps to whatever the simulation has reached."""
    live = LiveInjection()
    live.play(scenario(Moment(0.0), Moment(1.0)))
    assert live.push(rgb(7.0), 0.0) and live.active(0.0) == []
    assert not live.swallows(RGB, 0.0)
    came = [bool(live.push(rgb(8 + 0.5 * i), 1000 + 0.5 * i)) for i in range(3)]
    assert came == [False, False, True]


def test_by_hand_a_fault_needs_no_clock():
    live = injection(RGB, 'drop')
    assert live.push(rgb(1.0), 0.0) == []


def test_a_clock_that_is_set_back_to_0_ends_a_scenario_until_it_goes_on():
    live = LiveInjection()
    live.play(scenario(Moment(0.0), Moment(1.0)))
    assert [bool(live.push(rgb(t), t)) for t in (10.0, 10.5, 11.0)] == [False, False, True]
    assert live.push(rgb(12.0), 0.0)
    assert [bool(live.push(rgb(12 + t), t)) for t in (0.1, 0.6, 1.1)] == [False, False, True]


def test_a_scenario_begins_with_a_message_that_cannot_be_decoded_too():
    live = LiveInjection()
    live.play(scenario(Moment(0.0), Moment(1.0)))
    assert live.swallows(RGB, 10.0)
    assert live.push(rgb(11.0), 11.0)


def test_another_scenario_does_nothing_of_the_one_before():
    live = LiveInjection()
    live.play(scenario(Moment(0.0)))
    assert live.push(rgb(1.0), 1.0) == []
    live.play(scenario(Moment(0.0), kind='black'))
    [out] = live.push(rgb(1.1), 1.1)
    assert not out.image.any()


@pytest.mark.parametrize('begin_anew', ['by the clock', 'by hand'])
def test_a_fault_of_a_scenario_that_begins_anew_does_so_too(begin_anew):
    live, cut = LiveInjection(), scenario(Moment(0.0), kind='freeze')
    live.play(cut)
    live.push(rgb(10.0), 10.0)
    newer = rgb(10.1)
    assert not np.array_equal(live.push(newer, 10.1)[0].image, newer.image)
    if begin_anew == 'by hand':
        live.play(cut)
        now = 10.2
    else:
        now = 1.0
    [out] = live.push(rgb(10.2), now)
    assert np.array_equal(out.image, newer.image)  # the last one before the freeze


def test_percentages_need_a_duration():
    live = LiveInjection()
    with pytest.raises(UsageError, match='no duration'):
        live.play(scenario(Moment(0.5, relative=True)))
    live.play(scenario(Moment(0.5, relative=True)), duration=10.0)
    assert [bool(live.push(rgb(t), t)) for t in (1.0, 5.9, 6.0)] == [True, True, False]


def test_a_scenario_can_be_ended():
    live = LiveInjection()
    live.play(scenario(Moment(0.0)))
    assert live.push(rgb(1.0), 1.0) == []
    live.play(None)
    assert live.push(rgb(1.1), 1.1)

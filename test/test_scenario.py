"""Scenario files: what they may say, and how a wrong one is explained."""

import pytest
from small_bag import color_of, depth_of

from crodino_core.errors import UsageError
from crodino_core.evaluation.injection import Injection
from crodino_core.evaluation.recording import RecordedDamage, RecordedFrame, RecordedLabel
from crodino_core.evaluation.scenario import (
    Moment,
    load_scenario,
    scenario_names,
    warnings_for,
)
from crodino_core.evaluation.scenario_text import describe_scenario, list_scenarios
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame
from crodino_core.strict_yaml import load_strictly


def write(tmp_path, text):
    path = tmp_path / 'mine.yaml'
    path.write_text(text)
    return path


def one_fault(tmp_path, fault):
    return write(tmp_path, f'faults:\n  - {{{fault}}}\n')


def recorded(modality, index, period=0.1, offset=0.0):
    image = color_of(index) if modality is Modality.RGB else depth_of(index)
    arrival = 100.0 + offset + index * period
    return RecordedFrame(Frame(modality, image, round(arrival * 1e9), arrival))


def stream(count):
    return [
        item
        for index in range(count)
        for item in (recorded(Modality.RGB, index), recorded(Modality.DEPTH, index, offset=0.003))
    ]


def test_the_named_scenarios_are_there_and_valid():
    names = scenario_names()
    needed = {'camera_blackout', 'depth_blackout', 'camera_frozen', 'camera_black'}
    assert needed | {'depth_frozen', 'double', 'flicker'} <= set(names)
    for name in names:
        scenario = load_scenario(name)
        assert scenario.name == name
        assert scenario.description
        assert scenario.faults
        for fault in scenario.faults:
            fault.seconds(5.0)


def test_double_never_breaks_both_sensors_at_once():
    spans = [fault.seconds(10.0) for fault in load_scenario('double').faults]
    assert spans[0][1] < spans[1][0]


def test_a_file_gives_sensor_kind_times_and_parameters(tmp_path):
    path = write(
        tmp_path,
        """
        description: Both in turn.
        faults:
          - {sensor: rgb, kind: drop, from: 3.0, to: 6.5}
          - {sensor: depth, kind: freeze, from: 80%, advance_stamps: false}
        """,
    )
    scenario = load_scenario(path)
    assert (scenario.name, scenario.description) == ('mine', 'Both in turn.')
    drop, freeze = scenario.faults
    assert (drop.sensor, drop.kind) == (Modality.RGB, 'drop')
    assert drop.seconds(10.0) == (3.0, 6.5)
    assert freeze.seconds(10.0) == (8.0, None)
    assert freeze.start == Moment(0.8, relative=True)
    assert freeze.parameters['advance_stamps'] is False
    assert freeze.parameters['severity'] == 5


@pytest.mark.parametrize(
    ('fault', 'reason'),
    [
        ('sensor: rbg, kind: drop, from: 1', "unknown sensor 'rbg' .did you mean 'rgb'"),
        ('sensor: rgb, kind: freze, from: 1', "unknown kind 'freze' .did you mean 'freeze'"),
        ('sensor: rgb, kind: drop, from: 1, untill: 2', "unknown key 'untill'.*known are.* to"),
        ('sensor: rgb, kind: drop, form: 1', 'lacks the key from'),
        ('sensor: rgb, kind: drop, from: 6, to: 3', 'from 6 s to 3 s.*exchange from and to'),
        ('sensor: rgb, kind: drop, from: 60%, to: 30%', 'from 60% to 30%'),
        ('sensor: rgb, kind: drop, from: 3, to: 3', 'to end after it starts'),
        ('sensor: rgb, kind: drop, from: -1', 'seconds since the first frame'),
        ('sensor: rgb, kind: drop, from: soon', "'soon'"),
        ('sensor: rgb, kind: drop, from: 120%', "'120%'"),
        ('sensor: rgb, kind: drop, from: .nan', 'nan'),
        ('sensor: rgb, kind: drop, from: true', 'True'),
        ('sensor: rgb, kind: freeze, from: 1, advance_stamps: 3', 'true or false was expected'),
        ('sensor: rgb, kind: drop, from: 1, advance_stamps: true', 'unknown key'),
        ('sensor: rgb, kind: fog, from: 1, severity: 6', 'severity is 6; a severity from 1'),
        ('sensor: rgb, kind: fog, from: 1, severity: 0', 'severity is 0; a severity from 1'),
        ('sensor: rgb, kind: fog, from: 1, severity: high', "severity is 'high'; an integer was"),
        ('sensor: rgb, kind: fog, from: 1, sverity: 2', "key 'sverity' .did you mean 'severity'"),
        ('sensor: rgb, kind: fog, from: 1, visibility: 2', "did you mean 'visibility_m'"),
        ('sensor: rgb, kind: holes, from: 1', 'holes does not fit the sensor rgb'),
        ('sensor: [rgb], kind: drop, from: 1', 'unknown sensor'),
        ('sensor: rgb, kind: [drop], from: 1', 'unknown kind'),
    ],
)
def test_a_wrong_fault_is_explained(tmp_path, fault, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        load_scenario(one_fault(tmp_path, fault))
    assert 'fault 1' in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('- a\n- b', 'a mapping with the keys'),
        ('fault: []', "unknown key 'fault' .did you mean 'faults'"),
        ('faults: {sensor: rgb}', 'a list of mappings'),
        ('faults: [3]', 'a list of mappings'),
        ('faults: [', 'cannot be read'),
        ('faults: []\nfaults: []', 'the key faults is given twice'),
        ('faults: [{sensor: rgb, kind: drop, from: 1, from: 2}]', 'the key from is given twice'),
    ],
)
def test_a_wrong_file_is_explained(tmp_path, text, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        load_scenario(write(tmp_path, text))
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('text', ['? [a]\n: 1', '{{faults}}: 3', '!!map [x]'])
def test_keys_that_are_no_words_are_an_error_of_the_file(tmp_path, text):
    with pytest.raises(UsageError) as caught:
        load_scenario(write(tmp_path, text))
    assert '\n' not in str(caught.value)


def test_a_merged_mapping_may_be_overruled_twice(tmp_path):
    text = 'b: &b {a: 1}\nx: &x {<<: *b, a: 2}\ny: {<<: *x}'
    assert load_strictly(text)['y'] == {'a': 2}


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'camera_blackout'"):
        load_scenario('camera_blckout')
    with pytest.raises(UsageError, match=r'no scenario file .*mine.yaml.*camera_blackout'):
        load_scenario('nowhere/mine.yaml')


def test_times_that_cross_only_in_this_recording_are_found(tmp_path):
    scenario = load_scenario(one_fault(tmp_path, 'sensor: rgb, kind: drop, from: 50%, to: 4'))
    Injection([], scenario, duration=5.0)
    with pytest.raises(UsageError, match='from 50% to 4 s'):
        Injection([], scenario, duration=10.0)


def test_a_fault_touches_its_sensor_in_its_time_only(tmp_path):
    scenario = load_scenario(one_fault(tmp_path, 'sensor: rgb, kind: drop, from: 0.25, to: 0.55'))
    injection = Injection(stream(10), scenario, duration=1.0)
    kept = [(i.frame.modality, round((i.arrival - 100) * 10)) for i in injection]
    assert [at for modality, at in kept if modality is Modality.RGB] == [0, 1, 2, 6, 7, 8, 9]
    assert [at for modality, at in kept if modality is Modality.DEPTH] == list(range(10))
    (failure,) = injection.failures
    assert failure.frames == 3
    assert failure.onset_s == pytest.approx(0.3)
    assert failure.cleared_s == pytest.approx(0.6)
    assert injection.active(0.4) == ('rgb drop',)
    assert injection.active(0.55) == ()


def test_a_fault_without_an_end_is_never_cleared(tmp_path):
    scenario = load_scenario(one_fault(tmp_path, 'sensor: depth, kind: drop, from: 70%'))
    injection = Injection(stream(10), scenario, duration=1.0)
    assert len(list(injection)) == 17
    assert injection.failures[0].cleared_s is None


def test_labels_pass_and_undecodable_messages_fail_with_their_sensor(tmp_path):
    scenario = load_scenario(one_fault(tmp_path, 'sensor: rgb, kind: drop, from: 0.1, to: 0.3'))
    label = RecordedLabel(1, 100.2, color_of(0)[..., 0])
    inside, outside = (RecordedDamage(Modality.RGB, at, 'torn') for at in (100.2, 100.4))
    items = [recorded(Modality.RGB, 0), label, inside, outside]
    assert list(Injection(items, scenario, 1.0)) == [items[0], label, outside]


def test_two_faults_of_one_sensor_work_on_each_other(tmp_path):
    path = write(
        tmp_path,
        """
        faults:
          - {sensor: rgb, kind: black, from: 0.15, to: 0.45}
          - {sensor: rgb, kind: drop, from: 0.35, to: 0.65}
        """,
    )
    injection = Injection(stream(10), load_scenario(path), duration=1.0)
    images = {
        round((i.arrival - 100) * 10): i.frame.image.any()
        for i in injection
        if i.frame.modality is Modality.RGB
    }
    assert images == {0: True, 1: True, 2: False, 3: False, 7: True, 8: True, 9: True}


@pytest.mark.parametrize('name', scenario_names())
@pytest.mark.parametrize('duration', [5.0, 7.0, 12.6, 600.0])
def test_a_named_scenario_fits_a_recording_of_any_length(name, duration):
    scenario = load_scenario(name)
    assert warnings_for(scenario, duration) == []
    Injection([], scenario, duration)


def test_at_least_fifteen_scenarios_are_listed_with_their_stories():
    listed = list_scenarios()
    assert list(listed) == scenario_names()
    assert len(listed) >= 15
    assert all(story.endswith('.') and len(story) > 30 for story in listed.values())


CONTRADICTING = """
faults:
  - {{sensor: rgb, kind: {}, from: {}, to: {}}}
  - {{sensor: {}, kind: {}, from: {}, to: {}}}
"""


@pytest.mark.parametrize(
    ('first', 'second', 'decides'),
    [
        (('drop', 1, 3), ('rgb', 'freeze', 2, 4), 'which frames come'),
        (('freeze', 2, 4), ('rgb', 'drop', 1, 3), 'which frames come'),
        (('delay', '10%', '30%'), ('rgb', 'jitter', '20%', '25%'), 'when they come'),
        (('stamp_zero', 1, 3), ('rgb', 'stamp_future', 1, 3), 'which stamps they bear'),
    ],
)
def test_two_faults_that_contradict_each_other_are_refused(tmp_path, first, second, decides):
    path = write(tmp_path, CONTRADICTING.format(*first, *second))
    with pytest.raises(UsageError, match=f'contradict each other: both decide {decides}') as found:
        load_scenario(path)
    for kind in (first[0], second[1]):
        assert f'rgb {kind} (' in str(found.value)


@pytest.mark.parametrize(
    ('first', 'second'),
    [
        (('drop', 1, 3), ('rgb', 'freeze', 3, 4)),
        (('drop', 1, 3), ('depth', 'freeze', 2, 4)),
        (('freeze', 1, 3), ('rgb', 'delay', 2, 4)),
        (('drop', 1, 3), ('rgb', 'fog', 2, 4)),
        (('fog', 1, 3), ('rgb', 'fog', 2, 4)),
    ],
)
def test_faults_that_do_not_contradict_each_other_are_taken(tmp_path, first, second):
    scenario = load_scenario(write(tmp_path, CONTRADICTING.format(*first, *second)))
    assert len(scenario.faults) == 2


def test_a_contradiction_only_in_this_recording_is_found(tmp_path):
    path = write(tmp_path, CONTRADICTING.format('drop', 1, 3, 'rgb', 'freeze', '50%', '90%'))
    scenario = load_scenario(path)
    Injection([], scenario, duration=10.0)
    with pytest.raises(UsageError, match='contradict each other'):
        Injection([], scenario, duration=4.0)
    with pytest.raises(UsageError, match='contradict each other'):
        warnings_for(scenario, 4.0)


def test_times_past_the_end_of_the_recording_are_said(tmp_path):
    scenario = load_scenario(one_fault(tmp_path, 'sensor: rgb, kind: drop, from: 3, to: 8'))
    assert warnings_for(scenario, 9.0) == []
    (ends,) = warnings_for(scenario, 5.0)
    assert 'rgb drop (3 s to 8 s) ends with the recording: the recording lasts 5.00 s' in ends
    (late,) = warnings_for(scenario, 2.0)
    assert 'touches no frame: the recording lasts 2.00 s' in late


def test_overlapping_content_faults_work_in_the_order_listed(tmp_path):
    lines = (
        '- {sensor: rgb, kind: color_cast, from: 0, severity: 5}',
        '- {sensor: rgb, kind: flipped_channels, from: 0}',
    )
    pictures = []
    for order in (lines, lines[::-1]):
        path = write(tmp_path, 'faults:\n' + '\n'.join(order))
        (item, *_) = Injection(stream(1), load_scenario(path), 1.0)
        pictures.append(item.frame.image.mean(axis=(0, 1)))
    assert pictures[0][2] > pictures[0][0]
    assert pictures[1][0] > pictures[1][2]


def test_a_scenario_is_described_in_words(tmp_path):
    path = write(
        tmp_path,
        """
        description: Fog, then nothing.
        faults:
          - {sensor: rgb, kind: fog, from: 25%, to: 50%, severity: 4, seed: 3}
          - {sensor: rgb, kind: freeze, from: 6, advance_stamps: false}
          - {sensor: depth, kind: holes, from: 1, to: 30, share: 0.4}
        """,
    )
    told = describe_scenario(load_scenario(path)).splitlines()
    assert told[0] == 'mine: Fog, then nothing.'
    assert ' '.join(told[1].split()) == (
        '25% to 50% rgb fog: fog lies over the scene (severity 4, visibility_m 8, seed 3)'
    )
    assert '6 s to the end  rgb freeze: the same picture again' in told[2]
    assert 'advance_stamps false' in told[2]
    assert told[3].endswith('(share 0.4)')
    told = describe_scenario(load_scenario(path), duration=8.0).splitlines()
    assert told[1].strip().startswith('2.00 s to 4.00 s  rgb fog')
    assert told[-1].strip().startswith('warning: the fault depth holes (1 s to 30 s) ends with')


@pytest.mark.parametrize('name', scenario_names())
def test_every_named_scenario_can_be_shown(name):
    told = describe_scenario(load_scenario(name), 12.6)
    assert told.startswith(f'{name}: ')
    assert 'warning' not in told

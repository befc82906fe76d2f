"""Seconds of masks from the wrong sensor."""

from __future__ import annotations

import pytest
from small_bag import LABELS, write_small_bag
from test_inference_time import run

from crodino_core.evaluation.dwell import away_s, wrong_modality_s
from crodino_core.evaluation.records import OutputRecord, Phase, ReplayResult
from crodino_core.modality import Modality
from crodino_ros.bags import BagRecording

RGB, DEPTH = Modality.RGB, Modality.DEPTH


def served(*masks, faults=((),)):
    """Return a result of masks (time, modality, damaged, phase) at a period of 0.1 s."""
    result = ReplayResult('bag', 2.0, None, '', labels=LABELS)
    result.expected_s = [index / 10 for index in range(20)]
    result.phases = [Phase(0.0, 1.0, RGB, each) for each in faults]
    result.outputs = [
        OutputRecord(time, 0, modality, False, False, 1.0, phase, '', damaged=damaged)
        for time, modality, damaged, phase in masks
    ]
    return result


def test_a_damaged_mask_counts_until_the_next_one():
    result = served((0.0, RGB, False, 0), (0.1, RGB, True, 0), (0.14, DEPTH, False, 0))
    assert wrong_modality_s(result) == pytest.approx(0.04)


def test_it_counts_one_period_at_most_also_at_the_end():
    result = served((0.0, RGB, True, 0), (0.9, RGB, True, 0))
    assert wrong_modality_s(result) == pytest.approx(0.2)


def test_while_both_sensors_fail_neither_is_the_wrong_one():
    faults = [('rgb fog', 'depth holes')]
    assert wrong_modality_s(served((0.0, RGB, True, 0), faults=faults)) == 0
    assert wrong_modality_s(served((0.0, RGB, True, 0), faults=[('rgb fog',)])) > 0


def test_void_masks_come_from_no_sensor():
    result = served((0.0, None, False, 0), (0.1, None, False, 0))
    assert wrong_modality_s(result) == away_s(result) == 0


def test_masks_from_the_other_sensor_without_need_are_away():
    result = served(
        (0.0, DEPTH, False, 0), (0.1, DEPTH, False, 1), (0.2, RGB, False, 1),
        faults=[('rgb drop',), ()],
    )  # fmt: skip
    assert away_s(result) == pytest.approx(0.1)


def test_away_is_measured_from_the_preferred_sensor():
    result = served((0.0, DEPTH, False, 0), (0.1, RGB, False, 0))
    result.policy = {'prefer': 'depth'}
    assert away_s(result) == pytest.approx(0.1)


@pytest.mark.parametrize('policy', ['average', 'best'])
def test_of_a_mean_each_sensor_may_be_missing(policy):
    result = served((0.0, RGB, False, 0), (0.1, RGB, False, 1), (0.2, DEPTH, False, 1),
                    faults=[(), ('depth drop',)])  # fmt: skip
    result.policy = {'policy': policy, 'prefer': 'rgb'}
    assert away_s(result) == pytest.approx(0.2)
    for output in result.outputs:
        output.fused = True
    assert away_s(result) == 0


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    return BagRecording(write_small_bag(tmp_path_factory.mktemp('bags') / 'walk', frames=40))


@pytest.mark.parametrize(
    ('scenario', 'wrong', 'away'),
    [
        (None, 0.0, 0.0),
        ('camera_blackout', 0.0, 0.2),
        ('camera_frozen', 0.2, 0.2),
        ('depth_blackout', 0.0, 0.0),
    ],
)
def test_what_the_usual_failures_cost(recording, scenario, wrong, away):
    result = run(recording, scenario=scenario)
    assert wrong_modality_s(result) == pytest.approx(wrong, abs=0.02)
    assert away_s(result) == pytest.approx(away, abs=0.03)


def test_fog_that_nobody_notices_costs_its_duration(recording):
    result = run(recording, scenario='fog_bank')
    began = min(fog.onset_s for fog in result.failures)
    ended = max(fog.cleared_s for fog in result.failures)
    assert wrong_modality_s(result) == pytest.approx(ended - began, abs=0.15)
    assert {output.damaged for output in result.outputs} == {True, False}


def test_a_mean_that_waits_for_the_network_is_judged_by_the_pictures_it_was_made_from(recording):
    at_once = run(recording, scenario='fog_bank', policy='average')
    later = run(recording, inference_time=180.0, scenario='fog_bank', policy='average')
    damaged = {output.stamp_ns: output.damaged for output in at_once.outputs if output.fused}
    means = [output for output in later.outputs if output.fused]
    assert len(means) > 15
    assert [output.damaged for output in means] == [damaged[m.stamp_ns] for m in means]

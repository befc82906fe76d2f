"""Masks that are out some time after the decision, on the clock of the recording."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_bag import LABELS, BandEngine, write_small_bag

from crodino_core.errors import UsageError
from crodino_core.evaluation.inference_time import InferenceQueue, parse_inference_time
from crodino_core.evaluation.metrics import summarize
from crodino_core.evaluation.replay import replay
from crodino_core.evaluation.scenario import load_scenario
from crodino_core.modality import Modality
from crodino_core.runtime.segmenter import FailoverSegmenter
from crodino_core.runtime.selector import FailoverSelector
from crodino_ros.bags import BagRecording


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    return BagRecording(write_small_bag(tmp_path_factory.mktemp('bags') / 'walk', frames=40))


def run(recording, inference_time=None, scenario='camera_blackout', tick=1e-3, policy='prefer'):
    """Replay with a clock that ticks so many seconds at each look."""
    engines = {modality: BandEngine(modality, policy == 'average') for modality in Modality}
    bundle = SimpleNamespace(
        depth_range=(0.1, 10.0), labels=LABELS, quality=None, input_size=(48, 64)
    )
    ticks = itertools.count()
    return replay(
        recording,
        FailoverSegmenter(bundle, engines=engines, policy=policy),
        FailoverSelector(policy=policy),
        load_scenario(scenario) if scenario else None,
        labels=LABELS,
        inference_time=inference_time,
        clock=lambda: next(ticks) * tick,
    )


def queue(seconds):
    """Return a queue whose work takes so long, and what began when."""
    begun = []

    def begin(work, at):
        begun.append((work, at))
        return seconds

    return InferenceQueue(begin), begun


# The queue


def test_without_inference_time_work_begins_at_once():
    work, begun = queue(0.0)
    for now in (1.0, 1.0, 2.0):
        work.submit('mask', now)
    assert begun == [('mask', 1.0), ('mask', 1.0), ('mask', 2.0)]


def test_work_waits_while_the_network_is_busy():
    work, begun = queue(0.3)
    work.submit('a', 1.0)
    work.submit('b', 1.1)
    assert begun == [('a', 1.0)]
    work.advance(1.2)
    assert len(begun) == 1
    work.advance(5.0)
    assert begun[1] == ('b', pytest.approx(1.3))


def test_newer_work_replaces_what_waits():
    work, begun = queue(0.3)
    for number in range(5):
        work.submit(number, number * 0.1)
    work.finish()
    assert [each for each, _ in begun] == [0, 2, 4]
    assert work.dropped == 2


@given(st.lists(st.floats(0, 10), max_size=40), st.floats(0, 3))
def test_one_network_does_one_thing_at_a_time_and_forgets_nothing(times, seconds):
    work, begun = queue(seconds)
    for now in sorted(times):
        work.submit(now, now)
    work.finish()
    assert len(begun) + work.dropped == len(times)
    assert all(at >= submitted for submitted, at in begun)
    starts = [at for _, at in begun]
    assert all(b - a >= seconds - 1e-9 for a, b in itertools.pairwise(starts))
    assert not times or begun[-1][0] == max(times)


# The replay


def test_by_default_a_mask_is_out_when_it_is_decided(recording):
    result = run(recording)
    assert result.inference_time is None
    assert [output.time_s for output in result.outputs][:5] == result.expected_s[:5]


def test_a_given_inference_time_moves_every_mask_and_every_expected_one(recording):
    plain, moved = run(recording), run(recording, 20.0)
    for attribute in ('outputs', 'expected_s'):
        before, after = ([getattr(each, 'time_s', each) for each in getattr(r, attribute)]
                         for r in (plain, moved))  # fmt: skip
        assert after == pytest.approx([time + 0.02 for time in before])
    summary = summarize(moved)
    assert summary['masks_lost'] == summary['masks_dropped'] == 0
    assert summary['inference_time_ms'] == 20.0
    assert summary['latency_ms'] == {'p50': 20.0, 'p95': 20.0, 'p99': 20.0}


def test_a_given_inference_time_gives_the_same_figures_on_every_machine(recording):
    slow, fast = (summarize(run(recording, 20.0, tick=tick)) for tick in (1e-3, 5e-3))
    slow.pop('real_time_factor'), fast.pop('real_time_factor')
    assert slow == fast


def test_a_network_slower_than_the_camera_lowers_the_rate(recording):
    result = run(recording, 250.0, scenario=None)
    summary = summarize(result)
    assert summary['masks'] == summary['expected_masks'] == 17
    assert summary['masks_dropped'] == 23
    assert summary['masks_lost'] == summary['false_switches'] == 0
    stamps = [output.stamp_ns for output in result.outputs]
    assert stamps == sorted(set(stamps))
    assert summary['miou'] == pytest.approx(100.0)


def test_a_slow_network_lengthens_the_gap_of_a_failover(recording):
    gaps = [summarize(run(recording, ms))['max_gap_s'] for ms in (None, 90.0)]
    assert gaps[1] >= gaps[0]


def test_the_measured_time_is_that_of_the_clock(recording):
    summary = summarize(run(recording, 'measured', tick=5e-3))
    assert summary['inference_time_ms'] == 'measured'
    assert summary['latency_ms']['p50'] == pytest.approx(10.0)
    assert summary['masks_lost'] == 0


@pytest.mark.parametrize(('given', 'read'), [(None, None), ('measured', 'measured'), ('15', 15)])
def test_what_an_inference_time_may_be(given, read):
    assert parse_inference_time(given) == read


@pytest.mark.parametrize('given', ['soon', '-1', 'nan', 'inf', True, [15]])
def test_what_it_may_not_be(given):
    with pytest.raises(UsageError, match='milliseconds'):
        parse_inference_time(given)

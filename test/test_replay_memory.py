"""Frames and predictions that are kept between the replays of a plan."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from small_bag import LABELS, BandEngine, write_small_bag

from crodino_core.evaluation.metrics import summarize
from crodino_core.evaluation.recording import RecordedFrame
from crodino_core.evaluation.replay import replay
from crodino_core.evaluation.replay_memory import (
    KeptRecording,
    PredictionMemory,
    RememberingSegmenter,
)
from crodino_core.evaluation.scenario import load_scenario
from crodino_core.modality import Modality
from crodino_core.runtime.selector import FailoverSelector
from crodino_ros.bags import BagRecording

PLENTY = 1 << 30


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    return BagRecording(write_small_bag(tmp_path_factory.mktemp('bags') / 'walk', frames=30))


def figures(recording, engines, memory, scenario):
    """Replay and return the figures that do not depend on the machine."""
    bundle = SimpleNamespace(depth_range=(0.1, 10.0), labels=LABELS, quality=None)
    segmenter = RememberingSegmenter(bundle, engines=engines)
    segmenter.memory = memory
    result = replay(
        recording, segmenter, FailoverSelector(), load_scenario(scenario), labels=LABELS
    )
    changing = ('latency_ms', 'latency_at_switch_ms', 'real_time_factor')
    return {k: v for k, v in summarize(result).items() if k not in changing}


def test_a_recording_is_decoded_once(bag):
    reads = []

    class Counted:
        name, duration, labelled, warnings = bag.name, bag.duration, bag.labelled, []

        def __iter__(self):
            reads.append(1)
            return iter(bag)

    kept = KeptRecording(Counted(), PLENTY)
    first, second = list(kept), list(kept)
    assert len(reads) == 1
    assert all(a is b for a, b in zip(first, second, strict=True))
    assert kept.kept_bytes == 30 * (48 * 64 * (3 + 4 + 1))


def test_a_recording_that_does_not_fit_is_read_anew(bag):
    kept = KeptRecording(bag, 100_000)
    first, second = list(kept), list(kept)
    assert kept.kept_bytes == 0
    assert len(first) == len(second) == 90
    assert first[0] is not second[0]


def test_a_recording_that_was_given_up_is_not_taken_for_a_whole_one(bag):
    kept = KeptRecording(bag, PLENTY)
    for item in kept:
        if isinstance(item, RecordedFrame):
            break
    assert len(list(kept)) == 90


@pytest.mark.parametrize('scenario', ['double', 'fog_bank', 'flicker'])
def test_memory_changes_no_figure(bag, scenario):
    engines = {modality: BandEngine(modality) for modality in Modality}
    plain = figures(bag, engines, None, scenario)
    kept, memory = KeptRecording(bag, PLENTY), PredictionMemory(PLENTY)
    assert figures(kept, engines, memory, scenario) == plain
    assert figures(kept, engines, memory, scenario) == plain


def test_a_picture_is_segmented_once(bag):
    engines = {modality: BandEngine(modality) for modality in Modality}
    kept, memory = KeptRecording(bag, PLENTY), PredictionMemory(PLENTY)
    figures(kept, engines, memory, 'camera_blackout')
    before = [engine.served for engine in engines.values()]
    figures(kept, engines, memory, 'camera_blackout')
    assert [engine.served for engine in engines.values()] == before
    assert memory.hits >= 30


def test_predictions_stop_where_the_limit_is(bag):
    engines = {modality: BandEngine(modality) for modality in Modality}
    memory = PredictionMemory(500)
    figures(bag, engines, memory, 'camera_blackout')
    assert 500 <= memory.used_bytes < 5_000


def test_a_prediction_comes_back_as_it_was(bag):
    frame = next(item.frame for item in bag if isinstance(item, RecordedFrame))
    memory = PredictionMemory(PLENTY)
    assert memory.get(frame) is None
    given = BandEngine(frame.modality).infer(frame.image)
    memory.put(frame, given)
    found = memory.get(frame)
    np.testing.assert_array_equal(found.mask, given.mask)
    np.testing.assert_array_equal(found.confidence, given.confidence)

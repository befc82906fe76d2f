"""The replay of a small bag through the real selector, with engines that know the answer."""

import itertools
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from small_bag import LABELS, BandEngine, write_small_bag

from crodino_core.errors import CrodinoError
from crodino_core.evaluation.metrics import summarize
from crodino_core.evaluation.recording import (
    RecordedDamage,
    RecordedFrame,
    RecordedLabel,
    prefetch,
)
from crodino_core.evaluation.replay import replay
from crodino_core.evaluation.replay_setup import replay_with
from crodino_core.evaluation.report_words import truth_sentences
from crodino_core.evaluation.scenario import FaultSpan, Moment, Scenario, load_scenario
from crodino_core.modality import Modality
from crodino_core.runtime.arbiter import Arbiter
from crodino_core.runtime.engines import LoadedEngines
from crodino_core.runtime.segmenter import FailoverSegmenter
from crodino_core.runtime.selector import FailoverSelector
from crodino_ros.bags import BagRecording

RGB, DEPTH = Modality.RGB, Modality.DEPTH


def run(recording, scenario=None, sink=None, **options):
    """Replay with the stand-in engines and a clock that ticks a millisecond per look."""
    engines = {modality: BandEngine(modality) for modality in Modality}
    bundle = SimpleNamespace(depth_range=(0.1, 10.0), labels=LABELS, quality=None)
    segmenter = FailoverSegmenter(bundle, engines=engines, **options)
    ticks = itertools.count()
    return replay(
        recording,
        segmenter,
        FailoverSelector(**options),
        load_scenario(scenario) if isinstance(scenario, str) else scenario,
        labels=LABELS,
        sink=sink,
        clock=lambda: next(ticks) * 1e-3,
    )


def faults(*spans):
    return Scenario(
        'mine',
        'A test.',
        tuple(
            FaultSpan(
                sensor, kind, Moment(start), None if end is None else Moment(end), parameters
            )
            for sensor, kind, start, end, parameters in spans
        ),
    )


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp('bags') / 'paused'
    return BagRecording(write_small_bag(path, frames=40, pause_before=12))


def test_a_healthy_recording_is_served_from_colour_without_a_switch(recording):
    result = run(recording)
    summary = summarize(result)
    assert summary['frames'] == summary['frames_delivered'] == {'rgb': 40, 'depth': 40}
    assert summary['masks'] == summary['expected_masks'] == 40
    assert summary['masks_lost'] == summary['stale_masks'] == summary['false_switches'] == 0
    assert summary['failovers'] == summary['failures'] == summary['warnings'] == []
    assert summary['miou'] == pytest.approx(100.0)
    assert summary['miou_ci'] == summary['miou_by_phase'][0]['miou_ci'] == [100.0, 100.0]
    assert summary['wrong_modality_s'] == summary['away_s'] == 0
    assert [phase['frames'] for phase in summary['miou_by_phase']] == [40]
    assert {output.modality for output in result.outputs} == {RGB}
    assert summary['latency_ms']['p50'] == 2.0


@pytest.mark.parametrize(
    ('scenario', 'detected_as', 'stale'),
    [
        ('camera_blackout', 'late', 0),
        ('camera_frozen', 'frozen', 2),
        ('camera_black', 'invalid', 0),
    ],
)
def test_the_depth_sensor_steps_in_for_the_camera(recording, scenario, detected_as, stale):
    result = run(recording, scenario)
    summary = summarize(result)
    assert summary['masks_lost'] == summary['false_switches'] == 0
    assert summary['stale_masks'] == stale
    assert [(f['from'], f['to']) for f in summary['failovers']] == [
        ('rgb', 'depth'), ('depth', 'rgb')
    ]  # fmt: skip
    assert max(f['gap_s'] for f in summary['failovers']) <= 0.15
    assert summary['failures'][0]['detected_as'] == detected_as
    assert summary['time_to_recover_s'] == pytest.approx(0.2)
    served = [phase['served'] for phase in summary['miou_by_phase'] if phase['faults']]
    assert 'depth' in served
    # The invalid top row is the only thing the depth network gets wrong.
    by_depth = [p['miou'] for p in summary['miou_by_phase'] if p['served'] == 'depth']
    assert min(by_depth) > 95


@pytest.mark.parametrize('scenario', ['depth_blackout', 'depth_frozen'])
def test_a_failing_depth_sensor_changes_nothing_while_the_camera_serves(recording, scenario):
    summary = summarize(run(recording, scenario))
    assert summary['failovers'] == []
    assert summary['masks_lost'] == 0
    assert summary['undetected'] == 0
    assert summary['miou'] == pytest.approx(100.0)


@pytest.mark.parametrize(('scenario', 'failures'), [('double', 2), ('flicker', 4)])
def test_several_failures_in_one_run(recording, scenario, failures):
    summary = summarize(run(recording, scenario))
    assert len(summary['failures']) == failures
    assert summary['false_switches'] == 0
    assert all(failure['masks_lost'] <= 1 for failure in summary['failures'])


def test_the_other_preference_mirrors_everything(recording):
    summary = summarize(run(recording, 'depth_blackout', prefer=DEPTH))
    assert [(f['from'], f['to']) for f in summary['failovers']] == [
        ('depth', 'rgb'), ('rgb', 'depth')
    ]  # fmt: skip
    assert summary['masks_lost'] == summary['false_switches'] == 0


def test_a_fault_across_the_pause_is_no_false_switch(recording):
    summary = summarize(run(recording, faults((RGB, 'drop', 0.85, 3.05, {}))))
    assert summary['false_switches'] == 0
    assert summary['masks_lost'] <= 1
    assert len(summary['failovers']) == 2


def test_while_both_are_dead_masks_are_lost_and_counted(recording):
    both = faults((RGB, 'drop', 3.0, 4.0, {}), (DEPTH, 'drop', 3.0, 4.0, {}))
    summary = summarize(run(recording, both))
    assert summary['masks_lost'] == 10
    assert sum(failure['masks_lost'] for failure in summary['failures']) == 10
    assert summary['availability'] == pytest.approx(30 / 40)
    assert summary['max_gap_s'] == pytest.approx(1.1, abs=0.01)


def test_void_masks_fill_the_gap_but_are_no_masks(recording):
    both = faults((RGB, 'black', 3.0, 4.0, {}), (DEPTH, 'black', 3.0, 4.0, {}))
    result = run(recording, both, when_none='void')
    summary = summarize(result)
    assert summary['void_masks'] > 5
    assert summary['masks_lost'] >= 9
    assert 'void' in [phase['served'] for phase in summary['miou_by_phase']]


def test_two_runs_give_the_same_records(recording):
    first, second = (summarize(run(recording, 'flicker')) for _ in range(2))
    assert first == second


def test_the_sink_gets_every_mask_on_the_clock_of_the_recording(recording):
    got = []
    result = run(recording, 'camera_blackout', sink=lambda made, now: got.append((made, now)))
    assert len(got) == len(result.outputs)
    assert [made.stamp_ns for made, _ in got] == [output.stamp_ns for output in result.outputs]
    assert [now for _, now in got] == pytest.approx([o.time_s for o in result.outputs])


def test_pictures_are_kept_around_the_failure_and_switches(recording):
    result = run(recording, 'camera_blackout')
    around = [picture for picture in result.pictures if picture.failure == 0]
    assert 4 <= len(around) <= 12
    served = {picture.modality for picture in around}
    assert served == {RGB, DEPTH}
    blind = [p for p in around if p.modality is DEPTH and 3.6 < p.time_s < 4.3]
    assert blind
    assert all(picture.rgb is None for picture in blind)
    for picture in around:
        assert picture.mask.shape == picture.depth.shape == picture.label.shape
        assert picture.miou > 95
        assert picture.caption
    times = [picture.time_s for picture in around]
    assert len(set(times)) == len(times)


def test_a_bag_without_labels_has_no_miou(tmp_path):
    bag = write_small_bag(tmp_path / 'bag', frames=8, labels=False)
    summary = summarize(run(BagRecording(bag)))
    assert summary['masks'] == 8
    assert summary['miou'] is None
    assert summary['miou_by_phase'][0]['miou'] is None
    assert summary['labels'] == 0


def test_frames_that_change_their_size_are_said_and_served(tmp_path):
    bag = write_small_bag(tmp_path / 'bag', frames=12, resize_from=6)
    masks = []
    result = run(BagRecording(bag), sink=lambda made, now: masks.append(made.mask.shape))
    summary = summarize(result)
    assert masks == [(48, 64)] * 6 + [(96, 128)] * 6
    assert summary['masks_lost'] == 0
    assert any(
        'rgb frames change their size at 0.60 s, from 64x48 to 128x96' in w
        for w in summary['warnings']
    )


def test_a_size_that_comes_back_is_said_once(tmp_path):
    recording = BagRecording(write_small_bag(tmp_path / 'bag', frames=12, resize_from=6))
    items = [item for item in recording if isinstance(item, RecordedFrame)]
    small, large = items[:12], items[12:]
    mixed = [item for pair in zip(small, large, strict=True) for item in pair]

    class Mixed:
        name, duration, labelled, warnings = 'mixed', recording.duration, False, ()

        def __iter__(self):
            for index, item in enumerate(mixed):
                frame = replace(item.frame, arrival=index * 0.05, stamp_ns=index * 50_000_000)
                yield RecordedFrame(frame)

    told = [w for w in summarize(run(Mixed()))['warnings'] if 'change their size' in w]
    assert len(told) == len(Modality)


def test_a_recording_that_gives_no_mask_says_what_the_sensors_were(recording):
    dead = [(m, 'drop', 0.0, None, {}) for m in Modality]
    summary = summarize(run(recording, faults(*dead)))
    assert summary['masks'] == 0
    assert any('no mask was made: at the end, rgb not_received' in w for w in summary['warnings'])


def test_labels_without_a_known_class_are_not_taken_for_missing_ones(recording):
    class Unknown:
        name, duration, labelled, warnings = 'unknown', recording.duration, True, ()

        def __iter__(self):
            for item in recording:
                known = not isinstance(item, RecordedLabel)
                yield item if known else replace(item, label=np.full_like(item.label, 200))

    (told,) = truth_sentences(run(Unknown()))
    assert 'none of the classes' in told


def test_a_fault_after_the_end_is_said(recording):
    summary = summarize(run(recording, faults((RGB, 'drop', 60.0, None, {}))))
    assert any('touches no frame' in warning for warning in summary['warnings'])
    assert summary['undetected'] == 0


def test_an_undecodable_message_is_a_failure_of_its_sensor(recording):
    class Torn:
        name, duration, labelled, warnings = 'torn', recording.duration, True, ()

        def __iter__(self):
            for item in recording:
                torn = isinstance(item, RecordedFrame) and item.frame.modality is RGB
                if torn and 3.0 < item.arrival < 3.45:
                    yield RecordedDamage(RGB, item.arrival, 'torn')
                else:
                    yield item

    torn = Torn()
    torn.warnings = []
    summary = summarize(run(torn))
    assert summary['undecodable'] == {'rgb': 4, 'depth': 0}
    assert summary['masks_lost'] == 0
    assert [f['to'] for f in summary['failovers']] == ['depth', 'rgb']


def test_depth_of_a_landscape_is_served_by_a_bundle_that_looks_so_far(recording):
    class Landscape:
        name, duration, labelled, warnings = 'landscape', recording.duration, False, ()

        def __iter__(self):
            for item in recording:
                is_depth = isinstance(item, RecordedFrame) and item.frame.modality is DEPTH
                if is_depth:
                    far = replace(item.frame, image=item.frame.image * 100)  # 100 to 400 m
                    item = replace(item, frame=far)
                yield item

    loaded = LoadedEngines({m: BandEngine(m) for m in Modality}, 'bands')
    for farthest, served in ((10.0, RGB), (1250.0, DEPTH)):
        bundle = SimpleNamespace(
            name='b', depth_range=(1.0, farthest), labels=LABELS, quality=None
        )
        result = replay_with(Landscape(), bundle, loaded, Arbiter(prefer=DEPTH))
        assert {output.modality for output in result.outputs} == {served}


def test_progress_is_told(recording):
    told = []
    engines = {modality: BandEngine(modality) for modality in Modality}
    bundle = SimpleNamespace(depth_range=(0.1, 10.0), quality=None)
    segmenter = FailoverSegmenter(bundle, engines=engines)
    replay(recording, segmenter, FailoverSelector(), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(recording.duration, abs=0.01)


@pytest.mark.parametrize('read_ahead', [True, False])
def test_a_recording_is_read_in_another_thread_only_where_that_is_asked(recording, read_ahead):
    readers = set()

    class Watched(BagRecording):
        def __iter__(self):
            for item in super().__iter__():
                readers.add(threading.current_thread() is threading.main_thread())
                yield item

    engines = {modality: BandEngine(modality) for modality in Modality}
    bundle = SimpleNamespace(depth_range=(0.1, 10.0), quality=None)
    segmenter = FailoverSegmenter(bundle, engines=engines)
    watched = Watched(recording.path)
    assert replay(watched, segmenter, FailoverSelector(), read_ahead=read_ahead).outputs
    assert readers == {not read_ahead}


@pytest.mark.parametrize('read_ahead', [True, False])
def test_a_recording_is_closed_when_a_network_fails(recording, read_ahead):
    closed = []

    class Watched(BagRecording):
        def __iter__(self):
            try:
                yield from super().__iter__()
            finally:
                closed.append(True)

    class Torn(BandEngine):
        def infer(self, image):
            raise CrodinoError('torn')

    bundle = SimpleNamespace(depth_range=(0.1, 10.0), quality=None)
    segmenter = FailoverSegmenter(bundle, engines={m: Torn(m) for m in Modality})
    watched = Watched(recording.path)
    with pytest.raises(CrodinoError, match='torn') as failure:  # which holds all frames
        replay(watched, segmenter, FailoverSelector(), read_ahead=read_ahead)
    assert closed == [True], failure


def test_prefetch_keeps_order_and_hands_on_errors():
    assert list(prefetch(range(100), ahead=3)) == list(range(100))

    def broken():
        yield 1
        raise CrodinoError('torn')

    items = prefetch(broken())
    assert next(items) == 1
    with pytest.raises(CrodinoError, match='torn'):
        next(items)


def test_prefetch_that_is_given_up_ends_its_thread():
    items = prefetch(itertools.count(), ahead=2)
    assert next(items) == 0
    items.close()
    assert not [thread for thread in threading.enumerate() if thread.name == 'prefetch']


def test_prefetch_reads_no_further_ahead_than_it_may():
    read = []

    def source():
        for number in range(50):
            read.append(number)
            yield number

    for number in prefetch(source(), ahead=4):
        # In the queue, in the hand of the thread, and the one just given out.
        assert len(read) <= number + 4 + 2


def test_records_stay_small(recording):
    result = run(recording, 'flicker')
    pixels = sum(
        array.nbytes
        for picture in result.pictures
        for array in (picture.rgb, picture.depth, picture.mask, picture.label)
        if array is not None
    )
    assert len(result.pictures) <= 96
    assert pixels <= len(result.pictures) * 9 * np.prod((48, 64))

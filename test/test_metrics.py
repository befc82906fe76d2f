"""The figures of a replay, from records written by hand."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crodino_core.evaluation.metrics import complete, summarize
from crodino_core.evaluation.records import (
    Failure,
    OutputRecord,
    Phase,
    ReplayResult,
    StateChange,
)
from crodino_core.evaluation.scoring import LabelPairing
from crodino_core.evaluation.timing import lost_masks
from crodino_core.iou import confusion_matrix, iou_by_class, miou_of
from crodino_core.modality import Modality

RGB, DEPTH = Modality.RGB, Modality.DEPTH
TENTHS = [round(index / 10, 1) for index in range(20)]


def output(time_s, modality=RGB, **fields):
    content = {'stamp_ns': 0, 'fused': False, 'stale': False, 'latency_ms': 10.0}
    content |= {'phase': 0, 'cause': ''}
    return OutputRecord(time_s=time_s, modality=modality, **{**content, **fields})


def result(served, expected=TENTHS, failures=(), changes=(), arrivals=None):
    made = ReplayResult('bag', 2.0, None, '')
    made.outputs = [output(*entry) if isinstance(entry, tuple) else entry for entry in served]
    made.expected_s = list(expected)
    made.failures = list(failures)
    made.state_changes = [StateChange(*change) for change in changes]
    made.arrivals_s = arrivals or {RGB: list(TENTHS), DEPTH: [time + 0.003 for time in TENTHS]}
    complete(made)
    return made


def camera_cut(**fields):
    """Return a failure of the camera that hits the frames at 0.5 to 0.9 s."""
    times = {'frames': 5, 'onset_s': 0.5, 'cleared_s': 1.0}
    return Failure(RGB, **{'kind': 'drop', 'start_s': 0.45, 'end_s': 0.95, **times, **fields})


CUT_CHANGES = [
    (0.0, RGB, 'ok', ''),
    (0.545, RGB, 'late', 'overdue'),
    (0.9, RGB, 'lost', 'silent'),
    (1.0, RGB, 'recovering', ''),
    (1.2, RGB, 'ok', ''),
]
CUT_SERVED = [
    *[(time, RGB) for time in TENTHS[:5]],
    (0.545, DEPTH, ),
    *[(time + 0.003, DEPTH) for time in TENTHS[6:12]],
    *[(time, RGB) for time in TENTHS[12:]],
]  # fmt: skip


# Lost masks


def test_nothing_is_lost_when_everything_came():
    assert lost_masks(TENTHS, TENTHS, 0.1) == []
    assert lost_masks([], TENTHS, 0.1) == []
    assert lost_masks(TENTHS, [], 0.1) == TENTHS


def test_a_late_replacement_within_a_period_is_no_loss():
    produced = [0.0, 0.1, 0.2, 0.345, 0.403, 0.503]
    assert lost_masks([0.0, 0.1, 0.2, 0.3, 0.4, 0.5], produced, 0.1) == []


def test_a_loss_is_reported_where_it_happened():
    produced = [time for time in TENTHS if time != 0.7]
    assert lost_masks(TENTHS, produced, 0.11) == [0.7]


def test_a_mask_replaces_one_expected_mask_only():
    assert lost_masks([0.0, 0.1, 0.2], [0.0, 0.15], 0.1) in ([0.1], [0.2])
    assert lost_masks([0.0, 0.1], [0.0, 0.001, 0.002], 0.05) == [0.1]


def test_a_mask_more_than_a_period_late_is_no_replacement():
    assert lost_masks([0.0, 0.5], [0.0, 0.61], 0.1) == [0.5]


def test_the_order_is_kept_even_where_the_nearest_would_break_it():
    assert lost_masks([0.0, 1.0], [0.6, 1.4], 1.0) == []


@given(
    st.lists(st.integers(0, 60), max_size=8),
    st.lists(st.integers(0, 60), max_size=8),
    st.integers(0, 12),
)
def test_no_assignment_loses_fewer(expected, produced, tolerance):
    expected, produced = sorted(expected), sorted(produced)

    def fewest(e, p):
        """Return the fewest losses by trying everything."""
        if not e:
            return 0
        if not p:
            return len(e)
        best = min(fewest(e[1:], p) + 1, fewest(e, p[1:]))
        if abs(e[0] - p[0]) <= tolerance:
            best = min(best, fewest(e[1:], p[1:]))
        return best

    lost = lost_masks(expected, produced, tolerance)
    assert len(lost) == fewest(expected, produced)
    assert lost == sorted(lost)


def test_many_masks_are_matched_in_a_moment():
    times = [index * 0.1 for index in range(20_000)]
    assert lost_masks(times, times[5:], 0.1) == pytest.approx(times[:5], abs=0.11)


# Detection, recovery, switches


def test_a_survived_camera_cut():
    summary = summarize(result(CUT_SERVED, failures=[camera_cut()], changes=CUT_CHANGES))
    assert (summary['masks'], summary['expected_masks']) == (20, 20)
    assert summary['availability'] == 1.0
    assert summary['masks_lost'] == 0
    assert summary['max_gap_s'] == pytest.approx(0.145)
    assert summary['false_switches'] == 0
    away, back = summary['failovers']
    assert (away['from'], away['to'], away['at_s']) == ('rgb', 'depth', 0.545)
    assert away['gap_s'] == pytest.approx(0.145)
    assert away['explained_by'] == back['explained_by'] == 'injected fault: rgb drop'
    (failure,) = summary['failures']
    assert failure['detected_as'] == 'late'
    assert summary['time_to_detect_s'] == failure['time_to_detect_s'] == pytest.approx(0.045)
    assert summary['time_to_recover_s'] == failure['time_to_recover_s'] == pytest.approx(0.2)
    assert summary['undetected'] == 0
    json.dumps(summary, allow_nan=False)


def test_lost_and_stale_masks_are_counted_with_their_failure():
    served = [entry for entry in CUT_SERVED if entry[0] not in (0.545, 1.7)]
    served[5] = output(served[5][0], DEPTH, stale=True)
    made = result(served, failures=[camera_cut()], changes=CUT_CHANGES)
    summary = summarize(made)
    assert summary['masks_lost'] == 2
    assert summary['failures'][0]['masks_lost'] == 1
    assert summary['stale_masks'] == summary['failures'][0]['stale_masks'] == 1
    assert summary['availability'] == pytest.approx(18 / 20)


def test_a_failure_that_nobody_noticed():
    served = [(time, RGB) for time in TENTHS]
    failures = [camera_cut()]
    summary = summarize(result(served, failures=failures, changes=[(0.0, RGB, 'ok', '')]))
    assert summary['undetected'] == 1
    assert summary['time_to_detect_s'] is None
    assert summary['failures'][0]['time_to_recover_s'] == 0.0


def test_a_state_after_the_failure_is_no_detection_of_it():
    changes = [(0.0, RGB, 'ok', ''), (1.5, RGB, 'late', '')]
    summary = summarize(result([], failures=[camera_cut()], changes=changes))
    assert summary['failures'][0]['detected_as'] is None


def test_a_sensor_that_had_failed_before_is_detected_at_once():
    changes = [(0.0, RGB, 'ok', ''), (0.3, RGB, 'lost', ''), (1.2, RGB, 'ok', '')]
    summary = summarize(result([], failures=[camera_cut()], changes=changes))
    assert summary['time_to_detect_s'] == 0.0


PAUSED = [time for time in TENTHS if not 0.7 <= time <= 1.5]
"""Arrivals of a recording that pauses from 0.6 to 1.6 s."""


def in_fog(changes, **times):
    failure = camera_cut(kind='fog', cleared_s=1.8, **times)
    changes = [(0.0, RGB, 'ok', ''), *changes]
    return summarize(result([], failures=[failure], changes=changes, arrivals=both(PAUSED)))


def both(arrivals):
    return {modality: list(arrivals) for modality in Modality}


def test_a_pause_of_the_recording_is_no_detection():
    silent = [(0.745, RGB, 'late', ''), (1.1, RGB, 'lost', ''), (1.6, RGB, 'recovering', '')]
    assert in_fog(silent)['failures'][0]['detected_as'] is None
    found = in_fog([*silent, (1.7, RGB, 'invalid', '')])
    assert (found['failures'][0]['detected_as'], found['time_to_detect_s']) == ('invalid', 1.2)


def test_a_dropout_into_a_pause_is_detected_when_it_is_noticed():
    assert in_fog([(0.645, RGB, 'late', '')], onset_s=0.6)['time_to_detect_s'] == 0.045
    # In the pause nothing could be missed; after it the sensor is still away.
    found = in_fog([(0.745, RGB, 'late', '')], onset_s=0.65)
    assert found['time_to_detect_s'] == pytest.approx(0.95)


def test_a_failure_until_the_end_has_no_recovery():
    failure = camera_cut(cleared_s=None)
    summary = summarize(result([], failures=[failure], changes=CUT_CHANGES[:3]))
    assert summary['time_to_recover_s'] is None
    assert summary['failures'][0]['masks_lost'] == 15


def test_a_switch_without_any_reason_is_false_and_so_is_the_way_back():
    served = [(t, DEPTH if 0.5 <= t < 0.8 else RGB) for t in TENTHS]
    summary = summarize(result(served))
    assert len(summary['failovers']) == 2
    assert summary['false_switches'] == 2


def test_a_fault_of_one_sensor_does_not_excuse_a_switch_away_from_the_other():
    served = [(t, RGB if t < 0.7 else DEPTH) for t in TENTHS]
    depth_failure = Failure(DEPTH, 'drop', 0.45, 0.95, 5, 0.5, 0.9, 1.0)
    changes = [(0.0, DEPTH, 'ok', ''), (0.55, DEPTH, 'late', ''), (1.2, DEPTH, 'ok', '')]
    # Away from a healthy camera to the broken depth sensor: no reason for that.
    made = result(served, failures=[depth_failure], changes=changes)
    assert [f.explained_by for f in made.failovers] != [None]
    early = [(t, RGB if t < 0.4 else DEPTH) for t in TENTHS]
    assert summarize(result(early, failures=[depth_failure]))['false_switches'] == 1


def test_a_switch_long_after_the_recovery_is_false():
    served = [*CUT_SERVED[:-3], (1.7, DEPTH), (1.8, DEPTH), (1.9, DEPTH)]
    summary = summarize(result(served, failures=[camera_cut()], changes=CUT_CHANGES))
    assert summary['false_switches'] == 1


def test_a_frame_missing_in_the_recording_explains_a_switch():
    arrivals = {RGB: [t for t in TENTHS if t not in (0.5, 0.6)], DEPTH: TENTHS}
    served = [(t, DEPTH if t in (0.5, 0.6) else RGB) for t in TENTHS]
    made = result(served, arrivals=arrivals)
    assert [f.explained_by for f in made.failovers] == [
        'the recording itself lacks rgb for 0.30 s'
    ] * 2


def test_a_pause_of_both_sensors_explains_no_switch():
    times = [t if t < 0.5 else t + 1.0 for t in TENTHS]
    arrivals = {RGB: times, DEPTH: [t + 0.003 for t in times]}
    served = [(t, DEPTH if t == 1.5 else RGB) for t in times]
    made = result(served, expected=times, arrivals=arrivals)
    assert summarize(made)['false_switches'] == 2
    quiet = summarize(result([(t, RGB) for t in times], expected=times, arrivals=arrivals))
    assert (quiet['masks_lost'], quiet['false_switches'], quiet['failovers']) == (0, 0, [])
    assert quiet['max_gap_s'] == quiet['max_gap_expected_s'] == pytest.approx(1.1)


def test_jitter_in_the_recording_explains_no_switch():
    arrivals = {RGB: [t + 0.04 * (t == 0.5) for t in TENTHS], DEPTH: TENTHS}
    served = [(t, DEPTH if t == 0.5 else RGB) for t in TENTHS]
    assert summarize(result(served, arrivals=arrivals))['false_switches'] == 2


def test_void_masks_are_no_masks():
    served = [(t, None if 0.5 <= t < 0.8 else RGB) for t in TENTHS]
    summary = summarize(result(served))
    assert (summary['masks'], summary['void_masks']) == (17, 3)
    assert summary['masks_lost'] == 3
    assert summary['failovers'] == []


def test_the_gap_counts_when_masks_end_too_early():
    summary = summarize(result([(t, RGB) for t in TENTHS[:5]]))
    assert summary['max_gap_s'] == pytest.approx(1.5)


def test_the_gap_counts_when_masks_begin_too_late():
    summary = summarize(result([(t, RGB) for t in TENTHS[12:]]))
    assert summary['max_gap_s'] == pytest.approx(1.2)
    assert summary['max_gap_expected_s'] == pytest.approx(0.1)


def test_an_empty_replay_has_figures_too():
    made = ReplayResult('bag', 0.0, None, '')
    complete(made)
    summary = summarize(made)
    assert summary['availability'] is None
    assert summary['miou'] is None
    assert summary['latency_ms'] == {'p50': None, 'p95': None, 'p99': None}
    json.dumps(summary, allow_nan=False)


def test_latency_percentiles():
    served = [output(i * 0.1, latency_ms=float(i)) for i in range(101)]
    summary = summarize(result(served, expected=[o.time_s for o in served]))
    assert summary['latency_ms'] == {'p50': 50.0, 'p95': 95.0, 'p99': 99.0}


# mIoU


def test_confusion_counts_only_labelled_pixels_and_keeps_unlabelled_answers():
    label = np.array([[0, 0, 1, 255, 7]], np.uint8)
    mask = np.array([[0, 1, 1, 0, 0]], np.uint8)
    np.testing.assert_array_equal(confusion_matrix(label, mask, 2), [[1, 1, 0], [0, 1, 0]])
    void = np.full((1, 5), 255, np.uint8)
    np.testing.assert_array_equal(confusion_matrix(label, void, 2), [[0, 0, 2], [0, 0, 1]])


def test_miou_is_the_mean_over_the_classes_that_occur():
    confusion = np.array([[6, 2, 0, 0], [0, 4, 0, 0], [0, 0, 0, 0]])
    iou = iou_by_class(confusion)
    assert iou[:2] == pytest.approx([75.0, 400 / 6])
    assert math.isnan(iou[2])
    assert miou_of(confusion) == pytest.approx((75 + 400 / 6) / 2)


def test_a_predicted_class_that_is_not_there_counts_as_zero():
    assert miou_of(np.array([[3, 1, 0], [0, 0, 0]])) == pytest.approx(75 / 2)


def test_a_void_answer_costs_its_class():
    assert miou_of(np.array([[1, 0, 1], [0, 2, 0]])) == pytest.approx(75.0)
    assert miou_of(np.zeros((2, 3), int)) is None


def test_phases_add_up_to_the_whole():
    made = ReplayResult('bag', 2.0, None, '')
    first = np.array([[8, 0, 0], [2, 0, 0]])
    second = np.array([[0, 0, 0], [0, 10, 0]])
    made.phases = [
        Phase(0.0, 1.0, RGB, (), 5, 4, first),
        Phase(1.1, 1.9, DEPTH, ('rgb drop',), 5, 5, second),
        Phase(1.9, 2.0, None, (), 1, 0),
    ]
    complete(made)
    summary = summarize(made)
    assert [phase['miou'] for phase in summary['miou_by_phase']] == [40.0, 100.0, None]
    assert [phase['served'] for phase in summary['miou_by_phase']] == ['rgb', 'depth', 'void']
    assert summary['miou_by_phase'][1]['faults'] == ['rgb drop']
    assert summary['miou_by_modality'] == {'rgb': 40.0, 'depth': 100.0, 'fused': None}
    assert summary['miou'] == pytest.approx((80 + 1000 / 12) / 2, abs=0.01)


def test_means_of_both_sensors_are_nobody_s_own_masks():
    made = ReplayResult('bag', 2.0, None, '')
    alone, both = np.array([[8, 0, 0], [2, 0, 0]]), np.array([[10, 0, 0], [0, 10, 0]])
    made.phases = [
        Phase(0.0, 1.0, RGB, (), 5, 4, alone + both, fused=3, fused_confusion=both),
        Phase(1.1, 1.9, DEPTH, (), 5, 5, both, fused=5, fused_confusion=both),
    ]
    complete(made)
    summary = summarize(made)
    assert summary['miou_by_modality'] == {'rgb': 40.0, 'depth': None, 'fused': 100.0}
    assert [phase['fused'] for phase in summary['miou_by_phase']] == [3, 5]


# Masks and labels


def pair(order):
    """Return which label each mask met; `order` is a list of ('label' | 'mask', stamp in ms)."""
    pairing, met = LabelPairing(), {}
    for kind, at in order:
        stamp, image = at * 1_000_000, np.full((2, 2), at % 251, np.uint8)
        if kind == 'label':
            pairing.add_label(stamp, image)
        else:
            done = lambda label, mask, at=at: met.__setitem__(at, int(label[0, 0]))  # noqa: E731
            pairing.add_mask(stamp, image, done)
    pairing.finish()
    return met


def test_a_mask_meets_the_label_of_its_instant_though_that_comes_later():
    order = [
        ('mask', 0),
        ('label', 0),
        ('mask', 103),
        ('label', 100),
        ('mask', 203),
        ('label', 200),
    ]
    assert pair(order) == {0: 0, 103: 100, 203: 200}


def test_a_mask_farther_than_half_a_period_from_any_label_meets_none():
    labels = [('label', at) for at in (0, 100, 200)]
    order = sorted([*labels, ('mask', 40), ('mask', 160), ('mask', 280)], key=lambda e: e[1])
    assert pair(order) == {40: 0, 160: 200}


def test_with_sparse_labels_only_the_masks_of_their_instants_are_scored():
    masks = [('mask', at) for at in range(0, 2001, 100)]
    order = sorted([*masks, ('label', 0), ('label', 1000), ('label', 2000)], key=lambda e: e[1])
    assert pair(order) == {0: 0, 1000: 1000 % 251, 2000: 2000 % 251}


def test_masks_do_not_wait_forever():
    order = [('label', 0), *[('mask', 1000 + at) for at in range(100)]]
    assert pair(order) == {}


def test_a_mask_of_another_size_is_stretched_to_the_label():
    pairing, met = LabelPairing(), []
    pairing.add_label(0, np.zeros((4, 6), np.uint8))
    pairing.add_mask(0, np.ones((2, 3), np.uint8), lambda label, mask: met.append(mask))
    assert met[0].shape == (4, 6)

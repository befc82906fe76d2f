"""What the faults of time do to a stream, alone and within an injection."""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
import streams  # noqa: F401  (reproducible hypothesis profile)
from hypothesis import assume, given, settings
from small_bag import color_of

from crodino_core.evaluation.delay_line import DelayLine
from crodino_core.evaluation.faults import FAULTS
from crodino_core.evaluation.injection import Injection
from crodino_core.evaluation.live_injection import LiveInjection
from crodino_core.evaluation.recording import RecordedDamage, RecordedFrame, RecordedLabel
from crodino_core.evaluation.scenario import (
    FaultSpan,
    Moment,
    Scenario,
    contradiction,
    load_scenario,
)
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame

RGB, DEPTH = Modality.RGB, Modality.DEPTH
PERIOD = 0.1
PICTURES = [color_of(index, (6, 8)) for index in range(40)]


def frame(index, modality=RGB, offset=0.0):
    image = PICTURES[index % 40]
    if modality is DEPTH:
        image = image[..., 0].astype(np.float32) / 100
    arrival = 100 + index * PERIOD + offset
    return Frame(modality, image, round(arrival * 1e9), arrival, 'optical')


def start(kind, previous=None, **parameters):
    return FAULTS[kind].start(previous, parameters)


def passing(kind, count=100, **parameters):
    push = start(kind, **parameters)
    return [out for index in range(count) for out in push(frame(index))]


def shown(outs):
    """Index of the picture of each frame (pictures repeat after 40)."""
    return [next(i for i in range(40) if np.array_equal(PICTURES[i], o.image)) for o in outs]


def recorded(count, sensors=(RGB, DEPTH)):
    return [
        RecordedFrame(frame(index, sensor, 0.0 if sensor is RGB else 0.003))
        for index in range(count)
        for sensor in sensors
    ]


def scenario(*faults):
    return Scenario(
        'mine',
        '',
        tuple(
            FaultSpan(sensor, kind, Moment(begin), None if end is None else Moment(end), given)
            for sensor, kind, begin, end, given in faults
        ),
    )


def indices(items, sensor=RGB):
    """Index in the recording of each frame that comes out, by its stamp."""
    frames = [i.frame for i in items if isinstance(i, RecordedFrame)]
    stamps = [f.stamp_ns for f in frames if f.modality is sensor]
    return [round((stamp / 1e9 - 100) / PERIOD) for stamp in stamps]


def test_drop_lets_nothing_through():
    assert passing('drop') == []


@pytest.mark.parametrize('severity', range(1, 6))
def test_a_slighter_drop_takes_a_part_of_every_second(severity):
    kept = passing('drop', severity=severity)
    assert len(kept) == pytest.approx(100 * (1 - 0.2 * severity), abs=10)
    lost = set(range(100)) - {round((f.arrival - 100) / PERIOD) for f in kept}
    assert lost >= {0, 10, 20, 90}


def test_freeze_repeats_the_last_good_picture_with_new_stamps():
    push = start('freeze', frame(0))
    outs = [out for index in range(1, 30) for out in push(frame(index))]
    assert shown(outs) == [0] * 29
    assert [o.stamp_ns for o in outs] == [frame(i).stamp_ns for i in range(1, 30)]
    assert outs[4].arrival == frame(5).arrival


def test_freeze_can_repeat_the_stamp_too():
    push = start('freeze', frame(4), advance_stamps=False)
    assert [push(frame(i))[0].stamp_ns for i in (5, 6)] == [frame(4).stamp_ns] * 2


def test_freeze_from_the_very_first_frame_repeats_that_one():
    assert shown(passing('freeze', 5)) == [0] * 5


def test_a_slighter_freeze_takes_a_new_picture_now_and_then():
    push = start('freeze', frame(0), severity=2)
    outs = [out for index in range(1, 12) for out in push(frame(index))]
    assert shown(outs) == [0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8]


@pytest.mark.parametrize('severity', range(1, 6))
def test_intermittent_loss_comes_near_its_probability(severity):
    lost = 400 - len(passing('intermittent', 400, severity=severity, seed=1))
    assert lost / 400 == pytest.approx(FAULTS['intermittent'].levels[severity - 1], abs=0.07)


def test_a_lower_rate_keeps_every_nth_frame():
    assert indices(map(RecordedFrame, passing('rate_drop', 14, severity=3))) == [0, 4, 8, 12]


def test_a_delay_moves_arrivals_and_not_stamps():
    (out,) = start('delay', delay_s=0.25)(frame(3))
    assert out.arrival == pytest.approx(frame(3).arrival + 0.25)
    assert out.stamp_ns == frame(3).stamp_ns


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(0, 1000))
def test_jitter_delays_up_to_its_bound_and_keeps_the_order(severity, seed):
    outs = passing('jitter', 50, severity=severity, seed=seed)
    arrivals = [out.arrival for out in outs]
    assert arrivals == sorted(arrivals)
    bound = FAULTS['jitter'].levels[severity - 1]
    assert all(0 <= out.arrival - frame(index).arrival <= bound for index, out in enumerate(outs))


@pytest.mark.parametrize(
    ('kind', 'parameters', 'seconds'),
    [
        ('stamp_shift', {}, -0.05),
        ('stamp_shift', {'offset_s': 0.3}, 0.3),
        ('stamp_future', {'severity': 5}, 86400),
    ],
)
def test_stamps_are_shifted_by_a_constant(kind, parameters, seconds):
    (out,) = start(kind, **parameters)(frame(3))
    assert out.stamp_ns - frame(3).stamp_ns == round(seconds * 1e9)
    assert out.arrival == frame(3).arrival


def test_stamps_can_be_zero_and_never_fall_below():
    assert [out.stamp_ns for out in passing('stamp_zero', 5)] == [0] * 5
    (out,) = start('stamp_shift', offset_s=-1e6)(frame(0))
    assert out.stamp_ns == 0
    some = [out.stamp_ns == 0 for out in passing('stamp_zero', 200, severity=2)]
    assert 0.3 < np.mean(some) < 0.5


def test_delayed_frames_come_out_in_their_turn_among_the_others():
    delayed = scenario((RGB, 'delay', 0.25, None, {'delay_s': 0.15}))
    items = list(Injection(recorded(10), delayed, 1.0))
    arrivals = [item.arrival for item in items]
    assert arrivals == sorted(arrivals)
    assert len(arrivals) == 20
    assert indices(items) == list(range(10))
    late = [i for i in items if i.frame.modality is RGB and round(i.frame.stamp_ns / 1e8) >= 1003]
    assert all(i.arrival == pytest.approx(i.frame.stamp_ns / 1e9 + 0.15) for i in late)


def test_what_a_delay_still_holds_arrives_at_once_when_it_ends():
    delayed = scenario((RGB, 'delay', 0.25, 0.65, {'delay_s': 0.35}))
    items = [i for i in Injection(recorded(10), delayed, 1.0) if i.frame.modality is RGB]
    assert indices(items) == list(range(10))
    arrivals = [round(item.arrival - 100, 3) for item in items]
    assert arrivals == [0, 0.1, 0.2, 0.65, 0.7, 0.7, 0.7, 0.7, 0.8, 0.9]


def test_a_damaged_frame_that_a_delay_held_is_still_known_as_damaged():
    both = scenario((RGB, 'black', 0.25, None, {}), (RGB, 'delay', 0.25, 0.65, {'delay_s': 0.35}))
    injection = Injection(recorded(10, (RGB,)), both, 1.0)
    black = {i.frame.stamp_ns: i.frame in injection.damaged for i in injection}
    assert [black[frame(index).stamp_ns] for index in range(10)] == [False] * 3 + [True] * 7


def test_frames_out_of_order_are_overtaken_and_none_is_lost():
    swapped = scenario((RGB, 'out_of_order', 0.0, None, {'severity': 5}))
    items = list(Injection(recorded(40), swapped, 4.0))
    order = indices(items)
    assert sorted(order) == list(range(40))
    assert order != sorted(order)
    assert max(index - place for place, index in enumerate(order)) <= 4
    assert indices(items, DEPTH) == list(range(40))
    arrivals = [item.arrival for item in items]
    assert arrivals == sorted(arrivals)


def test_labels_keep_their_place_between_delayed_frames():
    label = RecordedLabel(1, 100.25, PICTURES[0][..., 0])
    items = [*recorded(3, (RGB,)), label, RecordedFrame(frame(3))]
    delayed = scenario((RGB, 'delay', 0.15, None, {'delay_s': 0.02}))
    got = list(Injection(items, delayed, 1.0))
    assert [type(item) for item in got[2:4]] == [RecordedFrame, RecordedLabel]


TIMING = sorted(kind for kind, fault in FAULTS.items() if fault.decides is not None)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(Modality)), st.sampled_from(TIMING), st.integers(1, 5),
            st.integers(0, 9),
        ),
        max_size=4,
    )
)  # fmt: skip
def test_any_faults_in_turn_keep_arrivals_ascending_and_invent_no_frame(faults):
    spans = [
        (sensor, kind, 0.4 * turn, 0.4 * turn + 0.4, {'severity': severity, 'seed': seed})
        for turn, (sensor, kind, severity, seed) in enumerate(faults)
    ]
    injection = Injection(recorded(20), scenario(*spans), 2.0)
    items = list(injection)
    arrivals = [item.arrival for item in items]
    assert arrivals == sorted(arrivals)
    assert len(items) <= 40
    harmless = {'drop', 'intermittent', 'rate_drop'}
    if not harmless & {kind for _, kind, _, _ in faults}:
        assert len(items) == 40


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(Modality)), st.sampled_from([*TIMING, 'noise', 'black']),
            st.integers(1, 5), st.integers(0, 12),
        ),
        max_size=4,
    )
)  # fmt: skip
def test_faults_do_the_same_live_as_in_a_recording(faults):
    spans = [
        (sensor, kind, 0.1 * begin + 0.05, 0.1 * begin + 0.55, {'severity': severity})
        for sensor, kind, severity, begin in faults
        if sensor in FAULTS[kind].sensors
    ]
    mixed = scenario(*spans)
    assume(contradiction(mixed) is None)
    live = LiveInjection()
    live.play(mixed)
    given_out = []
    for item in recorded(20):
        given_out += live.due(item.arrival)
        given_out += live.push(item.frame, item.arrival)
    given_out += live.due(float('inf'))
    replayed = [item.frame for item in Injection(recorded(20), mixed, 2.0)]
    for one, other in zip(given_out, replayed, strict=True):
        assert (one.modality, one.stamp_ns) == (other.modality, other.stamp_ns)
        assert one.arrival == other.arrival
        np.testing.assert_array_equal(one.image, other.image)


def test_a_message_that_cannot_be_decoded_is_not_mended_by_a_content_fault():
    torn = RecordedDamage(RGB, 100.25, 'torn')
    items = [*recorded(3, (RGB,)), torn]
    assert torn in list(Injection(items, scenario((RGB, 'black', 0.0, None, {})), 1.0))
    assert torn not in list(Injection(items, scenario((RGB, 'freeze', 0.0, None, {})), 1.0))


def test_fog_in_an_injection_sees_the_newest_depth_even_if_that_sensor_is_dead():
    def last_color(*more):
        faults = scenario((RGB, 'fog', 0.5, None, {}), *more)
        items = list(Injection(recorded(10), faults, 1.0))
        return [i.frame.image for i in items if i.frame.modality is RGB][-1]

    np.testing.assert_array_equal(last_color(), last_color((DEPTH, 'drop', 0.0, None, {})))
    alone = FAULTS['fog'].start(None, {})(frame(9))[0].image
    assert not np.array_equal(last_color(), alone)


@pytest.mark.parametrize(
    'name',
    ['camera_black', 'camera_blackout', 'camera_frozen', 'depth_blackout', 'depth_frozen',
     'double', 'flicker'],
)  # fmt: skip
def test_the_plain_scenarios_do_what_a_plain_reading_of_them_says(name):
    """Neither severity nor the delay line may change them."""
    plain = load_scenario(name)
    expected, last = [], {}
    for item in recorded(50):
        time = item.arrival - 100
        sensor, image = item.frame.modality, item.frame.image
        kinds = [
            span.kind
            for span in plain.faults
            if span.sensor is sensor and span.seconds(5.0)[0] <= time < span.seconds(5.0)[1]
        ]
        if kinds == ['freeze']:
            image = last[sensor]
        else:
            last[sensor] = image
        if kinds == ['black']:
            image = np.zeros_like(image)
        if kinds != ['drop']:
            expected.append((item.arrival, item.frame.stamp_ns, image))
    got = list(Injection(recorded(50), plain, 5.0))
    loses = any(span.kind == 'drop' for span in plain.faults)
    assert (len(expected) < 100) == loses
    for item, (arrival, stamp_ns, image) in zip(got, expected, strict=True):
        assert (item.arrival, item.frame.stamp_ns) == (arrival, stamp_ns)
        np.testing.assert_array_equal(item.frame.image, image)


def test_a_delay_line_gives_out_in_the_order_of_arrival():
    line = DelayLine()
    assert line.next_arrival is None
    for index in (3, 1, 2):
        line.put(frame(index))
    assert line.next_arrival == frame(1).arrival
    assert [f.arrival for f in line.due(frame(2).arrival)] == [frame(i).arrival for i in (1, 2)]
    line.put(frame(5, DEPTH))
    (freed,) = line.release(RGB)
    assert (freed.arrival, freed.stamp_ns) == (frame(3).arrival, frame(3).stamp_ns)
    assert line.due(1e9)[0].modality is DEPTH


def test_pairs_of_arrivals_never_run_backwards_at_the_end_of_a_fault():
    mixed = scenario(
        (RGB, 'jitter', 0.2, 0.9, {'severity': 5}), (RGB, 'delay', 0.9, 1.4, {'severity': 3})
    )
    arrivals = [item.arrival for item in Injection(recorded(20), mixed, 2.0)]
    assert all(a <= b for a, b in itertools.pairwise(arrivals))

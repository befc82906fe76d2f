"""Which frame becomes the next mask: failovers, returns and pauses, without any network."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import (
    PERIOD,
    arriving,
    color_image,
    depth,
    drive,
    gaps,
    rgb,
    stream,
    switches,
)

from crodino_core.errors import UsageError
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.health import HealthSettings, SensorState
from crodino_core.runtime.selector import FailoverSelector

RGB, DEPTH = Modality.RGB, Modality.DEPTH
BLACK = np.zeros_like(color_image())
SKEW = 0.005
"""Depth follows the colour of the same instant by this many seconds."""


def without(frames: list[Frame], start: float, end: float) -> list[Frame]:
    """Drop what arrives from `start` to `end`."""
    return [each for each in frames if not start <= each.arrival < end]


def changed(frames: list[Frame], start: float, end: float, image: np.ndarray) -> list[Frame]:
    """Replace the image of what arrives from `start` to `end`."""
    return [
        Frame(each.modality, image, each.stamp_ns, each.arrival, each.frame_id)
        if start <= each.arrival < end
        else each
        for each in frames
    ]


def pair(count: int = 60, phase: float = SKEW) -> tuple[list[Frame], list[Frame]]:
    """Return both sensors' frames, on time."""
    return list(stream(RGB, count)), list(stream(DEPTH, count, phase=phase))


# -- healthy streams -------------------------------------------------------------------------


@pytest.mark.parametrize('prefer', list(Modality))
@pytest.mark.parametrize('phase', [-SKEW, SKEW, 0.05])
def test_on_a_healthy_stream_every_preferred_frame_is_served_at_once(prefer, phase):
    colors, depths = (list(stream(m, 60, phase=p)) for m, p in ((RGB, 1), (DEPTH, 1 + phase)))
    served = drive(FailoverSelector(prefer=prefer), colors, depths)
    expected = colors if prefer is RGB else depths
    assert [each.selection.frame for each in served] == expected
    assert all(each.at == each.selection.frame.arrival for each in served)


def test_an_offline_user_may_leave_out_the_clock():
    selector = FailoverSelector()
    colors, depths = pair()
    colors = without(colors, 2.0, 4.0)
    frames = sorted(colors + depths, key=lambda each: each.arrival)
    selections = [s for each in frames if (s := selector.observe(each)) is not None]
    assert len(selections) >= 57
    assert {selection.modality for selection in selections} == set(Modality)


# -- one sensor fails ------------------------------------------------------------------------


@pytest.mark.parametrize('phase', [0.005, 0.02, 0.039, 0.041, 0.044, 0.046, 0.05, 0.07, 0.095])
@pytest.mark.parametrize('length', [1, 2, 3, 5, 20])
def test_a_dropout_loses_no_mask_whatever_the_phase_of_the_sensors(phase: float, length: int):
    colors, depths = pair(phase=phase)
    colors = without(colors, 1.95, 1.95 + length * PERIOD)
    served = drive(FailoverSelector(), colors, depths)
    assert max(gaps(served)) <= 1.5 * PERIOD
    assert len(served) >= 59
    assert switches(served) == [(RGB, DEPTH), (DEPTH, RGB)]


def test_the_newest_depth_frame_is_served_the_moment_the_camera_is_late():
    colors, depths = pair()
    served = drive(FailoverSelector(), without(colors, 1.95, 9), depths)
    first = next(each for each in served if each.modality is DEPTH)
    assert first.at == pytest.approx(1.9 + 1.45 * PERIOD)
    assert first.selection.frame.arrival == pytest.approx(2.0 + SKEW)


def test_a_returning_camera_is_served_from_its_third_good_frame():
    colors, depths = pair()
    selector = FailoverSelector()
    served = drive(selector, without(colors, 1.95, 3.95), depths)
    first_back = next(each for each in served if each.modality is RGB and each.at > 3.9)
    assert first_back.at == pytest.approx(4.2)
    assert max(gaps(served)) <= 1.5 * PERIOD


def test_a_camera_late_for_one_frame_is_served_again_at_its_next():
    colors, depths = pair()
    served = drive(FailoverSelector(), without(colors, 1.95, 2.05), depths)
    assert [each.at for each in served if each.modality is DEPTH] == [pytest.approx(2.045)]
    assert len(served) == 60


@pytest.mark.parametrize('phase', [-SKEW, SKEW, 0.05])
def test_a_black_camera_loses_no_mask(phase: float):
    colors, depths = (list(stream(m, 60, phase=p)) for m, p in ((RGB, 1), (DEPTH, 1 + phase)))
    served = drive(FailoverSelector(), changed(colors, 2.95, 4.95, BLACK), depths)
    assert all(each.selection.frame.image is not BLACK for each in served)
    assert switches(served) == [(RGB, DEPTH), (DEPTH, RGB)]
    assert max(gaps(served)) <= 1.5 * PERIOD


@pytest.mark.parametrize('phase', [-SKEW, SKEW, 0.05])
def test_a_frozen_camera_gives_two_stale_masks_and_loses_none(phase: float):
    colors, depths = (list(stream(m, 60, phase=p)) for m, p in ((RGB, 1), (DEPTH, 1 + phase)))
    stuck = colors[19].image
    served = drive(FailoverSelector(), changed(colors, 2.95, 4.95, stuck), depths)
    assert (
        sum(each.selection.frame.image is stuck for each in served if 2.95 < each.at < 4.95) == 2
    )
    assert switches(served) == [(RGB, DEPTH), (DEPTH, RGB)]
    assert max(gaps(served)) <= 1.5 * PERIOD


def test_a_camera_that_repeats_its_last_message_loses_no_mask():
    colors, depths = pair()
    stuck = [
        Frame(RGB, colors[19].image, colors[19].stamp_ns, each.arrival)
        if 1.95 < each.arrival < 4
        else each
        for each in colors
    ]
    served = drive(FailoverSelector(), stuck, depths)
    assert max(gaps(served)) <= 1.5 * PERIOD
    stamps = [each.selection.frame.stamp_ns for each in served]
    assert stamps == sorted(set(stamps))


def test_a_camera_whose_messages_cannot_be_decoded_is_replaced():
    selector = FailoverSelector()
    colors, depths = pair(20)
    drive(selector, colors, depths)
    assert selector.observe_undecodable(RGB, 2.0, 'not a JPEG') is None
    assert selector.observe(depth(2.0 + SKEW)).modality is DEPTH


def test_the_unpreferred_sensor_may_fail_unnoticed_by_the_masks():
    colors, depths = pair()
    served = drive(FailoverSelector(), colors, without(depths, 1.95, 3.95))
    assert [each.selection.frame for each in served] == colors


def test_one_sensor_after_the_other_is_lost_and_nothing_is_lost():
    colors, depths = pair(80)
    served = drive(FailoverSelector(), without(colors, 1.95, 3.95), without(depths, 4.95, 6.95))
    assert max(gaps(served)) <= 1.5 * PERIOD
    assert switches(served) == [(RGB, DEPTH), (DEPTH, RGB)]


def test_a_fast_camera_does_not_wait_for_a_slow_depth_sensor():
    colors = list(stream(RGB, 120, period=PERIOD / 4))
    depths = list(stream(DEPTH, 30, phase=0.012))
    served = drive(FailoverSelector(), without(colors, 1.0, 2.0), depths)
    assert max(gaps(served)) <= 1.5 * PERIOD


# -- start, pause, reset ---------------------------------------------------------------------


def test_at_the_start_the_other_sensor_waits_for_the_preferred_one():
    served = drive(FailoverSelector(), stream(RGB, 10, phase=0.3), stream(DEPTH, 10))
    assert {each.modality for each in served} == {RGB}


def test_at_the_start_the_other_sensor_waits_no_longer_than_the_timeout():
    served = drive(FailoverSelector(), stream(DEPTH, 10, phase=1.0))
    assert served[0].at == pytest.approx(1.5)
    assert len(served) >= 5


def test_at_the_start_nobody_waits_for_a_sensor_that_is_invalid():
    served = drive(FailoverSelector(), [rgb(0.0, BLACK)], stream(DEPTH, 3, phase=SKEW))
    assert len(served) == 3


@pytest.mark.parametrize('phase', [-SKEW, SKEW])
@pytest.mark.parametrize('pause', [0.2, 0.35, 1.0, 10.0])
@pytest.mark.parametrize('prefer', list(Modality))
def test_a_pause_of_both_sensors_is_not_a_failover(phase: float, pause: float, prefer):
    colors, depths = (
        [*stream(m, 30, phase=p), *stream(m, 30, phase=p + 2.9 + pause)]
        for m, p in ((RGB, 1.0), (DEPTH, 1.0 + phase))
    )
    served = drive(FailoverSelector(prefer=prefer), colors, depths)
    assert {each.modality for each in served} == {prefer}
    assert len(served) == 60


def test_a_pause_of_both_while_depth_is_served_goes_on_with_depth():
    depths = [*stream(DEPTH, 20, phase=SKEW), *stream(DEPTH, 20, phase=4.0)]
    served = drive(FailoverSelector(), stream(RGB, 10), depths)
    assert switches(served) == [(RGB, DEPTH)]


def test_when_only_depth_comes_back_from_a_pause_it_is_served_soon():
    depths = [*stream(DEPTH, 20, phase=SKEW), *stream(DEPTH, 20, phase=4.0)]
    served = drive(FailoverSelector(), stream(RGB, 20), depths)
    first = next(each for each in served if each.modality is DEPTH)
    assert first.at == pytest.approx(4.0 + 0.4 * PERIOD)


def test_a_time_jump_is_no_dropout():
    selector = FailoverSelector()
    colors, depths = pair(20)
    before = drive(selector, colors, depths)
    selector.reset(0.0)
    assert selector.deadline() is None
    after = drive(selector, *(list(stream(m, 20, phase=p)) for m, p in ((DEPTH, 0), (RGB, SKEW))))
    assert {each.modality for each in before + after} == {RGB}
    assert len(after) == 20
    assert not any(sensor.counts for sensor in selector.sensors.values())


def test_a_time_jump_while_depth_is_served_goes_on_with_depth():
    selector = FailoverSelector()
    drive(selector, stream(RGB, 10), stream(DEPTH, 20, phase=SKEW))
    selector.reset(0.0)
    served = drive(selector, stream(DEPTH, 20))
    assert served[0].at == 0.0 and len(served) == 20


def test_a_loop_that_nobody_announced_loses_no_mask():
    colors = [*stream(RGB, 20), *(rgb(2 + i * PERIOD, stamp=1000 + i * PERIOD) for i in range(20))]
    served = drive(FailoverSelector(), colors)
    assert len(served) == 40


# -- order -----------------------------------------------------------------------------------


def test_a_frame_stamped_before_the_last_mask_is_not_served():
    selector = FailoverSelector()
    drive(selector, *pair(20))
    assert selector.observe(rgb(2.0, stamp=1001.85)) is None
    assert selector.observe(rgb(2.1)) is not None


def test_clocks_that_disagree_by_minutes_do_not_prevent_a_failover():
    depths = [depth(i * PERIOD + SKEW, stamp=500 + i * PERIOD) for i in range(40)]
    served = drive(FailoverSelector(), stream(RGB, 20), depths)
    assert switches(served) == [(RGB, DEPTH)]
    assert max(gaps(served)) <= 1.5 * PERIOD


@pytest.mark.parametrize('lag', [-3600.0, -0.2, 0.05, 0.2, 3600.0])
@pytest.mark.parametrize('phase', [-SKEW, SKEW, 0.05])
def test_a_clock_that_steps_and_steps_back_loses_no_mask(lag: float, phase: float):
    colors, depths = (list(stream(m, 60, phase=p)) for m, p in ((RGB, 1), (DEPTH, 1 + phase)))
    colors = [
        rgb(each.arrival, each.image, stamp=1000 + each.arrival + lag * (2.95 < each.arrival < 5))
        for each in colors
    ]
    served = drive(FailoverSelector(), colors, depths)
    assert max(gaps(served)) <= 1.5 * PERIOD
    assert served[-1].modality is RGB


def test_a_sensor_whose_clock_lags_is_served_again_when_it_has_returned():
    colors = [rgb(i * PERIOD, stamp=1000 + i * PERIOD - 0.2) for i in range(60)]
    depths = list(stream(DEPTH, 60, phase=SKEW))
    served = drive(FailoverSelector(), without(colors, 1.95, 3.95), depths)
    assert max(gaps(served)) <= 1.5 * PERIOD
    assert switches(served) == [(RGB, DEPTH), (DEPTH, RGB)]


def test_a_returning_frame_that_was_held_up_is_not_served_after_a_newer_one():
    selector = FailoverSelector()
    drive(selector, stream(RGB, 20), stream(DEPTH, 20, phase=SKEW))
    late = {'black': rgb(2.0, BLACK), 'first': rgb(2.1), 'second': rgb(2.2)}
    for each in (late['black'], depth(2.005), late['first'], depth(2.105), late['second']):
        selector.observe(each)
    assert selector.observe(depth(2.205)).modality is DEPTH
    assert selector.observe(rgb(2.3, stamp=1002.203)) is None
    assert selector.observe(rgb(2.4)).modality is RGB


def test_sensors_without_stamps_are_served():
    colors = [rgb(i * PERIOD, stamp=0.0) for i in range(20)]
    depths = [depth(i * PERIOD + SKEW, stamp=0.0) for i in range(40)]
    assert len(drive(FailoverSelector(), colors, depths)) >= 39


# -- no sensor -------------------------------------------------------------------------------


def failing_pair() -> tuple[list[Frame], list[Frame]]:
    colors, depths = pair(40)
    holes = np.zeros((12, 16), np.float32)
    return changed(colors, 1.95, 2.95, BLACK), changed(depths, 1.95, 2.95, holes)


def test_silence_while_no_sensor_is_usable():
    served = drive(FailoverSelector(), *failing_pair())
    assert not [each for each in served if 1.95 < each.at < 2.95]


def test_void_masks_while_no_sensor_is_usable_one_an_instant():
    served = drive(FailoverSelector(when_none='void'), *failing_pair())
    void = [each for each in served if each.selection.void]
    assert len(void) == 10
    assert all(each.modality is None for each in void)
    assert all(1.95 < each.at < 2.95 and each.at == each.selection.frame.arrival for each in void)


def test_void_masks_end_with_the_last_frame():
    served = drive(FailoverSelector(when_none='void'), *pair(20), until=10.0)
    assert not [each for each in served if each.selection.void]


# -- average ---------------------------------------------------------------------------------


@pytest.mark.parametrize('phase', [-SKEW, SKEW, 0.03])
def test_the_average_is_made_of_both_frames_of_an_instant(phase: float):
    colors, depths = (list(stream(m, 30, phase=p)) for m, p in ((RGB, 1), (DEPTH, 1 + phase)))
    served = drive(FailoverSelector(policy='average'), colors, depths)
    assert [each.selection.frame for each in served] == colors
    pairs = [each.selection for each in served if each.selection.other is not None]
    assert len(pairs) >= 25
    for selection in pairs:
        assert selection.other.arrival - selection.frame.arrival == pytest.approx(phase)


def test_the_average_is_replaced_by_the_survivor():
    colors, depths = pair()
    selector = FailoverSelector(policy='average')
    served = drive(selector, colors, without(depths, 1.95, 9))
    assert [each.selection.frame for each in served] == colors
    assert max(gaps(served)) <= 1.5 * PERIOD
    served = drive(FailoverSelector(policy='average'), without(colors, 1.95, 9), depths)
    assert switches(served) == [(RGB, DEPTH)]
    assert max(gaps(served)) <= 1.5 * PERIOD


# -- options ---------------------------------------------------------------------------------


def test_each_sensor_may_have_its_own_limits():
    selector = FailoverSelector(health={DEPTH: HealthSettings(timeout=2.0)})
    assert selector.sensors[DEPTH].settings.timeout == 2.0
    assert selector.sensors[RGB].settings.timeout == 0.5


def test_an_unknown_policy_is_refused():
    with pytest.raises(UsageError, match='prefer, average'):
        FailoverSelector(policy='loudest')


# -- properties ------------------------------------------------------------------------------

phases = st.floats(0.0, 0.999)


def jittered(jitter: list[float], phase: float) -> list[float]:
    """Each arrival is early or late on its own."""
    return [(10 + phase + i + early) * PERIOD for i, early in enumerate(jitter)]


def walked(seed: int, count: int, phase: float) -> list[float]:
    """Each interval is short or long on its own."""
    randomness = random.Random(seed)
    steps = (randomness.uniform(0.8, 1.2) for _ in range(count))
    return [(10 + phase + elapsed) * PERIOD for elapsed in itertools.accumulate(steps)]


jitters = st.lists(st.floats(-0.2, 0.2), min_size=10, max_size=60)


@given(jitters, jitters, phases, st.sampled_from(Modality))
def test_jitter_of_the_arrivals_never_switches(first, second, phase, prefer):
    count = min(len(first), len(second))
    colors = list(arriving(RGB, jittered(first[:count], 0.0)))
    depths = list(arriving(DEPTH, jittered(second[:count], phase)))
    served = drive(FailoverSelector(prefer=prefer), colors, depths)
    assert [each.selection.frame for each in served] == (colors if prefer is RGB else depths)


@given(st.integers(0, 2**32), phases)
def test_jitter_of_the_intervals_never_switches(seed: int, phase: float):
    arrivals = walked(seed, 100, 0.0), walked(seed + 1, 100, phase)
    end = min(each[-1] for each in arrivals)
    colors, depths = (
        list(arriving(modality, (arrival for arrival in each if arrival <= end)))
        for modality, each in zip(Modality, arrivals, strict=True)
    )
    served = drive(FailoverSelector(), colors, depths)
    assert [each.selection.frame for each in served] == colors


small = st.lists(st.floats(-0.02, 0.02), min_size=80, max_size=80)


@given(small, small, phases, st.integers(12, 50), st.integers(1, 30))
def test_a_dropout_never_leaves_a_gap(first, second, phase, start, length):
    colors = list(arriving(RGB, jittered(first, 0.0)))
    del colors[start : start + length]
    depths = list(arriving(DEPTH, jittered(second, phase)))
    served = drive(FailoverSelector(), colors, depths)
    assert max(gaps(served)) <= 1.5 * PERIOD + 1e-9


faults = st.sampled_from(['drop', 'black', 'frozen', 'stuck'])
spans = st.lists(
    st.tuples(st.sampled_from(Modality), faults, st.integers(0, 50), st.integers(1, 20)),
    max_size=6,
)


def damaged(frames: list[Frame], fault: str, start: int, length: int) -> list[Frame]:
    """Apply a fault to `length` frames."""
    hit = frames[start : start + length]
    if fault == 'drop' or not hit:
        return frames[:start] + frames[start + length :]
    model = hit[0]
    image = np.zeros_like(model.image) if fault == 'black' else model.image
    hit = [
        Frame(
            each.modality,
            image,
            model.stamp_ns if fault == 'stuck' else each.stamp_ns,
            each.arrival,
        )
        for each in hit
    ]
    return frames[:start] + hit + frames[start + length :]


@given(
    spans,
    phases,
    st.sampled_from(['prefer', 'average']),
    st.sampled_from(['silence', 'void']),
    st.sampled_from(Modality),
)
def test_whatever_fails_no_mask_repeats_an_instant_or_is_older_than_the_last(
    spans, phase, policy, when_none, prefer
):
    frames = {m: list(stream(m, 60, phase=1 + p)) for m, p in ((RGB, 0), (DEPTH, phase * PERIOD))}
    # Drops go first: a stuck stamp that was never seen while it was new cannot be told from a
    # clock that disagrees.
    for modality, *fault in sorted(spans, key=lambda span: span[1] != 'drop'):
        frames[modality] = damaged(frames[modality], *fault)
    selector = FailoverSelector(policy=policy, when_none=when_none, prefer=prefer)
    served = drive(selector, *frames.values(), until=20.0)
    for before, after in itertools.pairwise(served):
        assert after.at >= before.at
        assert after.selection.frame.arrival > before.selection.frame.arrival
        assert after.selection.frame.stamp_ns > before.selection.frame.stamp_ns
        if after.modality is not before.modality:
            apart = after.selection.frame.arrival - before.selection.frame.arrival
            assert apart > 0.35 * PERIOD or before.at < 2.0
    for each in served:
        assert each.at - each.selection.frame.arrival <= 1.5 * PERIOD or each.at <= 1.6


@given(spans, phases)
def test_a_deadline_always_lies_ahead(spans, phase):
    frames = {m: list(stream(m, 60, phase=1 + p)) for m, p in ((RGB, 0), (DEPTH, phase * PERIOD))}
    for modality, *fault in spans:
        frames[modality] = damaged(frames[modality], *fault)
    selector = FailoverSelector()
    for each in sorted(itertools.chain(*frames.values()), key=lambda each: each.arrival):
        selector.observe(each)
        deadline = selector.deadline()
        assert deadline is None or deadline > each.arrival
    for _ in range(6):
        deadline = selector.deadline()
        if deadline is not None:
            selector.poll(deadline)
    assert selector.deadline() is None
    assert {s.state for s in selector.sensors.values()} <= {
        SensorState.LOST,
        SensorState.NOT_RECEIVED,
    }

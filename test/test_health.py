"""The health of one sensor: every state, with a hand-driven clock."""

from __future__ import annotations

import numpy as np
import pytest
from streams import PERIOD, color_image, depth, depth_image, rgb, stream

from crodino_core.errors import UsageError
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.health import HealthSettings, SensorHealth, SensorState, Verdict

LATE_AFTER = 1.45 * PERIOD
TIMEOUT = 0.5


def running_camera(count: int = 20, settings: HealthSettings | None = None) -> SensorHealth:
    """Return a camera whose last frame of `count` arrived at (count - 1) * PERIOD."""
    health = SensorHealth(Modality.RGB, settings)
    for each in stream(Modality.RGB, count):
        health.observe(each)
    return health


def failed_camera() -> tuple[SensorHealth, float]:
    """Return a camera that was just lost, and the time."""
    health = running_camera()
    health.check(now := 2.0 + TIMEOUT)
    return health, now


def test_nothing_is_known_before_the_first_frame():
    health = SensorHealth(Modality.RGB)
    assert health.check(100.0) == Verdict(SensorState.NOT_RECEIVED, 'not received', False)
    assert health.deadline() is None
    assert health.period is None


def test_the_first_good_frame_is_ok_at_once():
    health = SensorHealth(Modality.RGB)
    assert health.observe(rgb(0.0)) == Verdict(SensorState.OK, '', True)


def test_a_steady_sensor_stays_ok_and_its_period_is_learned():
    health = running_camera()
    assert health.state is SensorState.OK
    assert health.period == pytest.approx(PERIOD)
    assert health.last_arrival == pytest.approx(1.9)
    assert not health.counts


def test_a_sensor_is_late_after_one_and_a_half_periods_less_a_little():
    health = running_camera()
    assert health.deadline() == pytest.approx(1.9 + LATE_AFTER)
    assert health.check(1.9 + LATE_AFTER - 0.001).state is SensorState.OK
    verdict = health.check(health.deadline())
    assert (verdict.state, verdict.cause, verdict.usable) == (SensorState.LATE, 'late', False)
    assert '0.145 s' in verdict.detail and '0.100 s' in verdict.detail


def test_a_late_sensor_is_ok_at_its_next_good_frame():
    health = running_camera()
    health.check(1.9 + LATE_AFTER)
    assert health.observe(rgb(2.1)).state is SensorState.OK


def test_lateness_is_noticed_at_the_next_frame_even_if_nobody_looked_at_the_clock():
    health = running_camera()
    health.observe(rgb(2.1))
    assert health.counts['late'] == 1


def test_nothing_is_late_while_the_period_is_unknown():
    health = running_camera(count=4)
    assert health.deadline() == pytest.approx(0.3 + TIMEOUT)
    assert health.check(0.3 + TIMEOUT - 0.001).state is SensorState.OK
    assert health.check(0.3 + TIMEOUT).state is SensorState.LOST


def test_a_late_sensor_is_lost_after_the_timeout():
    health = running_camera()
    health.check(1.9 + LATE_AFTER)
    assert health.deadline() == pytest.approx(1.9 + TIMEOUT)
    verdict = health.check(health.deadline())
    assert (verdict.state, verdict.cause) == (SensorState.LOST, 'lost')
    assert health.deadline() is None
    assert health.counts == {'late': 1, 'lost': 1}


def test_looking_twice_at_the_clock_counts_once():
    health, now = failed_camera()
    health.check(now + 1)
    assert health.counts['lost'] == 1


def test_a_sensor_slower_than_the_timeout_is_not_lost_between_its_frames():
    health = SensorHealth(Modality.RGB, HealthSettings(timeout=0.5))
    for each in stream(Modality.RGB, 10, period=1.0):
        health.observe(each)
    assert health.check(9.9).state is SensorState.OK
    assert health.deadline() > 10.4


def test_a_lost_sensor_recovers_over_three_good_frames():
    health, now = failed_camera()
    states = [health.observe(rgb(now + 1 + index * PERIOD)).state for index in range(4)]
    assert states == [SensorState.RECOVERING] * 2 + [SensorState.OK] * 2


def test_a_recovering_sensor_says_how_far_it_is_and_may_be_used():
    health, now = failed_camera()
    verdict = health.observe(rgb(now + 1))
    assert verdict == Verdict(SensorState.RECOVERING, 'recovering', True, '1 of 3 good frames')


def test_a_late_frame_while_recovering_starts_the_recovery_anew():
    health, now = failed_camera()
    start = now + 1
    health.observe(rgb(start))
    health.observe(rgb(start + PERIOD))
    assert health.check(start + PERIOD + LATE_AFTER).state is SensorState.LATE
    arrivals = (start + 3 * PERIOD, start + 4 * PERIOD, start + 5 * PERIOD)
    states = [health.observe(rgb(arrival)).state for arrival in arrivals]
    assert states == [SensorState.RECOVERING, SensorState.RECOVERING, SensorState.OK]


def test_a_bad_frame_while_recovering_starts_the_recovery_anew():
    health, now = failed_camera()
    black = np.zeros_like(color_image())
    images = [None, None, black, None, None, None]
    states = [
        health.observe(rgb(now + 1 + index * PERIOD, image)).state
        for index, image in enumerate(images)
    ]
    recovering = [SensorState.RECOVERING] * 2
    assert states == [*recovering, SensorState.INVALID, *recovering, SensorState.OK]


def test_a_recovering_sensor_can_be_lost_again():
    health, now = failed_camera()
    health.observe(rgb(now + 1))
    assert health.check(now + 1 + TIMEOUT).state is SensorState.LOST


def test_recovery_over_one_frame_is_ok_at_once():
    health = running_camera(settings=HealthSettings(recovery_frames=1))
    health.check(5.0)
    assert health.observe(rgb(5.1)).state is SensorState.OK


# -- frozen ----------------------------------------------------------------------------------


def test_the_third_repetition_of_an_image_is_frozen():
    health = running_camera()
    image = color_image(seed=99)
    states = [health.observe(rgb(2.0 + index * PERIOD, image)).state for index in range(5)]
    assert states == [SensorState.OK] * 3 + [SensorState.FROZEN] * 2
    assert health.cause == 'frozen'
    assert health.detail == 'the same image came 4 times in a row'


def test_a_stamp_that_does_not_advance_is_frozen_at_the_third_repetition():
    health = running_camera()
    frames = [rgb(2.0 + index * PERIOD, stamp=1002.0, seed=index) for index in range(4)]
    states = [health.observe(each).state for each in frames]
    assert states[0] is SensorState.OK
    assert states[3] is SensorState.FROZEN
    assert health.detail == 'the stamp did not advance 3 times in a row'
    assert health.counts['repeated stamp'] == 3


def test_a_repeated_stamp_is_no_sign_of_life():
    health = running_camera()
    health.observe(rgb(2.0, stamp=1001.9))
    assert health.deadline() == pytest.approx(1.9 + LATE_AFTER)
    assert health.check(1.9 + LATE_AFTER).state is SensorState.LATE
    assert health.observe(rgb(2.1, stamp=1001.9, seed=1)).state is SensorState.LATE
    assert health.observe(rgb(2.2)).state is SensorState.OK


def test_two_repetitions_are_not_frozen_and_a_new_image_starts_the_count_anew():
    health = running_camera()
    seeds = [1, 1, 1, 2, 2, 2, 3]
    for index, seed in enumerate(seeds):
        assert health.observe(rgb(2.0 + index * PERIOD, seed=seed)).state is SensorState.OK


def test_a_frozen_sensor_recovers_with_new_images():
    health = running_camera()
    for index in range(4):
        health.observe(rgb(2.0 + index * PERIOD, seed=7))
    states = [health.observe(rgb(2.4 + i * PERIOD, seed=i)).state for i in range(3)]
    assert states == [SensorState.RECOVERING, SensorState.RECOVERING, SensorState.OK]


def test_a_repetition_does_not_bring_a_recovery_forward():
    health, now = failed_camera()
    seeds = [1, 1, 2, 3]
    states = [health.observe(rgb(now + 1 + i * PERIOD, seed=s)).state for i, s in enumerate(seeds)]
    assert states == [SensorState.RECOVERING] * 3 + [SensorState.OK]


def test_a_frozen_sensor_that_falls_silent_is_lost():
    health = running_camera()
    for index in range(4):
        health.observe(rgb(2.0 + index * PERIOD, seed=7))
    assert health.deadline() == pytest.approx(2.3 + TIMEOUT)
    assert health.check(2.3 + TIMEOUT).state is SensorState.LOST


def test_a_still_world_is_not_frozen_when_the_check_is_off():
    health = SensorHealth(Modality.RGB, HealthSettings(check_frozen=False))
    for index in range(20):
        assert health.observe(rgb(index * PERIOD, seed=7)).state is SensorState.OK


# -- stamps ----------------------------------------------------------------------------------


def test_stamps_of_zero_are_counted_and_harmless():
    health = SensorHealth(Modality.RGB)
    for index in range(20):
        verdict = health.observe(rgb(index * PERIOD, stamp=0.0))
        assert (verdict.state, verdict.cause) == (SensorState.OK, 'zero stamp')
    assert health.counts == {'zero stamp': 20}
    assert health.period == pytest.approx(PERIOD)


@pytest.mark.parametrize('back', [0.05, 0.5])
def test_a_backward_stamp_is_counted_and_harmless(back):
    health = running_camera()
    newest = health.observe(rgb(2.0, stamp=1002.0))
    verdict = health.observe(rgb(2.1, stamp=1002.0 - back))
    assert (verdict.state, verdict.cause) == (newest.state, 'backward stamp')
    assert verdict.usable and not verdict.advances
    assert health.observe(rgb(2.2, stamp=1002.2)).cause == ''


def test_stamps_that_begin_again_are_counted_and_lose_no_frame():
    health = running_camera()
    verdict = health.observe(rgb(2.0, stamp=500.0))
    assert (verdict.state, verdict.cause) == (SensorState.OK, 'restarted stamp')
    assert verdict.usable and verdict.advances
    assert health.observe(rgb(2.1, stamp=500.1)).cause == ''


def test_other_limits_hold_at_once_and_nothing_is_forgotten():
    health = running_camera()
    last, period = health.last_arrival, health.period
    health.settings = HealthSettings(late_factor=3.0)
    assert (health.state, health.period) == (SensorState.OK, period)
    assert health.deadline() == pytest.approx(last + 3 * period)


def test_a_stamp_from_the_future_is_counted_and_harmless():
    health = running_camera()
    verdict = health.observe(rgb(2.0, stamp=2000.0))
    assert (verdict.state, verdict.cause) == (SensorState.OK, 'future stamp')


def test_a_pause_is_not_a_stamp_from_the_future():
    health = running_camera()
    health.observe(rgb(5.0))
    assert health.counts['future stamp'] == 0


def test_old_stamps_do_not_age_a_sensor():
    health = SensorHealth(Modality.RGB)
    for index in range(20):
        health.observe(rgb(50_000 + index * PERIOD, stamp=1.0 + index * PERIOD))
    assert health.state is SensorState.OK
    assert not health.counts


# -- content ---------------------------------------------------------------------------------

BLACK = np.zeros((12, 16, 3), np.uint8)
NAN_DEPTH = np.full((12, 16), np.nan, np.float32)
NAN_DEPTH[0, :4] = 2.0

BAD_COLORS = {
    'black image': BLACK,
    'saturated image': BLACK + 255,
    'uniform image': BLACK + np.array([200, 30, 30], np.uint8),
    'wrong layout': color_image()[..., 0],
    'empty image': color_image(size=(0, 16)),
}
BAD_DEPTHS = {
    'too few valid depths': NAN_DEPTH,
    'constant depth': np.full((12, 16), 2.0, np.float32),
    'wrong unit': depth_image() * 1000,
    'wrong layout': depth_image().astype(np.float64),
}


@pytest.mark.parametrize(('cause', 'image'), BAD_COLORS.items(), ids=BAD_COLORS)
def test_an_rgb_image_without_content_is_invalid_at_once(cause: str, image: np.ndarray):
    health = running_camera()
    verdict = health.observe(rgb(2.0, image))
    assert (verdict.state, verdict.cause) == (SensorState.INVALID, cause)
    assert not verdict.usable and verdict.detail
    assert health.counts[cause] == 1


@pytest.mark.parametrize(('cause', 'image'), BAD_DEPTHS.items(), ids=BAD_DEPTHS)
def test_a_depth_image_without_content_is_invalid_at_once(cause: str, image: np.ndarray):
    health = SensorHealth(Modality.DEPTH)
    verdict = health.observe(depth(0.0, image))
    assert (verdict.state, verdict.cause) == (SensorState.INVALID, cause)
    assert not verdict.usable and verdict.detail


@pytest.mark.parametrize('value', [0.0, np.inf, -np.inf, 50.0, 0.05])
def test_depth_without_a_valid_pixel_is_invalid(value: float):
    health = SensorHealth(Modality.DEPTH)
    verdict = health.observe(depth(0.0, np.full((12, 16), value, np.float32)))
    assert (verdict.state, verdict.cause) == (SensorState.INVALID, 'too few valid depths')


def test_far_depth_is_no_wrong_unit_for_a_sensor_that_sees_so_far():
    health = SensorHealth(Modality.DEPTH, HealthSettings(depth_range=(1.0, 1250.0)))
    assert health.observe(depth(0.0, depth_image() * 100)).state is SensorState.OK
    assert health.observe(depth(PERIOD, depth_image() * 1000)).cause == 'wrong unit'


def test_limits_reach_as_far_as_a_network_looks_and_never_less_far_than_before():
    usual = HealthSettings(timeout=2.0)
    assert usual.reaching((0.1, 10.0)) == usual
    assert usual.reaching((1.0, 1250.0)).depth_range == (0.1, 1250.0)
    assert usual.reaching((0.02, 5.0)).depth_range == (0.02, 20.0)
    assert usual.reaching((0.02, 5.0)).timeout == 2.0


def test_depth_with_many_holes_is_still_good():
    image = depth_image()
    image[:10] = np.nan
    assert SensorHealth(Modality.DEPTH).observe(depth(0.0, image)).usable


def test_a_dim_but_textured_image_is_good():
    image = color_image() // 8
    assert SensorHealth(Modality.RGB).observe(rgb(0.0, image)).usable


@pytest.mark.parametrize('noise', [0, 1])
def test_a_covered_lens_is_invalid_in_spite_of_its_noise(noise: int):
    image = (60 + np.random.default_rng(0).normal(0, noise, (480, 640, 3))).astype(np.uint8)
    assert SensorHealth(Modality.RGB).observe(rgb(0.0, image)).cause == 'uniform image'


def test_an_invalid_sensor_recovers_over_three_good_frames():
    health = running_camera()
    health.observe(rgb(2.0, BLACK))
    states = [health.observe(rgb(2.1 + index * PERIOD)).state for index in range(3)]
    assert states == [SensorState.RECOVERING, SensorState.RECOVERING, SensorState.OK]


def test_a_sensor_that_starts_invalid_has_to_recover():
    health = SensorHealth(Modality.RGB)
    assert health.observe(rgb(0.0, BLACK)).state is SensorState.INVALID
    assert health.observe(rgb(0.1)).state is SensorState.RECOVERING


def test_an_invalid_sensor_that_falls_silent_is_lost():
    health = running_camera()
    health.observe(rgb(2.0, BLACK))
    assert health.check(2.0 + TIMEOUT).state is SensorState.LOST


def test_a_message_that_cannot_be_decoded_is_invalid_and_a_sign_of_life():
    health = running_camera()
    verdict = health.observe_undecodable(2.0, 'the JPEG data end early')
    assert verdict == Verdict(SensorState.INVALID, 'undecodable', False, 'the JPEG data end early')
    assert health.check(2.0 + TIMEOUT - 0.001).state is SensorState.INVALID


def test_a_change_of_size_is_counted_and_harmless():
    health = running_camera()
    verdict = health.observe(rgb(2.0, color_image(size=(24, 32))))
    assert (verdict.state, verdict.cause) == (SensorState.OK, 'size change')
    assert health.observe(rgb(2.1, color_image(size=(24, 32)))).cause == ''


# -- the rest --------------------------------------------------------------------------------


def test_after_a_time_jump_the_sensor_is_unknown_and_then_ok_at_once():
    health, _ = failed_camera()
    health.reset()
    assert health.state is SensorState.NOT_RECEIVED
    assert health.period is None and health.deadline() is None
    assert health.counts['lost'] == 1
    assert health.observe(rgb(0.0)).state is SensorState.OK


def test_the_first_frame_after_a_time_jump_may_repeat_image_and_stamp():
    health = SensorHealth(Modality.RGB, HealthSettings(frozen_frames=1))
    health.observe(rgb(0.0, seed=1))
    health.reset()
    assert health.observe(rgb(0.0, seed=1)).state is SensorState.OK


@pytest.mark.parametrize(
    'options',
    [
        {'timeout': 0.0},
        {'late_factor': 1.0},
        {'frozen_frames': 0},
        {'recovery_frames': 0},
        {'min_valid_depth': 1.5},
        {'depth_range': (5.0, 1.0)},
    ],
)
def test_settings_without_sense_are_refused_by_name(options: dict[str, float]):
    with pytest.raises(UsageError, match=next(iter(options))):
        HealthSettings(**options)  # type: ignore[arg-type]


def test_the_verdict_of_a_frame_does_not_need_its_pixels_to_be_contiguous():
    wide = color_image(size=(12, 32))
    frame = Frame(Modality.RGB, wide[:, ::2], 1, 0.0)
    assert SensorHealth(Modality.RGB).observe(frame).usable

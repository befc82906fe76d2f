"""What single faults of content claim to do to a picture."""

from functools import partial

import numpy as np
import pytest

from crodino_core.evaluation.faults import FAULTS
from crodino_core.modality import Modality
from crodino_core.runtime.content import find_problem
from crodino_core.runtime.frame import Frame

RGB, DEPTH = Modality.RGB, Modality.DEPTH


def rgb(image):
    return Frame(RGB, np.asarray(image, np.uint8), 10**18, 0.0)


def depth(image):
    return Frame(DEPTH, np.asarray(image, np.float32), 10**18, 0.0)


def damaged(kind, frame, newest=lambda modality: None, **parameters):
    (out,) = FAULTS[kind].start(None, parameters, newest)(frame)
    return out.image


def textured():
    return rgb(np.random.default_rng(0).integers(30, 200, (60, 80, 3)))


def relief():
    return depth(np.random.default_rng(0).uniform(1, 4, (60, 80)))


def problem_of(frame, image):
    moved = Frame(frame.modality, image, 0, 0.0)
    found = find_problem(moved, (0.1, 20.0), 0.05)
    return None if found is None else found.cause


def test_black_is_zero_everywhere():
    for frame in (textured(), relief()):
        assert not damaged('black', frame).any()


@pytest.mark.parametrize(
    ('kind', 'frame', 'cause'),
    [
        ('black', textured(), 'black image'),
        ('saturated', textured(), 'saturated image'),
        ('black', relief(), 'too few valid depths'),
        ('nan_fill', relief(), 'too few valid depths'),
        ('range_clip', relief(), 'too few valid depths'),
        ('plane', relief(), 'constant depth'),
        ('scale_error', relief(), 'wrong unit'),
    ],
)
def test_the_worst_severity_is_what_the_health_check_calls_it(kind, frame, cause):
    assert problem_of(frame, frame.image) is None
    assert problem_of(frame, damaged(kind, frame, severity=5)) == cause


def test_fog_follows_koschmieder_on_the_newest_depth():
    near_and_far = np.repeat(np.array([[2.0, 20.0]], np.float32), 40, axis=0).repeat(40, axis=1)
    frame = rgb(np.full((40, 80, 3), 20))
    fogged = damaged('fog', frame, {DEPTH: depth(near_and_far)}.get, visibility_m=20.0)
    clear = np.exp(np.log(0.02) * np.array([2.0, 20.0]) / 20)
    expected = 20 * clear + 214 * (1 - clear)
    np.testing.assert_allclose(fogged[20, [10, 70], 0], expected, atol=1.5)


def test_fog_without_a_depth_sensor_is_thicker_towards_the_horizon():
    fogged = damaged('fog', rgb(np.full((40, 40, 3), 20)))
    rows = fogged[:, 0, 0].astype(int)
    assert rows[0] == rows[19] > rows[25] > rows[39] > 20


def test_fog_takes_a_depth_of_another_size_and_with_holes():
    holed = np.full((10, 12), 3, np.float32)
    holed[2:5, 2:5] = [[0, np.nan, np.inf]] * 3
    frame = rgb(np.full((40, 80, 3), 20))
    assert damaged('fog', frame, {DEPTH: depth(holed)}.get).min() > 20
    nothing = {DEPTH: depth(np.zeros((10, 12)))}
    np.testing.assert_array_equal(damaged('fog', frame, nothing.get), damaged('fog', frame))


def test_motion_blur_smears_along_its_axis_only():
    columns = rgb(np.tile((np.arange(80) % 8 < 4)[None, :, None] * 200, (60, 1, 3)))
    smeared = partial(damaged, 'motion_blur', columns, severity=5)
    assert smeared().std() < 0.5 * columns.image.std()
    np.testing.assert_array_equal(smeared(vertical=True), columns.image)


@pytest.mark.parametrize('kind', ['defocus', 'motion_blur'])
@pytest.mark.parametrize('severity', range(1, 6))
def test_blur_keeps_the_brightness(kind, severity):
    frame = textured()
    blurred = damaged(kind, frame, severity=severity)
    assert blurred.mean() == pytest.approx(frame.image.mean(), abs=2)


def test_a_rain_drop_shows_the_scene_upside_down():
    picture = np.zeros((160, 160, 3), np.uint8)
    picture[80:] = 200
    wet = damaged('rain', rgb(picture), severity=5, seed=1)
    assert (wet[:60] > 150).any()
    assert (wet[100:] < 50).any()


def test_colour_cast_is_warm_or_cold():
    grey = rgb(np.full((4, 4, 3), 100))
    red, green, blue = damaged('color_cast', grey)[0, 0]
    assert red > green == 100 > blue
    red, green, blue = damaged('color_cast', grey, cold=True)[0, 0]
    assert red < green < blue


def test_flipped_channels_exchange_red_and_blue():
    frame = textured()
    np.testing.assert_array_equal(damaged('flipped_channels', frame), frame.image[..., ::-1])


def test_jpeg_keeps_the_colours_in_their_channels():
    frame = rgb(np.full((64, 64, 3), (200, 100, 30)))
    np.testing.assert_allclose(
        damaged('jpeg', frame, severity=1).reshape(-1, 3).mean(0), (200, 100, 30), atol=6
    )


def test_low_light_is_noisier_against_its_signal_the_darker_it_is():
    grey = rgb(np.full((100, 100, 3), 120))
    ratios = []
    for severity in range(1, 6):
        image = damaged('low_light', grey, severity=severity)
        ratios.append(image.mean() / image.std())
    assert ratios == sorted(ratios, reverse=True)


def test_depth_noise_grows_as_nguyen_found():
    for metres in (1.0, 3.0):
        flat = depth(np.full((200, 200), metres))
        noise = damaged('depth_noise', flat, times=1.0) - metres
        assert noise.std() == pytest.approx(0.0012 + 0.0019 * (metres - 0.4) ** 2, rel=0.05)


def test_quantised_depth_has_steps_that_grow_with_distance():
    ramp = depth(np.linspace(1, 8, 4000)[None])
    steps = np.diff(np.unique(damaged('quantization', ramp, severity=3)))
    assert (np.diff(steps) > 0).all()


def test_bias_keeps_the_order_of_the_distances():
    ramp = depth(np.linspace(0.3, 8, 4000)[None])
    for severity in range(1, 6):
        assert (np.diff(damaged('bias', ramp, severity=severity)) > 0).all()
    assert (damaged('bias', ramp) > ramp.image).all()


def test_flying_pixels_lie_between_the_surfaces_and_only_around_their_edge():
    step = np.full((40, 200), 1.0, np.float32)
    step[:, 100:] = 3.0
    flown = damaged('flying_pixels', depth(step), severity=4)
    changed = np.flatnonzero((flown != step).any(axis=0))
    assert 90 <= changed.min() < 100 <= changed.max() < 110
    assert flown.min() >= 1.0
    assert flown.max() <= 3.0
    assert ((flown > 1.2) & (flown < 2.8)).any()


def test_multipath_draws_a_far_wall_towards_a_near_thing_and_leaves_a_wall_alone_in_peace():
    wall = np.full((64, 64), 4.0, np.float32)
    np.testing.assert_allclose(damaged('multipath', depth(wall), severity=5), wall, rtol=1e-5)
    wall[24:40, 24:40] = 0.8
    bent = damaged('multipath', depth(wall), severity=3)
    assert bent[20, 32] < 3.9
    assert bent[20, 32] < bent[2, 2]
    assert bent[32, 32] < 1.0


@pytest.mark.parametrize(
    'kind', ['depth_noise', 'quantization', 'bias', 'multipath', 'flying_pixels', 'scale_error']
)
def test_what_was_not_measured_stays_so(kind):
    image = relief().image.copy()
    image[:20] = 0
    image[20:30] = np.nan
    image[30:35] = np.inf
    out = damaged(kind, depth(image), severity=2)
    np.testing.assert_array_equal(out[:35], image[:35])
    assert (out[35:] > 0).all()
    assert np.isfinite(out[35:]).all()


def test_sunlight_takes_far_surfaces_before_near_ones():
    halves = np.repeat(np.array([[1.0, 4.0]], np.float32), 100, axis=0).repeat(100, axis=1)
    out = damaged('sunlight', depth(halves), severity=4)
    assert (out[:, :100] == 0).mean() < (out[:, 100:] == 0).mean()


def test_a_misregistered_depth_has_nothing_where_it_looks_past_its_picture():
    out = damaged('misregistration', relief(), severity=5)
    assert (out == 0).any()
    assert set(np.unique(out)) <= {0.0, *np.unique(relief().image)}


def test_an_occlusion_covers_both_sensors_alike_for_one_seed():
    color = damaged('occlusion', rgb(np.full((60, 80, 3), 255)), severity=3, seed=4)
    range_ = damaged('occlusion', depth(np.full((60, 80), 2)), severity=3, seed=4)
    assert ((color[..., 0] < 150) == (range_ == 0)).mean() > 0.99
    assert 0.15 < (range_ == 0).mean() < 0.35


@pytest.mark.parametrize('frame', [textured(), relief()])
def test_resolution_really_changes_the_size(frame):
    sizes = [damaged('resolution', frame, severity=s).shape[:2] for s in range(1, 6)]
    assert sizes == [(40, 53), (30, 40), (20, 27), (15, 20), (8, 10)]

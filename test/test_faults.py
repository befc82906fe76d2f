"""What holds for every fault: its frames, its severity, its seed, its page in the docs."""

import itertools
import runpy
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import streams  # noqa: F401  (reproducible hypothesis profile)
from hypothesis import given, settings
from small_bag import color_of, depth_of

from crodino_core.errors import UsageError
from crodino_core.evaluation.fault_cost import measure_costs
from crodino_core.evaluation.faults import FAULTS, Decides
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame

RGB, DEPTH = Modality.RGB, Modality.DEPTH
FITTING = [(kind, sensor) for kind in sorted(FAULTS) for sensor in sorted(FAULTS[kind].sensors)]
CONTENT = [(kind, sensor) for kind, sensor in FITTING if FAULTS[kind].decides is None]
DOCS = Path(__file__).resolve().parents[1] / 'docs'


def frame(index, modality=RGB):
    image = color_of(index) if modality is RGB else depth_of(index)
    return Frame(modality, image, 1_000_000 * index, 0.1 * index, 'optical')


def newest(modality):
    return frame(0, modality)


def start(kind, previous=None, **parameters):
    return FAULTS[kind].start(previous, parameters, newest)


def same(first, second):
    """Whether two lists of frames are equal, NaN included."""
    return len(first) == len(second) and all(
        (a.stamp_ns, a.arrival, a.frame_id) == (b.stamp_ns, b.arrival, b.frame_id)
        and np.array_equal(a.image, b.image, equal_nan=a.image.dtype == np.float32)
        for a, b in zip(first, second, strict=True)
    )


def test_the_registry_describes_every_fault():
    assert {'drop', 'freeze', 'black'} <= set(FAULTS)
    assert len(FAULTS) >= 30
    for name, kind in FAULTS.items():
        assert kind.name == name
        assert kind.summary and kind.meaning and kind.motive and kind.source
        assert kind.sensors
        assert kind.decides is None or isinstance(kind.decides, Decides)
        assert {'severity', 'seed', kind.measure} <= set(kind.parameters)
        assert len(set(kind.levels)) == 5
        assert sorted(kind.levels) in (list(kind.levels), list(kind.levels)[::-1])


@pytest.mark.parametrize(('kind', 'modality'), FITTING)
def test_a_fault_leaves_its_input_alone_and_keeps_what_a_frame_is(kind, modality):
    for severity in (1, 5):
        push = start(kind, frame(0, modality), severity=severity)
        for index in (1, 2):
            given = frame(index, modality)
            before = given.image.copy()
            for out in push(given):
                assert out.modality is modality
                assert out.image.dtype == given.image.dtype
                assert out.image.ndim == given.image.ndim
                assert kind == 'resolution' or out.size == given.size
                assert out.frame_id == 'optical'
                assert out.arrival >= given.arrival
            np.testing.assert_array_equal(given.image, before)


ODD_DEPTHS = [0.0, -0.0, -1.0, np.nan, np.inf, -np.inf, 1e-30, 3e38, 0.4, 2.5, 65.535]


@st.composite
def odd_frames(draw, modality):
    """Any size, any value that the type can hold, memory in any order."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    if modality is RGB:
        image = rng.choice([0, 1, 127, 254, 255], (height, width, 3)).astype(np.uint8)
    else:
        image = rng.choice(np.array(ODD_DEPTHS, np.float32), (height, width))
    if draw(st.booleans()):
        image = np.asfortranarray(image)
    if draw(st.booleans()):
        image = image[::-1, ::-1]
    image.setflags(write=False)
    return Frame(modality, image, draw(st.integers(0, 2**62)), draw(st.floats(0, 1e9)))


@pytest.mark.parametrize(('kind', 'modality'), CONTENT)
def test_a_content_fault_takes_any_picture_and_repeats_itself_for_a_seed(kind, modality):
    @settings(max_examples=12)
    @given(odd_frames(modality), st.integers(1, 5), st.integers(0, 2**63 - 1))
    def holds(picture, severity, seed):
        first, second = (start(kind, severity=severity, seed=seed) for _ in range(2))
        for _ in range(2):
            (out,) = ours = first(picture)
            assert same(ours, second(picture))
            assert out.image.dtype == picture.image.dtype
            assert out.image.ndim == picture.image.ndim
            assert out.image.size > 0
            assert (out.stamp_ns, out.arrival) == (picture.stamp_ns, picture.arrival)
            assert kind == 'resolution' or out.size == picture.size

    holds()


@pytest.mark.parametrize(('kind', 'modality'), FITTING)
def test_the_same_seed_gives_the_same_frames_and_two_starts_do_not_disturb_each_other(
    kind, modality
):
    first, second = (start(kind, severity=2, seed=9) for _ in range(2))
    ours = [first(frame(index, modality)) for index in range(6)]
    start(kind, seed=4)(frame(0, modality))
    theirs = [second(frame(index, modality)) for index in range(6)]
    assert all(same(a, b) for a, b in zip(ours, theirs, strict=True))


RANDOM = ['holes', 'noise', 'rain', 'dirt', 'sunlight', 'occlusion', 'nan_fill', 'low_light']


@pytest.mark.parametrize('kind', RANDOM)
def test_another_seed_gives_another_picture(kind):
    modality = RGB if RGB in FAULTS[kind].sensors else DEPTH
    one, two = (start(kind, severity=3, seed=seed)(frame(1, modality)) for seed in (0, 1))
    assert not same(one, two)


def test_noise_differs_from_frame_to_frame_but_mud_stays():
    for kind, stays in (('noise', False), ('dirt', True)):
        push = start(kind)
        assert same(push(frame(3)), push(frame(3))) is stays


def large(modality):
    """A picture with edges of every kind, large enough for the slightest fault to show."""
    ys, xs = np.mgrid[0:192, 0:256]
    if modality is RGB:
        rng = np.random.default_rng(5)
        tiles = rng.integers(40, 200, (12, 16, 3), dtype=np.uint8)
        return Frame(modality, tiles[ys // 16, xs // 16], 10**18, 0.0)
    steps = 0.7 + 0.6 * ((xs // 32 + ys // 48) % 4)
    return Frame(modality, (steps + xs * 0.018 + ys * 0.004).astype(np.float32), 10**18, 0.0)


def distance(out, clean):
    """Mean change; a depth that is no longer measured counts as 10 m."""
    image = out.image
    if clean.modality is DEPTH:
        image = np.where(np.isfinite(image) & (image > 0), image, clean.image + 10)
    return float(np.abs(image.astype(np.float64) - clean.image).mean())


@pytest.mark.parametrize(('kind', 'modality'), [c for c in CONTENT if c[0] != 'resolution'])
def test_the_distance_from_clean_grows_with_severity(kind, modality):
    clean = large(modality)
    worse = [0.0]
    for severity in range(1, 6):
        push = FAULTS[kind].start(None, {'severity': severity, 'seed': 3}, large)
        outs = [out for _ in range(12) for out in push(clean)]
        worse.append(float(np.mean([distance(out, clean) for out in outs])))
    assert all(a < b or b == worse[5] == worse[4] for a, b in itertools.pairwise(worse)), worse
    assert worse[1] < worse[3] < worse[5]


@pytest.mark.parametrize(
    'kind', ['holes', 'nan_fill', 'sunlight', 'range_clip', 'occlusion', 'black']
)
def test_what_one_severity_does_not_measure_the_next_does_not_either(kind):
    lost = []
    for severity in range(1, 6):
        (out,) = FAULTS[kind].start(None, {'severity': severity})(large(DEPTH))
        lost.append(~(out.image > 0))
    assert all((a <= b).all() for a, b in itertools.pairwise(lost))
    assert lost[0].mean() < lost[2].mean() < lost[4].mean()


@pytest.mark.parametrize('kind', ['holes', 'nan_fill', 'occlusion'])
@pytest.mark.parametrize('severity', range(1, 6))
def test_a_share_of_the_pixels_is_about_what_was_promised(kind, severity):
    push = FAULTS[kind].start(None, {'severity': severity})
    found = np.mean([~(push(large(DEPTH))[0].image > 0) for _ in range(10)])
    assert found == pytest.approx(FAULTS[kind].levels[severity - 1], abs=0.1)


@pytest.mark.parametrize(('kind', 'modality'), CONTENT)
def test_a_frame_that_is_no_proper_picture_passes_as_it_is(kind, modality):
    push = start(kind)
    improper = [
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((4, 5, 4), np.uint8),
        np.ones((4, 5), np.uint16),
        np.ones((0, 0), np.float32),
    ]
    for image in improper:
        (out,) = push(Frame(modality, image, 1, 0.0))
        assert out.image is image


@pytest.mark.parametrize(
    ('kind', 'parameters', 'reason'),
    [
        ('fog', {'severity': 0}, 'severity is 0; a severity from 1 .slight. to 5 .worst.'),
        ('fog', {'severity': 6}, 'severity is 6'),
        ('fog', {'severity': 2.5}, 'severity is 2.5; an integer was expected'),
        ('fog', {'severity': True}, 'severity is True'),
        ('fog', {'seed': -1}, 'seed is -1'),
        ('fog', {'visibility_m': -3.0}, 'visibility_m is -3.0; a value from 0.1 to'),
        ('fog', {'visibility_m': float('nan')}, 'visibility_m is nan'),
        ('fog', {'visiblity_m': 3.0}, "unknown parameter 'visiblity_m'; known are: severity"),
        ('holes', {'share': 1.5}, 'share is 1.5; a value from 0 to 1'),
        ('delay', {'delay_s': 600}, 'delay_s is 600.0; a value from 0 to 5'),
        ('freeze', {'advance_stamps': 'no'}, "advance_stamps is 'no'; true or false was expected"),
    ],
)
def test_a_wrong_parameter_is_explained(kind, parameters, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        FAULTS[kind].start(None, parameters)
    assert kind in str(caught.value)


def test_a_measure_takes_the_place_of_the_severity():
    by_severity = start('holes', severity=4)(frame(1, DEPTH))
    by_measure = start('holes', severity=1, share=FAULTS['holes'].levels[3])(frame(1, DEPTH))
    assert same(by_severity, by_measure)


@pytest.mark.parametrize('kind', sorted(FAULTS))
def test_every_default_may_be_written_out(kind):
    assert FAULTS[kind].complete(FAULTS[kind].parameters) == FAULTS[kind].parameters


def test_the_cost_of_every_fault_can_be_measured():
    ticks = itertools.count()
    costs = measure_costs((24, 32), repeats=2, clock=lambda: next(ticks) * 1e-3)
    assert set(costs) == set(FITTING)
    assert all(cost == pytest.approx(1.0) for cost in costs.values())


def test_the_page_of_the_docs_is_made_from_the_catalogue():
    page = (DOCS / 'faults.md').read_text(encoding='utf-8')
    gallery = runpy.run_path(str(DOCS / 'fault_gallery.py'))
    assert gallery['table']() in page, 'run: python docs/fault_gallery.py --table'
    assert (DOCS / 'images' / 'faults.png').stat().st_size <= 400_000


@pytest.mark.parametrize('size', [(8, 60), (33, 20)])
def test_the_contact_sheet_takes_pictures_of_any_size(size):
    gallery = runpy.run_path(str(DOCS / 'fault_gallery.py'))
    rgb, depth = np.full((*size, 3), 90, np.uint8), np.full(size, 2, np.float32)
    sheet = gallery['contact_sheet'](rgb, depth, 20)
    assert sheet.dtype == np.uint8
    assert sheet.shape[2] == 3

"""The policy `best`: whose masks have become much worse, and what is served then."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from streams import PERIOD, depth, drive, rgb, stream
from tiny_bundle import make_tiny_bundle

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.evaluation.calibrate import calibrate
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdSample
from crodino_core.runtime.engines import Prediction
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.health import SensorState
from crodino_core.runtime.quality import (
    COMPARE_EVERY,
    LEAVE,
    RETURN,
    ConfidenceFit,
    QualityWatch,
    Signals,
    blur_of,
    read_fits,
)
from crodino_core.runtime.segmenter import FailoverSegmenter, Segmentation
from crodino_core.runtime.selector import FailoverSelector, Selection

RGB, DEPTH = Modality.RGB, Modality.DEPTH
FITS = {m: ConfidenceFit(50.0, -50.0, 100.0) for m in Modality}
"""A confidence of 1.0 stands for 50 points, and each hundredth less for one less."""
UNSURE = 1 - LEAVE / 60
"""Worse by five thirds of the limit: the mean of a second falls behind by more than the limit."""
QUALITY = {
    str(m): {'miou': fit.miou, 'offset': fit.offset, 'slope': fit.slope} for m, fit in FITS.items()
}


def learn(watch: QualityWatch, start: float, end: float, color: float, range_: float) -> None:
    for now in np.arange(start, end - 1e-9, PERIOD):
        watch.learn(RGB, Signals(color), now)
        watch.learn(DEPTH, Signals(range_), now)


def watch_after(seconds: float, color: float, range_: float) -> QualityWatch:
    """Return a watch that saw clean masks for 3 s, then these confidences."""
    watch = QualityWatch(FITS)
    learn(watch, 0.0, 3.0, 1.0, 1.0)
    learn(watch, 3.0, 3.0 + seconds, color, range_)
    return watch


# -- the watch -------------------------------------------------------------------------------


def test_before_anything_is_known_no_sensor_is_worse():
    watch = QualityWatch(FITS)
    assert (watch.worse, watch.expected(RGB)) == (None, None)
    watch.learn(RGB, Signals(0.1), 0.0)
    assert watch.worse is None


def test_a_sensor_whose_confidence_falls_is_left_out_within_a_second():
    assert watch_after(1.0, color=1.0, range_=UNSURE).worse is DEPTH
    assert watch_after(1.0, color=UNSURE, range_=1.0).worse is RGB


def test_a_sensor_that_is_bad_from_the_start_is_left_out_at_once():
    watch = QualityWatch(FITS)
    learn(watch, 0.0, PERIOD, UNSURE, 1.0)
    assert watch.worse is RGB


def test_a_single_unsure_mask_changes_nothing():
    watch = watch_after(PERIOD, color=1.0, range_=0.5)
    assert watch.worse is None
    learn(watch, 3.0 + PERIOD, 5.0, 1.0, 1.0)
    assert watch.worse is None


def test_a_view_that_is_hard_for_both_sensors_changes_nothing():
    assert watch_after(5.0, color=UNSURE, range_=UNSURE).worse is None


def test_between_the_limits_all_stays_as_it_is():
    between = 1 - (LEAVE + RETURN) / 200
    watch = watch_after(10.0, color=1.0, range_=between)
    assert watch.worse is None
    learn(watch, 13.0, 18.0, 1.0, 0.5)
    assert watch.worse is DEPTH
    learn(watch, 18.0, 40.0, 1.0, between)
    assert watch.worse is DEPTH


def test_a_sensor_is_taken_in_again_when_its_masks_are_good_again():
    watch = watch_after(3.0, color=1.0, range_=UNSURE)
    assert watch.worse is DEPTH
    learn(watch, 6.0, 10.0, 1.0, 1.0)
    assert watch.worse is None


def test_when_the_sensors_change_places_the_other_one_is_left_out():
    watch = watch_after(3.0, color=1.0, range_=UNSURE)
    learn(watch, 6.0, 10.0, UNSURE, 1.0)
    assert watch.worse is RGB


def test_masks_seen_seldom_count_as_much_as_the_time_between_them():
    often, seldom = QualityWatch(FITS), QualityWatch(FITS)
    for watch, step in ((often, 0.1), (seldom, 0.5)):
        watch.learn(DEPTH, Signals(1.0), 0.0)
        for now in np.arange(step, 2.01, step):
            watch.learn(DEPTH, Signals(0.6), now)
    assert often.expected(DEPTH) == pytest.approx(seldom.expected(DEPTH))


def test_after_a_time_jump_the_past_counts_no_more():
    watch = watch_after(3.0, color=1.0, range_=UNSURE)
    watch.reset()
    assert watch.worse is None
    watch.learn(DEPTH, Signals(1.0), -100.0)
    assert watch.expected(DEPTH) == 50.0


def test_of_a_blurred_image_nothing_is_expected_however_sure_the_network_is():
    fits = {**FITS, RGB: replace(FITS[RGB], blur_limit=0.8)}
    watch = QualityWatch(fits)
    for now in np.arange(0.0, 1.0, PERIOD):
        watch.learn(DEPTH, Signals(0.9), now)
        watch.learn(RGB, Signals(1.0, blur=0.9), now)
    assert watch.worse is RGB


def test_blur_is_seen_whatever_the_size_of_the_image():
    texture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    for size in ((640, 480), (1280, 960)):
        sharp = cv2.resize(texture, size, interpolation=cv2.INTER_NEAREST)
        blurred = cv2.GaussianBlur(sharp, (0, 0), size[0] / 60)
        assert blur_of(sharp) < 0.6 < 0.75 < blur_of(blurred) < 1


@pytest.mark.parametrize('angle', [0, 45, 90, 135])
def test_motion_blur_is_seen_in_any_direction(angle):
    noise = np.random.default_rng(0)
    scales = [(6 * 2**n, 8 * 2**n, 3) for n in range(5)]  # as in nature, detail of every size
    parts = [cv2.resize(noise.uniform(0, 50, scale), (192, 144)) for scale in scales]
    sharp = np.sum(parts, axis=0).astype(np.uint8)
    streak = np.zeros((21, 21), np.float32)
    reach = 10 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    start, end = (np.rint(10 + sign * reach).astype(int).tolist() for sign in (-1, 1))
    cv2.line(streak, start, end, 1.0)
    smeared = cv2.filter2D(sharp, -1, streak / streak.sum())
    assert blur_of(sharp) < 0.6 < 0.7 < blur_of(smeared)


# -- the selector ----------------------------------------------------------------------------


def selector_of(**options: Any) -> FailoverSelector:
    return FailoverSelector(**{'policy': 'best', 'quality': QualityWatch(FITS), **options})


def both(count: int, phase: float = 0.005) -> list[Frame]:
    frames = [*stream(RGB, count), *stream(DEPTH, count, phase=phase)]
    return sorted(frames, key=lambda frame: frame.arrival)


def serve(
    selector: FailoverSelector, frames: list[Frame], range_: dict[float, float]
) -> list[Selection]:
    """Drive a selector; depth's confidence is the one that began last in `range_`, rgb's is 1."""
    quality, served = selector.quality, []
    assert quality is not None
    for each in drive(_taught(selector, range_), frames):
        served.append(each.selection)
    return served


def _taught(selector: FailoverSelector, range_: dict[float, float]) -> FailoverSelector:
    """Have each selection teach the watch, as the segmenter does."""
    quality = selector.quality
    assert quality is not None

    def taught(decide: Callable[[Any], Selection | None]) -> Callable[[Any], Selection | None]:
        def call(argument: Any) -> Selection | None:
            selection = decide(argument)
            if selection is not None:
                for each in (selection.frame, selection.other, selection.standby):
                    if each is not None:
                        now = range_[max(start for start in range_ if start <= each.arrival)]
                        level = 1.0 if each.modality is RGB else now
                        quality.learn(each.modality, Signals(level), each.arrival)
            return selection

        return call

    selector.observe = taught(selector.observe)  # type: ignore[method-assign]
    selector.poll = taught(selector.poll)  # type: ignore[method-assign]
    return selector


@pytest.mark.parametrize('prefer', list(Modality))
def test_best_fuses_both_sensors_while_both_are_good(prefer):
    served = serve(selector_of(prefer=prefer), both(40), {0: 1.0})
    assert len(served) == 40
    assert all(each.modality is prefer and each.other is not None for each in served[5:])
    assert all(each.standby is None for each in served[5:])


@pytest.mark.parametrize('policy', ['prefer', 'average'])
def test_the_other_policies_pay_no_attention_to_quality(policy):
    selector = selector_of(policy=policy, prefer=DEPTH)
    served = serve(selector, both(60), {0: 1.0, 2.0: 0.4})
    assert selector.worse is (DEPTH if policy == 'average' else None)
    assert {each.modality for each in served} == {DEPTH}
    assert all(each.standby is None for each in served)


def test_best_without_a_calibration_averages():
    frames = both(40)
    fused = [each.selection.other for each in drive(FailoverSelector(policy='average'), frames)]
    best = [each.selection.other for each in drive(FailoverSelector(policy='best'), frames)]
    assert best == fused


@pytest.mark.parametrize('prefer', list(Modality))
def test_a_degraded_sensor_stays_ok_and_is_left_out_without_losing_a_mask(prefer):
    selector = selector_of(prefer=prefer)
    served = serve(selector, both(80), {0: 1.0, 2.0: UNSURE})
    assert all(each.other is None and each.modality is RGB for each in served[32:])
    assert selector.sensors[DEPTH].state is SensorState.OK
    arrivals = [each.frame.arrival for each in served]
    assert max(np.diff(arrivals)) < 1.5 * PERIOD
    assert len(served) == 80


@pytest.mark.parametrize('prefer', list(Modality))
def test_it_is_fused_again_once_it_is_clear(prefer):
    served = serve(selector_of(prefer=prefer), both(120), {0: 1.0, 2.0: UNSURE, 6.0: 1.0})
    fused = [each.other is not None for each in served[5:]]
    assert sum(a != b for a, b in itertools.pairwise(fused)) == 2
    assert fused[-1]
    assert min(np.diff([each.frame.stamp_ns for each in served])) > 0


def test_of_a_sensor_that_is_left_out_the_network_runs_at_a_low_rate():
    served = serve(selector_of(), both(150), {0: 1.0, 2.0: UNSURE})
    looked = [s.standby.arrival for s in served[40:] if s.standby is not None]
    assert min(np.diff(looked)) >= COMPARE_EVERY - PERIOD - 1e-9
    assert len(looked) == pytest.approx(11 / COMPARE_EVERY, rel=0.4)


def test_sensors_that_never_show_the_same_instant_are_compared_all_the_same():
    served = serve(selector_of(prefer=DEPTH), both(80, phase=0.05), {0: 1.0, 2.0: UNSURE})
    assert all(each.other is None for each in served[5:])
    assert {each.modality for each in served[40:]} == {RGB}


def test_only_a_healthy_sensor_is_looked_at():
    served = drive(selector_of(), stream(DEPTH, 30), [rgb(0.0)])
    assert all(each.selection.standby is None for each in served[6:])


def test_a_degraded_sensor_is_served_when_the_better_one_dies():
    selector = selector_of()
    serve(selector, both(80), {0: 1.0, 2.0: UNSURE})
    assert selector.worse is DEPTH
    arrivals = np.arange(8.0, 10.0, PERIOD)
    served = drive(selector, [depth(at + 0.005, seed=i) for i, at in enumerate(arrivals)])
    assert {each.modality for each in served} == {DEPTH}
    assert selector.sensors[RGB].state is SensorState.LOST


def test_a_healthy_stream_never_switches():
    rng = np.random.default_rng(0)
    sways = {index * PERIOD - 0.01: 1 - abs(0.04 * rng.standard_normal()) for index in range(301)}
    served = serve(selector_of(), both(300), sways)
    assert {each.modality for each in served} == {RGB}
    assert all(each.other is not None for each in served[5:])


# -- the segmenter ---------------------------------------------------------------------------


class ConfidentEngine:
    """An engine with a confidence that the test sets; depth and rgb see different classes."""

    name, device, version = 'confident', 'none', '0'

    def __init__(self, confidence: float) -> None:
        self.confidence = confidence
        self.runs = 0

    def prepare(self, size: tuple[int, int]) -> None:
        pass

    def infer(self, image: np.ndarray) -> Prediction:
        self.runs += 1
        level = np.uint8(round(255 * self.confidence))
        logits = np.zeros((2, 6, 8), np.float32)
        return Prediction(
            np.zeros(image.shape[:2], np.uint8), np.full(image.shape[:2], level), logits
        )


@pytest.fixture(scope='module')
def bundle(tmp_path_factory) -> ModelBundle:
    return make_tiny_bundle(tmp_path_factory.mktemp('bundle') / 'tiny')


def segment(
    bundle: ModelBundle, color: float, range_: float, count: int = 40
) -> tuple[list[Segmentation], dict[Modality, ConfidentEngine]]:
    engines = {RGB: ConfidentEngine(color), DEPTH: ConfidentEngine(range_)}
    calibrated = replace(bundle, quality=QUALITY)
    segmenter = FailoverSegmenter(calibrated, policy='best', prefer=DEPTH, engines=engines)
    return [made for each in both(count) if (made := segmenter.offer(each)) is not None], engines


def test_masks_of_two_good_sensors_are_fused(bundle):
    made, engines = segment(bundle, color=0.95, range_=0.9)
    assert all(each.fused and each.modality is DEPTH for each in made[5:])
    assert abs(engines[RGB].runs - engines[DEPTH].runs) <= 3


def test_a_robot_that_starts_with_a_degraded_sensor_soon_leaves_it_out(bundle):
    made, _ = segment(bundle, color=1.0, range_=UNSURE)
    assert {(each.modality, each.fused) for each in made[6:]} == {(RGB, False)}


def test_the_network_that_is_left_out_costs_a_third_at_10_hz(bundle):
    _, engines = segment(bundle, color=1.0, range_=UNSURE, count=90)
    assert engines[RGB].runs == 90
    assert engines[DEPTH].runs <= 36


def test_a_bundle_without_calibration_refuses_the_policy_best(bundle):
    engines = {m: ConfidentEngine(1.0) for m in Modality}
    with pytest.raises(CrodinoError, match=r'not calibrated.*crodino calibrate'):
        FailoverSegmenter(bundle, policy='best', engines=engines)
    FailoverSegmenter(bundle, policy='average', engines=engines)


def test_a_calibration_that_lacks_a_key_is_named(bundle):
    with pytest.raises(CrodinoError, match='offset'):
        read_fits(replace(bundle, quality={m: {'miou': 1.0} for m in ('rgb', 'depth')}))


# -- the calibration -------------------------------------------------------------------------


class SizedEngine(ConfidentEngine):
    """An engine that is right in the upper rows of an image, and knows how many they are."""

    def infer(self, image: np.ndarray) -> Prediction:
        right = int(image.max() if image.ndim == 3 else image.max() * 10)
        mask = np.ones(image.shape[:2], np.uint8)
        mask[:right] = 0
        self.confidence = right / len(image)
        return replace(super().infer(image), mask=mask)


def samples(rights: list[int]) -> list[RgbdSample]:
    label = np.zeros((40, 40), np.uint8)
    return [
        RgbdSample(
            str(right),
            np.full((40, 40, 3), right, np.uint8),
            np.full((40, 40), right / 10, np.float32),
            label,
        )
        for right in rights
    ]


def test_a_calibration_tells_the_quality_of_a_mask_from_its_confidence(bundle, tmp_path):
    engines = {m: SizedEngine(0.0) for m in Modality}
    found = calibrate(bundle, engines, samples(list(range(20, 39))), samples([12, 14]))
    assert found['frames'] == 21
    saved = make_tiny_bundle(tmp_path / 'tiny').with_quality(found)
    fits = read_fits(ModelBundle.load(saved.path))
    assert fits == read_fits(saved)
    for fit in fits.values():
        assert fit.expected(Signals(0.75)) == pytest.approx(37.5, abs=0.5)


def test_too_few_frames_are_no_calibration(bundle):
    with pytest.raises(CrodinoError, match='3 labelled frames are too few'):
        calibrate(bundle, {m: SizedEngine(0.0) for m in Modality}, samples([20, 25, 30]))


def test_a_network_whose_confidence_tells_nothing_is_refused(bundle):
    class Mistaken(SizedEngine):
        def infer(self, image: np.ndarray) -> Prediction:
            made = super().infer(image)
            return replace(made, confidence=255 - made.confidence)

    with pytest.raises(CrodinoError, match='confidence of the rgb network says nothing'):
        calibrate(bundle, {m: Mistaken(0.0) for m in Modality}, samples(list(range(20, 39))))


def test_a_network_that_is_always_equally_sure_cannot_be_calibrated(bundle):
    with pytest.raises(CrodinoError, match='equally confident'):
        calibrate(bundle, {m: ConfidentEngine(0.5) for m in Modality}, samples([20] * 12))

"""Confidence intervals of the mIoU by block bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crodino_core.evaluation.bootstrap import block_length, miou_interval, tally
from crodino_core.iou import miou_of

CLASSES = 3


def confusions(count: int, seed: int = 0, classes: int = CLASSES) -> list[np.ndarray]:
    """Return confusion matrices of frames that differ, with rare classes in them."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(classes * (classes + 1), 0.3), size=count)
    return [rng.multinomial(5000, share).reshape(classes, classes + 1) for share in shares]


def interval(frames: list[np.ndarray], **options: float) -> tuple[float, float]:
    found = miou_interval([tally(frame) for frame in frames], **options)
    assert found is not None
    return found


@given(st.integers(8, 60), st.integers(0, 1000), st.floats(0, 30))
def test_the_interval_contains_the_estimate(count, seed, rate):
    frames = confusions(count, seed)
    low, high = interval(frames, rate=rate, resamples=50)
    assert 0 <= low <= miou_of(sum(frames)) <= high <= 100


@given(st.integers(8, 40), st.integers(0, 1000))
def test_frames_that_are_all_alike_leave_no_doubt(count, seed):
    (frame,) = confusions(1, seed)
    low, high = interval([frame] * count, resamples=50)
    assert low == pytest.approx(miou_of(frame))
    assert high == pytest.approx(low)


@pytest.mark.parametrize('seed', range(5))
def test_the_interval_shrinks_with_the_square_root_of_the_frames(seed):
    widths = []
    for count in (100, 1600):
        low, high = interval(confusions(count, seed))
        widths.append(high - low)
    assert 2.5 < widths[0] / widths[1] < 6.5


def test_frames_that_resemble_their_neighbours_tell_less():
    alone = confusions(40)
    repeated = [frame for frame in alone for _ in range(10)]
    narrow = np.ptp(interval(repeated[::10] * 10))  # as if each of 400 frames were a new one
    wide = np.ptp(interval(repeated, rate=10))
    assert wide > 2 * narrow


def test_it_covers_the_truth_as_often_as_it_says():
    frames = confusions(4000, seed=7)
    truth = miou_of(sum(frames))
    starts = np.random.default_rng(0).integers(0, 3900, 60)
    found = [interval(frames[start : start + 100], resamples=300) for start in starts]
    assert np.mean([low <= truth <= high for low, high in found]) > 0.8


def test_the_same_seed_gives_the_same_interval():
    frames = confusions(30)
    assert interval(frames, seed=3) == interval(frames, seed=3)
    assert interval(frames, seed=3) != interval(frames, seed=4)


def test_too_few_frames_or_none_with_a_label_have_no_interval():
    assert miou_interval([tally(frame) for frame in confusions(7)]) is None
    assert miou_interval([np.zeros((3, CLASSES), np.uint32)] * 20) is None


def test_a_tally_keeps_what_the_miou_needs():
    (frame,) = confusions(1)
    hits, true, predicted = tally(frame).astype(float)
    assert np.mean(hits / (true + predicted - hits)) * 100 == pytest.approx(miou_of(frame))
    assert tally(frame).nbytes == 12 * CLASSES


def test_blocks_are_a_second_long_but_at_least_four_fit():
    assert block_length(1000, rate=30) == 30
    assert block_length(1000) == 10
    assert block_length(40, rate=30) == 10
    assert block_length(2) == 1


def test_an_hour_of_frames_takes_moments_and_little_memory():
    frames = [tally(frame) for frame in confusions(200, classes=13)] * 500
    assert miou_interval(frames, rate=30, resamples=200) is not None

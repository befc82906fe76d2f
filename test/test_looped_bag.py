"""A long bag made of a short one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from small_bag import LABEL_TOPIC, write_small_bag

from crodino_core.evaluation.recording import RecordedFrame
from crodino_core.modality import Modality
from crodino_ros.bags import BagRecording
from crodino_ros.looped_bag import write_looped_bag


@pytest.fixture(scope='module')
def bags(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bags')
    short = write_small_bag(folder / 'short', frames=10)
    return BagRecording(short), BagRecording(write_looped_bag(short, folder / 'long', 5.0))


def frames(recording):
    return [item.frame for item in recording if isinstance(item, RecordedFrame)]


def test_the_messages_come_again_with_times_that_go_on(bags):
    short, long = bags
    assert long.duration >= 5.0
    assert LABEL_TOPIC in long.topics.values()
    found, known = frames(long), frames(short)
    assert len(found) == 6 * len(known)
    for index, frame in enumerate(found):
        np.testing.assert_array_equal(frame.image, known[index % len(known)].image)
    for modality in Modality:
        mine = [frame for frame in found if frame.modality is modality]
        steps = [b.stamp_ns - a.stamp_ns for a, b in itertools.pairwise(mine)]
        arrivals = [b.arrival - a.arrival for a, b in itertools.pairwise(mine)]
        assert min(steps) > 0
        assert np.array(steps) * 1e-9 == pytest.approx(arrivals, abs=1e-6)

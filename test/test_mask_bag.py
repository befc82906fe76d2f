"""The mask bag as Foxglove sees it: pictures, states and ground truth beside the masks."""

import itertools
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from small_bag import LABELS, START_NS, TYPES, BandEngine, write_small_bag

from crodino_core.evaluation.replay import replay
from crodino_core.evaluation.scenario import load_scenario
from crodino_core.labels import UNLABELLED
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.segmenter import FailoverSegmenter, Segmentation
from crodino_core.runtime.selector import FailoverSelector
from crodino_ros.bags import BagRecording
from crodino_ros.mask_bag import DIAGNOSTICS_TOPIC, OVERLAY_TOPIC, TRUTH_TOPIC, MaskBagWriter
from crodino_ros.overlay import draw_overlay


@pytest.fixture(scope='module')
def messages(tmp_path_factory):
    """Topic -> list of (seconds since the recording began, message) of a camera blackout."""
    folder = tmp_path_factory.mktemp('bags')
    recording = BagRecording(write_small_bag(folder / 'walk', frames=40))
    bundle = SimpleNamespace(depth_range=(0.1, 10.0), labels=LABELS, quality=None)
    segmenter = FailoverSegmenter(bundle, engines={m: BandEngine(m) for m in Modality})
    ticks = itertools.count()
    with MaskBagWriter(folder / 'masks', recording.start_ns, LABELS) as writer:
        replay(
            recording,
            segmenter,
            FailoverSelector(),
            load_scenario('camera_blackout'),
            labels=LABELS,
            sink=writer.write,
            label_sink=writer.write_label,
            state_sink=writer.write_states,
            clock=lambda: next(ticks) * 1e-3,
        )
    found: dict = {}
    with AnyReader([folder / 'masks'], default_typestore=TYPES) as reader:
        for connection, time_ns, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            found.setdefault(connection.topic, []).append(((time_ns - START_NS) * 1e-9, message))
    return found


def picture_of(message):
    return cv2.imdecode(message.data, cv2.IMREAD_COLOR)[..., ::-1]


def test_every_mask_has_an_overlay_with_its_stamp(messages):
    masks = [m.header.stamp for _, m in messages['/segmentation/mask']]
    overlays = messages[OVERLAY_TOPIC]
    assert [m.header.stamp for _, m in overlays] == masks
    assert overlays[0][1].format == 'rgb8; jpeg compressed bgr8'
    assert picture_of(overlays[0][1]).shape == (48, 64, 3)


def test_ground_truth_is_there_in_the_colours_of_the_classes(messages):
    truth = messages[TRUTH_TOPIC]
    assert len(truth) == 40
    colors = {tuple(color) for color in picture_of(truth[0][1]).reshape(-1, 3).tolist()}
    assert colors == set(LABELS.colors)


def test_the_states_of_the_sensors_are_diagnostics(messages):
    told = [
        {status.name: (int(status.level), status.message) for status in array.status}
        for _, array in messages[DIAGNOSTICS_TOPIC]
    ]
    camera = [words['replay: rgb'] for words in told]
    states = [state for state, _ in itertools.groupby(m.partition(':')[0] for _, m in camera)]
    assert states == ['ok', 'late', 'lost', 'recovering', 'ok']
    assert next(level for level, message in camera if message.startswith('lost')) == 2
    assert {level for level, _ in (words['replay: depth'] for words in told[1:])} == {0}
    times = [time for time, _ in messages[DIAGNOSTICS_TOPIC]]
    assert max(np.diff(times)) < 1.2


def test_the_pictures_for_people_are_no_larger_than_480_pixels(tmp_path):
    frame = Frame(Modality.DEPTH, np.full((900, 1600), 2.0, np.float32), 1, 0.0)
    mask = np.zeros((900, 1600), np.uint8)
    with MaskBagWriter(tmp_path / 'masks', 0, LABELS) as writer:
        writer.write(Segmentation(mask, mask, Modality.DEPTH, False, 1, '', frame), 0.0)
    with AnyReader([tmp_path / 'masks'], default_typestore=TYPES) as reader:
        overlay = [c for c in reader.connections if c.topic == OVERLAY_TOPIC]
        ((connection, _, data),) = reader.messages(overlay)
        message = reader.deserialize(data, connection.msgtype)
    assert picture_of(message).shape == (270, 480, 3)


def test_pixels_without_a_class_show_the_image():
    image = np.full((2, 2, 3), 100, np.uint8)
    mask = np.array([[0, UNLABELLED], [1, 2]], np.uint8)
    made = Segmentation(mask, mask, Modality.RGB, False, 0, '', Frame(Modality.RGB, image, 0, 0.0))
    drawn = draw_overlay(made, LABELS, 0.5)
    assert drawn[0, 1].tolist() == [100, 100, 100]
    assert drawn[0, 0].tolist() == [150, 70, 70]

"""Two sensors in, one stream of masks out: the whole runtime on a tiny network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from streams import PERIOD, color_image, depth, depth_image, rgb, stream
from tiny_bundle import make_tiny_bundle

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError, UsageError
from crodino_core.modality import Modality
from crodino_core.runtime.arbiter import Arbiter
from crodino_core.runtime.engines import Prediction, load_engines
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.health import HealthSettings, SensorState
from crodino_core.runtime.quality import ConfidenceFit, QualityWatch
from crodino_core.runtime.segmenter import FailoverSegmenter, Segmentation, sanitize_depth
from crodino_core.runtime.selector import Selection

RGB, DEPTH = Modality.RGB, Modality.DEPTH
SIZE = (48, 64)


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    return make_tiny_bundle(tmp_path_factory.mktemp('models') / 'tiny')


@pytest.fixture
def segmenter(bundle: ModelBundle) -> FailoverSegmenter:
    return FailoverSegmenter(bundle, 'onnxruntime')


class RecordingEngine:
    """An engine that keeps what it was given."""

    name, device, version = 'recording', 'none', '0'

    def __init__(self) -> None:
        self.images: list[np.ndarray] = []
        self.sizes: list[tuple[int, int]] = []

    def prepare(self, size: tuple[int, int]) -> None:
        self.sizes.append(size)

    def infer(self, image: np.ndarray) -> Prediction:
        self.images.append(image)
        blank = np.zeros(image.shape[:2], np.uint8)
        return Prediction(blank, blank)


def recording_engines() -> dict[Modality, RecordingEngine]:
    return {modality: RecordingEngine() for modality in Modality}


def recording_segmenter(
    bundle: ModelBundle, **options: str
) -> tuple[FailoverSegmenter, dict[Modality, RecordingEngine]]:
    engines = recording_engines()
    return FailoverSegmenter(bundle, engines=engines, **options), engines


def bright_square() -> np.ndarray:
    image = np.full((*SIZE, 3), 40, np.uint8)
    image[12:36, 16:48] = 220
    return image


def near_square() -> np.ndarray:
    image = np.full(SIZE, 4.0, np.float32)
    image[12:36, 16:48] = 1.0
    return image


def test_a_mask_carries_the_stamp_the_frame_id_and_the_size_of_its_image(segmenter):
    frame = rgb(0.0, bright_square())
    segmentation = segmenter.offer(frame)
    assert segmentation.stamp_ns == frame.stamp_ns
    assert segmentation.frame_id == 'rgb_frame'
    assert segmentation.frame is frame
    assert (segmentation.modality, segmentation.fused) == (RGB, False)
    assert segmentation.mask.shape == segmentation.confidence.shape == SIZE
    assert segmentation.mask[24, 32] == 1 and segmentation.mask[2, 2] == 0


def test_masks_go_on_with_depth_when_the_camera_dies(segmenter):
    for color, range_ in zip(stream(RGB, 10), stream(DEPTH, 10, phase=0.005), strict=True):
        assert segmenter.offer(color) is not None
        assert segmenter.offer(range_) is None
    frame = depth(1.005, near_square())
    assert segmenter.offer(frame) is None
    segmentation = segmenter.check(segmenter.deadline())
    assert segmentation.modality is DEPTH
    assert segmentation.frame is frame
    assert segmentation.mask[24, 32] == 1 and segmentation.mask[2, 2] == 0


def test_a_black_image_does_not_reach_the_engine(bundle):
    segmenter, engines = recording_segmenter(bundle)
    assert segmenter.offer(rgb(0.0, np.zeros((*SIZE, 3), np.uint8))) is None
    assert not engines[RGB].images


@pytest.mark.parametrize(
    ('health', 'valid'), [(None, True), (HealthSettings(depth_range=(0.1, 20.0)), False)]
)
def test_depth_is_valid_as_far_as_the_network_looks_unless_told_otherwise(bundle, health, valid):
    far = replace(bundle, depth_range=(1.0, 1250.0))
    segmenter = FailoverSegmenter(far, health=health, engines=recording_engines())
    segmenter.observe(depth(0.0, depth_image() * 100))
    assert (segmenter.sensors[DEPTH].state is SensorState.OK) is valid


def test_frames_that_change_their_size_midway_are_segmented(segmenter):
    sizes = [(48, 64), (24, 32), (60, 80), (48, 64)]
    for index, size in enumerate(sizes):
        segmentation = segmenter.offer(rgb(index * PERIOD, color_image(index, size)))
        assert segmentation.mask.shape == size
    assert segmenter.sensors[RGB].counts['size change'] == 3


def test_the_standby_engine_knows_the_size_before_it_is_needed(bundle):
    segmenter, engines = recording_segmenter(bundle)
    segmenter.offer(rgb(0.0, color_image(size=SIZE)))
    segmenter.offer(depth(0.005, depth_image(size=(24, 32))))
    assert engines[DEPTH].sizes == [(24, 32)]
    assert not engines[DEPTH].images


def test_each_network_is_prepared_for_its_own_sensor(bundle):
    segmenter, engines = recording_segmenter(bundle)
    segmenter.prepare(RGB, SIZE)
    segmenter.prepare(DEPTH, (24, 32))
    assert (engines[RGB].sizes, engines[DEPTH].sizes) == ([SIZE], [(24, 32)])


def test_the_depth_network_sees_zero_where_depth_is_invalid(bundle):
    segmenter, engines = recording_segmenter(bundle, prefer=DEPTH)
    image = near_square()
    image[0, :6] = [np.nan, np.inf, -np.inf, 10.5, 0.05, -1.0]
    segmenter.offer(depth(0.0, image))
    np.testing.assert_array_equal(engines[DEPTH].images[0][0, :6], 0)
    np.testing.assert_array_equal(engines[DEPTH].images[0][1:], image[1:])
    assert np.isnan(image[0, 0])


def test_sanitized_depth_stays_float32_and_keeps_the_ends_of_the_range():
    clean = sanitize_depth(np.array([[0.1, 10.0, np.nan]], np.float32), (0.1, 10.0))
    assert clean.dtype == np.float32
    np.testing.assert_array_equal(clean, np.float32([[0.1, 10.0, 0.0]]))


def test_a_void_mask_is_unlabelled_everywhere(bundle):
    segmenter, engines = recording_segmenter(bundle, when_none='void')
    frame = rgb(0.0, np.zeros((*SIZE, 3), np.uint8))
    segmentation = segmenter.offer(frame)
    assert segmentation.modality is None
    assert segmentation.stamp_ns == frame.stamp_ns
    assert (segmentation.mask == 255).all() and segmentation.mask.shape == SIZE
    assert (segmentation.confidence == 0).all()
    assert not engines[RGB].images


@pytest.fixture(scope='module')
def averaging(bundle: ModelBundle) -> FailoverSegmenter:
    return FailoverSegmenter(bundle, 'onnxruntime', policy='average')


def averaged(segmenter: FailoverSegmenter, color: np.ndarray, range_: np.ndarray) -> Segmentation:
    return segmenter.segment(Selection(rgb(0.0, color), depth(0.0, range_)))


def test_the_average_of_two_sure_networks_is_their_common_mask(averaging, segmenter):
    fused = averaged(averaging, bright_square(), near_square())
    alone = segmenter.segment(Selection(rgb(0.0, bright_square())))
    assert fused.fused and fused.modality is RGB
    assert (fused.mask == alone.mask).mean() > 0.98
    assert fused.confidence[24, 32] > 250


def test_in_the_average_the_surer_network_wins(averaging):
    unsure = np.full((*SIZE, 3), 127, np.uint8)
    fused = averaged(averaging, unsure, near_square())
    assert fused.mask[24, 32] == 1 and fused.mask[2, 2] == 0
    assert 180 < fused.confidence[24, 32] < 200


def test_the_average_has_the_size_of_the_frame_it_is_stamped_with(averaging):
    fused = averaged(averaging, color_image(size=(60, 80)), near_square())
    assert fused.mask.shape == fused.confidence.shape == (60, 80)
    assert fused.mask.dtype == fused.confidence.dtype == np.uint8


def test_the_average_is_offered_once_both_frames_are_there(averaging):
    averaging.reset(0.0)
    fused = []
    for color, range_ in zip(stream(RGB, 10), stream(DEPTH, 10, phase=0.005), strict=True):
        results = averaging.offer(color), averaging.offer(range_)
        fused += [result for result in results if result is not None and result.fused]
    assert len(fused) >= 5
    assert all(each.frame.modality is RGB for each in fused)


def test_engines_without_logits_cannot_average(bundle):
    engines = load_engines(bundle, 'onnxruntime').engines
    segmenter = FailoverSegmenter(bundle, engines=engines, policy='average')
    with pytest.raises(CrodinoError, match='logits=True'):
        averaged(segmenter, bright_square(), near_square())


def test_a_look_at_the_other_sensor_that_was_made_meanwhile_is_not_repeated(bundle):
    segmenter, engines = recording_segmenter(bundle)
    segmenter.selector.arbiter = Arbiter('best')
    fits = dict.fromkeys(Modality, ConfidenceFit(50.0, -50.0, 100.0))
    segmenter.selector.quality = QualityWatch(fits)
    decided_ahead = [Selection(rgb(at), standby=depth(at)) for at in (0.0, PERIOD)]
    for selection in decided_ahead:
        segmenter.compare(selection)
    assert (len(engines[RGB].images), len(engines[DEPTH].images)) == (0, 1)
    segmenter.compare(Selection(rgb(1.0), standby=depth(1.0)))
    assert len(engines[DEPTH].images) == 2


def test_a_time_jump_is_passed_on(segmenter):
    segmenter.offer(rgb(100.0))
    segmenter.reset(0.0)
    assert segmenter.deadline() is None
    assert segmenter.offer(rgb(0.0)) is not None


def test_an_unknown_option_is_refused_before_a_network_is_loaded(bundle):
    with pytest.raises(UsageError, match='policy'):
        FailoverSegmenter(bundle, 'no engine', policy='loudest')


def test_the_five_lines_of_the_readme(bundle):
    segmenter = FailoverSegmenter(ModelBundle.load(bundle.path))
    frame = Frame(Modality.RGB, bright_square(), stamp_ns=1, arrival=0.0)
    segmentation = segmenter.offer(frame)
    assert segmentation.mask.max() == 1

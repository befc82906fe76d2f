"""Scores of a bundle on a data set, and the protocols of failing sensors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_data_set import CLASSES, write_small_data_set
from tiny_bundle import make_tiny_bundle

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError, UsageError
from crodino_core.evaluation import protocols
from crodino_core.evaluation.evaluate import evaluate_bundle, scores_of
from crodino_core.labels import LabelSet
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdFolder
from crodino_core.runtime.engines import Prediction

BOTH, RGB, DEPTH = frozenset(Modality), frozenset({Modality.RGB}), frozenset({Modality.DEPTH})
LABELS = LabelSet(CLASSES, ((0, 0, 0), (10, 20, 30), (200, 0, 0)))
FAKE = ModelBundle(
    path=Path('nowhere'),
    name='fake',
    labels=LABELS,
    input_size=(64, 96),
    rgb_mean=(0.5, 0.4, 0.3),
    rgb_std=(0.2, 0.2, 0.2),
    depth_range=(0.5, 4.0),
    opset=17,
    sha256={},
)


class ThresholdEngine:
    """Sees the red picture in colour and the near box in depth; keeps what it was given."""

    name, device, version = 'fake', 'CPU', '1'

    def __init__(self) -> None:
        self.images: list[np.ndarray] = []

    def prepare(self, size: tuple[int, int]) -> None:
        """Nothing to do."""

    def infer(self, image: np.ndarray) -> Prediction:
        self.images.append(image)
        if image.ndim == 3:
            mask = np.where(image[..., 0] > image[..., 1].astype(int) + 60, 2, 0)
        else:
            mask = np.where((image > 0) & (image < 2), 1, 0)
        logits = np.eye(3, dtype=np.float32)[mask].transpose(2, 0, 1) * 20
        return Prediction(mask.astype(np.uint8), np.full(mask.shape, 255, np.uint8), logits)


Engines = dict[Modality, ThresholdEngine]


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> RgbdFolder:
    return RgbdFolder(write_small_data_set(tmp_path_factory.mktemp('data') / 'room'))


@pytest.fixture(scope='module')
def bundle() -> ModelBundle:
    return FAKE


@pytest.fixture
def engines() -> Engines:
    return {m: ThresholdEngine() for m in Modality}


def test_each_network_is_scored_alone(
    bundle: ModelBundle, engines: Engines, folder: RgbdFolder
) -> None:
    report = evaluate_bundle(bundle, engines, folder, 'test')

    rgb, depth = report['scores']['rgb'], report['scores']['depth']
    assert rgb['iou']['picture'] == 100 and rgb['iou']['box'] == 0
    assert depth['iou']['box'] == 100 and depth['iou']['picture'] == 0
    assert (report['frames'], report['data'], report['classes']) == (2, 'room', list(CLASSES))


def test_the_average_of_both_networks_is_scored_beside_each_alone(
    bundle: ModelBundle, engines: Engines, folder: RgbdFolder
) -> None:
    report = evaluate_bundle(bundle, engines, folder, 'test')

    scores = report['scores']
    assert set(scores) == {'rgb', 'depth', 'average'}
    assert report['summary'] == {f'miou_{name}': scores[name]['miou'] for name in scores}
    # Where one network is sure of its object and the other of the background, it is a tie.
    assert scores['average']['iou'] == scores['average']['iou'] | {'box': 0, 'picture': 0}


def test_the_report_is_plain_json(
    bundle: ModelBundle, engines: Engines, folder: RgbdFolder
) -> None:
    for protocol in protocols.PROTOCOLS:
        report = evaluate_bundle(bundle, engines, folder, 'test', protocol)
        assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_unlabelled_pixels_do_not_count(
    bundle: ModelBundle, engines: Engines, folder: RgbdFolder
) -> None:
    report = evaluate_bundle(bundle, engines, folder, 'test')

    labelled = sum((folder.read(name).label != 255).sum() for name in folder.names('test'))
    assert np.sum(report['scores']['rgb']['confusion']) == labelled


def test_figures_of_a_confusion_matrix_by_hand() -> None:
    #        a  b  c  no class
    table = [[6, 1, 0, 1], [2, 2, 0, 0], [0, 0, 0, 0]]

    scores = scores_of(np.array(table), ('a', 'b', 'c'))

    assert scores['iou'] == pytest.approx({'a': 60.0, 'b': 40.0, 'c': None})
    assert scores['miou'] == pytest.approx(50.0)
    assert scores['pixel_accuracy'] == pytest.approx(100 * 8 / 12)
    assert scores['accuracy'] == pytest.approx({'a': 75.0, 'b': 50.0, 'c': None})
    assert scores['mean_class_accuracy'] == pytest.approx(62.5)
    assert scores['confusion'] == table


def test_nothing_counted_gives_no_figures() -> None:
    scores = scores_of(np.zeros((2, 3), np.int64), ('a', 'b'))

    assert scores['miou'] is scores['pixel_accuracy'] is scores['mean_class_accuracy'] is None


# --- EMM


def test_the_expected_miou_weighs_states_by_their_probability() -> None:
    found = protocols.expected_miou({BOTH: 60.0, RGB: 50.0, DEPTH: 20.0}, 0.1)

    assert found == pytest.approx((0.81 * 60 + 0.09 * 50 + 0.09 * 20) / (0.81 + 0.09 + 0.09))


def test_emm_scores_every_combination_of_sensors(
    bundle: ModelBundle, engines: Engines, folder: RgbdFolder
) -> None:
    report = evaluate_bundle(bundle, engines, folder, 'test', 'emm', prefer=Modality.DEPTH)

    miou = {state: scores['miou'] for state, scores in report['scores'].items()}
    assert set(miou) == {'full', 'rgb', 'depth'}
    assert report['scores']['full'] == report['scores']['depth']  # the preferred one is served
    assert report['summary']['average'] == pytest.approx(sum(miou.values()) / 3)
    assert set(report['summary']) == {
        'average', 'expected_at_0.2', 'expected_at_0.1', 'expected_at_0.05'
    }  # fmt: skip


@pytest.mark.parametrize('policy', ['best', 'nonsense'])
@pytest.mark.parametrize('protocol', ['clean', 'emm'])
def test_a_policy_that_single_frames_cannot_show_is_refused(
    bundle: ModelBundle, engines: Engines, folder: RgbdFolder, protocol: str, policy: str
) -> None:
    with pytest.raises(UsageError, match='prefer, average were expected'):
        evaluate_bundle(bundle, engines, folder, 'test', protocol, policy=policy)


def test_emm_with_averaging_fuses_both_networks(
    bundle: ModelBundle, engines: Engines, folder: RgbdFolder
) -> None:
    report = evaluate_bundle(bundle, engines, folder, 'test', 'emm', policy='average')

    full, rgb = report['scores']['full'], report['scores']['rgb']
    assert full['confusion'] != rgb['confusion']


# --- RMM and NM


def test_rmm_damages_each_sensors_own_images(
    bundle: ModelBundle, engines: Engines, folder: RgbdFolder
) -> None:
    report = evaluate_bundle(bundle, engines, folder, 'test', 'rmm')

    assert list(report['scores']) == [
        f'{m} {rate}' for m in Modality for rate in (0.25, 0.5, 0.75)
    ]
    lost = [(image == 0).mean() for image in engines[Modality.DEPTH].images[:3]]
    whole = (folder.read(folder.names('test')[0]).depth == 0).mean()
    expected = [whole + rate * (1 - whole) for rate in (0.25, 0.5, 0.75)]
    assert lost == pytest.approx(expected, abs=0.03)


def test_a_missing_element_of_colour_is_zero_after_normalisation(bundle: ModelBundle) -> None:
    image = np.full((40, 50, 3), 7, np.uint8)

    damaged = protocols.zero_elements(image, bundle, 0.5, np.random.default_rng(0))

    missing = damaged != 7
    assert missing.mean() == pytest.approx(0.5, abs=0.03)
    for channel, mean in enumerate(bundle.rgb_mean):
        assert set(damaged[..., channel][missing[..., channel]]) == {round(255 * mean)}
    assert not np.array_equal(missing[..., 0], missing[..., 1])  # elements, not pixels


def test_nm_names_its_levels_and_harms_more_with_each(
    bundle: ModelBundle, engines: Engines, folder: RgbdFolder
) -> None:
    scores = evaluate_bundle(bundle, engines, folder, 'test', 'nm')['scores']

    assert list(scores) == [
        f'{m} {level}' for m in Modality for level in ('low', 'medium', 'high')
    ]
    for m in Modality:
        low, medium, high = (scores[f'{m} {level}']['miou'] for level in protocols.NOISE_LEVELS)
        assert low > medium > high


def test_noise_has_the_documented_strength(bundle: ModelBundle) -> None:
    rng = np.random.default_rng(0)
    grey, plane = np.full((90, 90, 3), 128, np.uint8), np.full((90, 90), 2.0, np.float32)

    colour = protocols.add_noise(grey, bundle, 0.0, 0.1, rng).astype(float)
    depth = protocols.add_noise(plane, bundle, 0.0, 0.1, rng)

    assert (colour - 128).std() == pytest.approx(0.1 * 0.2 * 255, rel=0.05)
    assert (depth - 2).std() == pytest.approx(0.1 * 3.5, rel=0.05)


def test_salt_and_pepper_are_the_ends_of_the_range(bundle: ModelBundle) -> None:
    rng = np.random.default_rng(0)
    grey, plane = np.full((90, 90, 3), 128, np.uint8), np.full((90, 90), 2.0, np.float32)

    colour = protocols.add_noise(grey, bundle, 0.2, 0.0, rng)
    depth = protocols.add_noise(plane, bundle, 0.2, 0.0, rng)

    for image, salt, pepper in ((colour[..., 0], 255, 0), (depth, 4.0, 0)):
        assert (image == salt).mean() == pytest.approx(0.1, abs=0.02)
        assert (image == pepper).mean() == pytest.approx(0.1, abs=0.02)
    assert (np.ptp(colour, axis=-1) == 0).all()  # pixels, not elements


def test_noise_measures_nothing_where_the_sensor_did_not(bundle: ModelBundle) -> None:
    depth = np.zeros((50, 50), np.float32)

    noisy = protocols.add_noise(depth, bundle, 0.5, 0.5, np.random.default_rng(0))

    assert not noisy.any() and noisy.dtype == np.float32


@pytest.mark.parametrize('protocol', ['rmm', 'nm'])
def test_the_same_seed_gives_the_same_report(
    bundle: ModelBundle, engines: Engines, folder: RgbdFolder, protocol: str
) -> None:
    first, again, other = (
        evaluate_bundle(bundle, engines, folder, 'test', protocol, seed=seed) for seed in (1, 1, 2)
    )

    assert first == again
    assert first['scores'] != other['scores']


def fused_scores(folder: RgbdFolder, protocol: str) -> tuple[dict, dict]:
    """Return the report with the policy `average`, and the scores without."""
    engines = {m: ThresholdEngine() for m in Modality}
    report, alone = (
        evaluate_bundle(FAKE, engines, folder, 'test', protocol, policy=policy)
        for policy in ('average', None)
    )
    return report, alone['scores']


@pytest.mark.parametrize('protocol', ['rmm', 'nm'])
def test_a_damaged_sensor_is_also_averaged_with_the_other_whole_one(
    folder: RgbdFolder, protocol: str
) -> None:
    report, alone = fused_scores(folder, protocol)

    fused = {state: report['scores'][f'{state} full'] for state in alone}
    assert report['policy'] == 'average'
    assert report['scores'] == alone | {f'{state} full': s for state, s in fused.items()}
    assert all(fused[state]['confusion'] != alone[state]['confusion'] for state in alone)
    for m in Modality:
        expected = np.mean([s['miou'] for state, s in fused.items() if state.startswith(str(m))])
        assert report['summary'][f'miou_{m}_full'] == pytest.approx(expected)


def test_a_fused_state_is_the_mean_of_the_damaged_and_the_whole_image(
    bundle: ModelBundle, engines: Engines, folder: RgbdFolder
) -> None:
    evaluate_bundle(bundle, engines, folder, 'test', 'rmm', policy='average')

    whole = {m: getattr(folder.read(folder.names('test')[0]), str(m)) for m in Modality}
    rgb = engines[Modality.RGB].images
    # Of the first frame: damaged alone (3), damaged beside whole depth (3), whole (3).
    assert all(np.array_equal(rgb[i], rgb[i + 3]) for i in range(3))
    assert all(np.array_equal(rgb[i], whole[Modality.RGB]) for i in range(6, 9))
    depth = engines[Modality.DEPTH].images
    assert all(np.array_equal(depth[i], whole[Modality.DEPTH]) for i in range(3, 6))
    assert all(np.array_equal(depth[i], depth[i + 3 + 3]) for i in range(3))


@pytest.mark.parametrize(
    ('protocol', 'policy', 'reported'),
    [('clean', None, None), ('rmm', None, None), ('nm', None, None), ('emm', None, 'prefer rgb'),
     ('emm', 'prefer', 'prefer rgb'), ('emm', 'average', 'average'), ('nm', 'average', 'average')],
)  # fmt: skip
def test_the_report_names_the_policy_that_served_and_no_other(
    bundle: ModelBundle,
    engines: Engines,
    folder: RgbdFolder,
    protocol: str,
    policy: str | None,
    reported: str | None,
) -> None:
    report = evaluate_bundle(bundle, engines, folder, 'test', protocol, policy=policy)

    assert report['policy'] == reported


# --- refusals


@pytest.mark.parametrize(
    ('protocol', 'policy', 'expected'),
    [('clean', 'prefer', 'none'), ('clean', 'average', 'none'), ('rmm', 'prefer', 'average or'),
     ('nm', 'prefer', 'average or none')],
)  # fmt: skip
def test_a_policy_that_makes_no_difference_is_refused(
    bundle: ModelBundle,
    engines: Engines,
    folder: RgbdFolder,
    protocol: str,
    policy: str,
    expected: str,
) -> None:
    with pytest.raises(UsageError, match=f'no difference in the protocol {protocol}; {expected}'):
        evaluate_bundle(bundle, engines, folder, 'test', protocol, policy=policy)


@pytest.mark.parametrize(
    ('protocol', 'policy'), [('clean', None), ('rmm', None), ('nm', 'average'), ('emm', 'average')]
)
def test_a_preference_that_nothing_is_served_by_is_refused(
    bundle: ModelBundle, engines: Engines, folder: RgbdFolder, protocol: str, policy: str | None
) -> None:
    with pytest.raises(UsageError, match=rf'protocol {protocol} .* prefers no sensor; leave it'):
        evaluate_bundle(
            bundle, engines, folder, 'test', protocol, policy=policy, prefer=Modality.DEPTH
        )


def test_an_unknown_protocol_is_refused(
    bundle: ModelBundle, engines: Engines, folder: RgbdFolder
) -> None:
    with pytest.raises(UsageError, match='clean, emm, rmm, nm were expected'):
        evaluate_bundle(bundle, engines, folder, 'test', 'cleam')


def test_data_with_other_classes_is_refused(folder: RgbdFolder, tmp_path: Path) -> None:
    tiny = make_tiny_bundle(tmp_path / 'tiny')
    with pytest.raises(CrodinoError, match='background, box, picture; those of the bundle tiny'):
        evaluate_bundle(tiny, {}, folder, 'test')

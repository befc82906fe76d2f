"""A labelled bag into the folder format, and the pairing by stamps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from small_bag import LABELS, color_of, depth_of, label_of, write_small_bag
from small_data_set import small_config

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.labels import LabelSet
from crodino_core.learning.config import load_config
from crodino_core.learning.data.check import check_data
from crodino_core.learning.data.samples import training_batches
from crodino_core.learning.data.stamp_pairing import Trio, pair_by_stamp
from crodino_core.rgbd_folder import RgbdFolder
from crodino_ros.bag_data_set import data_set_from_bag

BAGS = Path(__file__).resolve().parents[2] / 'shared' / 'bags'
REPLICA = BAGS.parent / 'data' / 'replica_apt0'
MS = 1_000_000


def stamps(*milliseconds: float) -> list[int]:
    return [round(value * MS) for value in milliseconds]


# --- pairing


def test_the_nearest_images_within_half_a_period_belong_together() -> None:
    trios, left = pair_by_stamp(
        {
            'rgb': stamps(0, 100, 200, 300),
            'depth': stamps(3, 103, 203, 303),
            'label': stamps(0, 200),
        }
    )

    assert trios == [Trio(0, 3 * MS, 0), Trio(200 * MS, 203 * MS, 200 * MS)]
    assert dict(left) == {'colour images without a label and a depth image': 2}


def test_a_label_whose_image_was_lost_is_left_with_its_reason() -> None:
    trios, left = pair_by_stamp(
        {
            'rgb': stamps(0, 100, 300, 400, 500),
            'depth': stamps(0, 100, 200, 300, 400),
            'label': stamps(0, 100, 200, 300, 400, 500),
        }
    )

    assert [trio.label for trio in trios] == stamps(0, 100, 300, 400)
    assert dict(left) == {
        'labels without a colour image': 1,
        'labels without a depth image': 1,
        'colour images without a label and a depth image': 1,
    }


def test_no_image_is_used_twice() -> None:
    trios, left = pair_by_stamp(
        {'rgb': stamps(0, 100), 'depth': stamps(0, 100), 'label': stamps(95, 101)}
    )

    assert trios == [Trio(100 * MS, 100 * MS, 101 * MS)]
    assert left['labels without a colour image'] == 1


def test_a_repeated_stamp_is_counted_once_and_said() -> None:
    trios, left = pair_by_stamp(
        {'rgb': stamps(0, 100, 100), 'depth': stamps(0, 100), 'label': stamps(0, 100)}
    )

    assert len(trios) == 2
    assert dict(left) == {'colour images with the stamp of another one': 1}


@pytest.mark.parametrize('missing', ['rgb', 'depth', 'label'])
def test_without_one_of_the_three_nothing_is_paired(missing: str) -> None:
    three = {role: stamps(0, 100) for role in ('rgb', 'depth', 'label')}

    trios, left = pair_by_stamp({**three, missing: []})

    assert trios == [] and left


def test_one_image_of_each_is_enough() -> None:
    trios, _ = pair_by_stamp({'rgb': stamps(0), 'depth': stamps(3), 'label': stamps(0)})

    assert trios == [Trio(0, 3 * MS, 0)]


# --- bags


@pytest.mark.parametrize(
    ('storage', 'color', 'depth'),
    [('mcap', 'rgb8', '32FC1'), ('sqlite3', 'png', '16UC1'), ('mcap', 'bgr8', 'compressedDepth')],
)
def test_frames_of_a_bag_come_back_as_they_were_recorded(
    tmp_path: Path, storage: str, color: str, depth: str
) -> None:
    bag = write_small_bag(
        tmp_path / 'walk', storage=storage, color=color, depth=depth, frames=6, pause_before=3
    )

    written = data_set_from_bag(bag, tmp_path / 'data', split='val', labels=LABELS)

    assert written.frames == {'val': 6} and not written.left
    data = RgbdFolder(tmp_path / 'data')
    assert data.labels == LABELS
    for index, name in enumerate(data.names('val')):
        sample = data.read(name)
        assert name == f'walk/{index:06d}'
        assert np.array_equal(sample.rgb, color_of(index))
        assert np.allclose(sample.depth, depth_of(index), atol=1e-5)
        assert np.array_equal(sample.label, label_of(index))


def test_every_third_labelled_frame_is_taken_if_asked(tmp_path: Path) -> None:
    bag = write_small_bag(tmp_path / 'walk', frames=7)

    written = data_set_from_bag(bag, tmp_path / 'data', every=3)

    data = RgbdFolder(tmp_path / 'data')
    found = [data.read(name).label for name in data.names('train')]
    assert [np.array_equal(a, label_of(i)) for a, i in zip(found, (0, 3, 6), strict=True)]
    assert dict(written.left) == {'labelled frames by --every': 4}
    with pytest.raises(UsageError, match='every is 0'):
        data_set_from_bag(bag, tmp_path / 'other', every=0)


@pytest.mark.parametrize('split', ['', ' ', 'train val', 'a/b'])
def test_a_split_without_a_proper_name_is_refused(tmp_path: Path, split: str) -> None:
    with pytest.raises(UsageError, match='a name of letters, digits'):
        data_set_from_bag(tmp_path / 'walk', tmp_path / 'data', split=split)


def test_classes_without_names_are_numbered(tmp_path: Path) -> None:
    data_set_from_bag(write_small_bag(tmp_path / 'walk', frames=2), tmp_path / 'data')

    assert RgbdFolder(tmp_path / 'data').labels.names == ('class_0', 'class_1', 'class_2')


def test_a_bag_without_labels_is_refused(tmp_path: Path) -> None:
    bag = write_small_bag(tmp_path / 'walk', frames=2, labels=False)

    with pytest.raises(CrodinoError, match='has no labels; name the topic'):
        data_set_from_bag(bag, tmp_path / 'data')
    assert not (tmp_path / 'data').exists()


def test_a_bag_whose_ground_truth_is_a_picture_is_refused_with_the_reason(tmp_path: Path) -> None:
    bag = write_small_bag(tmp_path / 'walk', frames=2, label_encoding='rgb8')
    with pytest.raises(CrodinoError, match=r"has no labels; .*'rgb8'.*; name the topic"):
        data_set_from_bag(bag, tmp_path / 'data')


def test_a_label_outside_the_given_classes_is_refused(tmp_path: Path) -> None:
    bag = write_small_bag(tmp_path / 'walk', frames=2)

    with pytest.raises(CrodinoError, match='have the value 2; 0 to 1 or 255'):
        data_set_from_bag(
            bag, tmp_path / 'data', labels=LabelSet(LABELS.names[:2], LABELS.colors[:2])
        )


def test_a_bag_that_was_cut_off_gives_the_frames_that_are_left(tmp_path: Path) -> None:
    bag = write_small_bag(tmp_path / 'walk', frames=40, size=(96, 160))
    file = next(bag.glob('*.mcap'))
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 4 // 5])

    written = data_set_from_bag(bag, tmp_path / 'data')

    assert 15 < written.frames['train'] < 40
    assert any('of 120 messages are readable' in reason for reason in written.left)


@pytest.mark.skipif(not BAGS.is_dir(), reason='the recorded bags are not here')
@pytest.mark.parametrize('name', ['apt0_short_sqlite3', 'apt0_float_depth_mcap'])
def test_recorded_bags_pass_the_check_and_hold_the_frames_of_their_data_set(
    tmp_path: Path, name: str
) -> None:
    labels = LabelSet.from_yaml(REPLICA / 'classes.yaml')

    written = data_set_from_bag(
        BAGS / name, tmp_path / 'data', every=10, split='test', labels=labels
    )

    data = RgbdFolder(tmp_path / 'data')
    report = check_data(data)
    assert report.errors == [] and not [w for w in report.warnings if 'class' not in w]
    assert sum(written.frames.values()) == len(range(0, {'s': 60, 'f': 40}[name[5]], 10))
    first = {'s': 160, 'f': 169}[name[5]]
    original = RgbdFolder(REPLICA).read(f'first_floor/{first:04d}')
    sample = data.read(data.names('test')[0])
    assert np.array_equal(sample.label, original.label[::2, ::2])
    seen = sample.depth > 0
    assert np.allclose(sample.depth[seen], original.depth[::2, ::2][seen], atol=0.0006)


def test_what_a_bag_gave_can_be_trained_on(tmp_path: Path) -> None:
    bag = write_small_bag(tmp_path / 'walk', frames=3, size=(64, 96))
    data_set_from_bag(bag, tmp_path / 'data', labels=LABELS)
    path = tmp_path / 'config.yaml'
    path.write_text(yaml.safe_dump(small_config(tmp_path / 'data')))

    batch = next(training_batches(load_config(path), LABELS, first_step=0))

    assert batch['rgb'].shape == (2, 3, 48, 64) and batch['depth'].shape == (2, 1, 48, 64)
    assert set(batch['rgb_label'].unique().tolist()) <= {0, 1, 2, 255}
    assert (batch['depth_label'] != 255).any()

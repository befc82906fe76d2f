"""What the check of a data set finds before training does."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_data_set import CLASSES, write_small_data_set

from crodino_core.learning.data.check import DataReport, check_data
from crodino_core.learning.data.scenes import Camera, Scene
from crodino_core.rgbd_folder import RgbdFolder, RgbdSample


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_small_data_set(tmp_path / 'data')


def check(folder: Path) -> DataReport:
    return check_data(RgbdFolder(folder))


def replace(folder: Path, kind: str, number: int, image: np.ndarray) -> None:
    cv2.imwrite(str(folder / 'room' / kind / f'{number:04d}.png'), image)


def test_a_good_data_set_raises_no_doubts(folder: Path) -> None:
    report = check(folder)

    assert report.errors == [] and report.warnings == []


def test_the_facts_of_a_split_are_counted(folder: Path) -> None:
    facts = check(folder).splits['train']
    samples = [RgbdFolder(folder).read(f'room/000{i}') for i in range(4)]
    labels = np.stack([sample.label for sample in samples])
    depth = np.stack([sample.depth for sample in samples])

    assert facts.frames == 4 and facts.sizes == {'64x96': 4}
    assert facts.labelled == pytest.approx(100 * (labels != 255).mean(), abs=0.01)
    assert facts.holes == pytest.approx(100 * (depth == 0).mean(), abs=0.01)
    for value, name in enumerate(CLASSES):
        share = (labels == value).sum() / (labels != 255).sum()
        assert facts.class_shares[name] == pytest.approx(100 * share, abs=0.01)
        assert facts.class_frames[name] == 4
    assert facts.depth_m == {'p1': 1.25, 'median': 3.05, 'p99': 3.05, 'max': 3.05}


def test_the_report_is_plain_data(folder: Path) -> None:
    assert json.loads(json.dumps(check(folder).to_dict()))['classes'] == list(CLASSES)


def test_every_unusable_frame_is_named_and_the_others_are_counted(folder: Path) -> None:
    (folder / 'room/color/0000.png').unlink()
    (folder / 'room/depth/0001.png').write_bytes(b'not an image')
    replace(folder, 'label', 2, np.full((64, 96), 9, np.uint8))
    replace(folder, 'depth', 3, np.ones((64, 96), np.uint8))
    replace(folder, 'label', 4, np.zeros((10, 10), np.uint8))

    report = check(folder)

    found = ['0000.png does not exist', '0001.png cannot be decoded', 'value 9', 'uint8', '0004']
    assert len(report.errors) == len(found)
    assert all(text in error for text, error in zip(found, report.errors, strict=True))
    assert (report.splits['train'].frames, report.splits['val'].frames) == (0, 1)
    assert 'train: no frame is readable' in report.warnings


def warnings_of(folder: Path) -> str:
    return '\n'.join(check(folder).warnings)


def test_a_class_that_is_nowhere_or_not_in_train_is_named(folder: Path) -> None:
    for number in range(8):
        label = np.zeros((64, 96), np.uint8)
        label[:20] = 1 if number >= 6 else 0
        replace(folder, 'label', number, label)

    found = warnings_of(folder)

    assert 'the class box occurs in test but not in train' in found
    assert 'the class picture occurs in no frame' in found


def test_labels_without_any_class_are_named(folder: Path) -> None:
    for number in range(4, 6):
        replace(folder, 'label', number, np.full((64, 96), 255, np.uint8))

    assert 'val: no pixel has a class' in warnings_of(folder)


def test_depth_of_a_wrong_unit_is_doubted(folder: Path) -> None:
    (folder / 'camera.yaml').write_text('depth: {scale_to_metres: 0.00001}')
    assert 'look at scale_to_metres' in warnings_of(folder)


def test_depth_without_measurements_is_named(folder: Path) -> None:
    for number in range(4):
        replace(folder, 'depth', number, np.zeros((64, 96), np.uint16))

    report = check(folder)

    assert 'train: no pixel has a depth' in report.warnings
    assert report.splits['train'].depth_m == {} and report.splits['train'].holes == 100


def test_a_frame_in_two_splits_is_named(folder: Path) -> None:
    splits = json.loads((folder / 'splits.json').read_text())
    splits['test'].append(splits['train'][0])
    (folder / 'splits.json').write_text(json.dumps(splits))

    assert '1 frames are in more than one split (first: room/0000)' in warnings_of(folder)


def test_frames_of_several_sizes_are_mentioned(folder: Path) -> None:
    for kind in ('color', 'depth', 'label'):
        path = folder / 'room' / kind / '0000.png'
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), image[:32])

    assert 'train: the frames have 2 sizes: 32x96, 64x96' in warnings_of(folder)


# --- alignment, on rooms large enough to be moved


@pytest.fixture(scope='module')
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_small_data_set(tmp_path_factory.mktemp('rooms') / 'data')
    scene = Scene(3)
    camera = Camera.from_fov(120, 160, 75.0)
    for number, pose in enumerate(scene.random_poses(4, np.random.default_rng(0))):
        frame = scene.render(pose, camera, supersample=1)
        replace(folder, 'color', number, frame.rgb[..., ::-1])
        replace(folder, 'depth', number, (frame.depth_clean * 1000).astype(np.uint16))
        replace(folder, 'label', number, np.where(frame.label == 255, 255, frame.label % 3))
    (folder / 'splits.json').write_text(json.dumps({'train': [f'room/000{i}' for i in range(4)]}))
    return folder


def test_aligned_images_are_left_in_peace(rooms: Path) -> None:
    assert 'aligned' not in warnings_of(rooms)


@pytest.mark.parametrize(('across', 'down'), [(6, 0), (-5, 4)])
def test_depth_that_is_shifted_is_found_with_its_shift(
    rooms: Path, monkeypatch: pytest.MonkeyPatch, across: int, down: int
) -> None:
    folder = RgbdFolder(rooms)
    read = folder.read

    def shifted(name: str) -> RgbdSample:
        sample = read(name)
        sample.depth[...] = np.roll(sample.depth, (down, across), axis=(0, 1))
        return sample

    monkeypatch.setattr(folder, 'read', shifted)

    found = '\n'.join(check_data(folder).warnings)

    assert f'fit the depth images best when moved by {across:+d} pixels across' in found
    assert f'and {down:+d} down' in found
    assert 'fit the colour images' not in found

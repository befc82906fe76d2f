"""What the check of a data set finds before training does."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_data_set import CLASSES, write_small_data_set

from crodino_core.errors import CrodinoError
from crodino_core.learning.config import FolderSource
from crodino_core.learning.data.check import DataReport, check_data
from crodino_core.learning.data.samples import load_source
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


def test_a_split_that_lists_no_frame_is_told_from_one_that_cannot_be_read(folder: Path) -> None:
    splits = json.loads((folder / 'splits.json').read_text())
    (folder / 'splits.json').write_text(json.dumps(splits | {'test': []}))

    report = check(folder)

    assert report.warnings == ['test: the split lists no frame'] and report.errors == []


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


def test_a_split_without_any_labelled_pixel_is_an_error(folder: Path) -> None:
    for number in range(4, 6):
        replace(folder, 'label', number, np.full((64, 96), 255, np.uint8))

    (error,) = check(folder).errors
    assert "no labelled pixel in split 'val': every label is 255; look into its" in error


def test_single_frames_without_labels_or_depth_are_named(folder: Path) -> None:
    replace(folder, 'label', 1, np.full((64, 96), 255, np.uint8))
    replace(folder, 'depth', 2, np.zeros((64, 96), np.uint16))
    replace(folder, 'depth', 3, np.zeros((64, 96), np.uint16))

    found = warnings_of(folder)

    assert 'train: 1 frames have no labelled pixel at all (first: room/0001)' in found
    assert 'train: 2 frames have no depth at all (first: room/0002)' in found


def test_images_that_lack_their_pair_are_named_though_no_split_lists_them(folder: Path) -> None:
    rgb = cv2.imread(str(folder / 'room/color/0000.png'))
    for number in (20, 21):
        replace(folder, 'color', number, rgb)
    replace(folder, 'depth', 20, np.ones((64, 96), np.uint16))

    found = warnings_of(folder)

    assert 'room: 1 color images have no depth image (first: 0021)' in found
    assert 'room: 2 color images have no label image (first: 0020)' in found
    assert 'room: 1 depth images have no label image (first: 0020)' in found
    assert 'depth images have no color' not in found


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


def test_a_frame_listed_twice_in_a_split_is_named(folder: Path) -> None:
    splits = json.loads((folder / 'splits.json').read_text())
    splits['train'] += splits['train'][:2]
    (folder / 'splits.json').write_text(json.dumps(splits))

    assert 'train lists 2 frames more than once (first: room/0000)' in warnings_of(folder)


def test_far_depth_of_outdoor_scenes_is_counted(folder: Path) -> None:
    (folder / 'camera.yaml').write_text('depth: {scale_to_metres: 0.02}')

    facts = check(folder).splits['train']

    assert facts.depth_m['max'] == pytest.approx(60.05)
    assert 'scale_to_metres' not in warnings_of(folder)


def test_frames_of_several_sizes_are_mentioned(folder: Path) -> None:
    for kind in ('color', 'depth', 'label'):
        path = folder / 'room' / kind / '0000.png'
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), image[:32])

    assert 'train: the frames have 2 sizes: 32x96, 64x96' in warnings_of(folder)


# --- the start of a training run, which says the same


def start_training(folder: Path, split: str = 'train') -> str:
    source = FolderSource(str(folder), split=split)
    with pytest.raises(CrodinoError) as caught:
        load_source(source, RgbdFolder(folder).labels, (48, 72))
    return str(caught.value)


BAD_IMAGES = {
    'a label outside the classes': ('label', np.full((64, 96), 9, np.uint8), 'has the value 9 in'),
    'a label of another size': ('label', np.zeros((32, 48), np.uint8), 'has shape (32, 48)'),
    'a label in colours': ('label', np.zeros((64, 96, 3), np.uint8), 'has shape (64, 96, 3)'),
    'a label of 16 bits': ('label', np.zeros((64, 96), np.uint16), 'is uint16, uint8 was'),
    'depth of another size': ('depth', np.ones((64, 95), np.uint16), 'has shape (64, 95)'),
    'depth of 8 bits': ('depth', np.ones((64, 96), np.uint8), 'is uint8, uint16 was expected'),
}


@pytest.mark.parametrize('case', BAD_IMAGES)
def test_training_does_not_start_on_a_bad_image_and_says_what_the_check_says(
    folder: Path, case: str
) -> None:
    kind, image, message = BAD_IMAGES[case]
    replace(folder, kind, 2, image)

    (error,) = check(folder).errors

    assert message in error and '0002' in error
    assert error == f'train: {start_training(folder)}'


@pytest.mark.parametrize('kind', ['color', 'depth', 'label'])
@pytest.mark.parametrize(
    ('content', 'message'), [(None, 'does not exist'), (b'', 'is empty'), (b'GIF', 'be decoded')]
)
def test_training_does_not_start_on_a_broken_file(
    folder: Path, kind: str, content: bytes | None, message: str
) -> None:
    path = folder / 'room' / kind / '0001.png'
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    (error,) = check(folder).errors

    assert str(path) in error and message in error
    assert error == f'train: {start_training(folder)}'


def test_training_does_not_start_without_labels(folder: Path) -> None:
    for number in range(4, 6):
        replace(folder, 'label', number, np.full((64, 96), 255, np.uint8))

    assert check(folder).errors == [start_training(folder, 'val')]


def test_one_class_is_too_few_to_be_told_apart(folder: Path) -> None:
    classes = [{'index': 0, 'name': 'floor', 'color_rgb': [9, 9, 9]}]
    (folder / 'classes.yaml').write_text(json.dumps({'classes': classes}))
    for number in range(8):
        replace(folder, 'label', number, np.zeros((64, 96), np.uint8))

    (error,) = check(folder).errors

    assert 'has one class (floor)' in error


def test_the_start_of_training_counts_all_bad_frames(folder: Path) -> None:
    for number in (0, 1, 3):
        (folder / f'room/depth/000{number}.png').unlink()

    message = start_training(folder)

    assert 'room/depth/0000.png does not exist' in message
    assert f'(2 other frames cannot be used either: crodino data check {folder})' in message


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

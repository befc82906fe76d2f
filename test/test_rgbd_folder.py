"""The native data set format, and what is said of a damaged one."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_data_set import CLASSES, small_frame, write_small_data_set

from crodino_core.errors import CrodinoError
from crodino_core.rgbd_folder import RgbdFolder

FRAME = 'room/0000'
REPLICA = Path(__file__).resolve().parents[2] / 'shared' / 'data' / 'replica_apt0'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_small_data_set(tmp_path / 'data')


def replace(folder: Path, kind: str, image: np.ndarray) -> None:
    cv2.imwrite(str(folder / 'room' / kind / '0000.png'), image)


def test_a_frame_comes_back_as_it_was_written(folder: Path) -> None:
    rgb, depth, label = small_frame(0)

    sample = RgbdFolder(folder).read(FRAME)

    assert np.array_equal(sample.rgb, rgb) and sample.rgb.dtype == np.uint8
    assert np.array_equal(sample.label, label) and sample.label.dtype == np.uint8
    assert np.allclose(sample.depth, depth * 0.001) and sample.depth.dtype == np.float32
    assert (sample.depth[depth == 0] == 0).all()


def test_splits_and_classes_are_listed(folder: Path) -> None:
    data = RgbdFolder(folder)

    assert data.labels.names == CLASSES
    assert data.names('train') == [f'room/000{i}' for i in range(4)]


def test_the_depth_scale_of_the_camera_is_used(folder: Path) -> None:
    (folder / 'camera.yaml').write_text('depth: {scale_to_metres: 0.0002}')

    assert RgbdFolder(folder).read(FRAME).depth.max() == pytest.approx(0.6)


def test_without_a_camera_file_depth_is_in_millimetres(folder: Path) -> None:
    (folder / 'camera.yaml').unlink()

    assert RgbdFolder(folder).read(FRAME).depth.max() == pytest.approx(3.0)


@pytest.mark.parametrize('missing', ['classes.yaml', 'splits.json'])
def test_a_folder_without_a_description_is_refused(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(CrodinoError, match=f'{missing} was expected'):
        RgbdFolder(folder)


@pytest.mark.parametrize(
    'text', ['{"train": [', '["room/0000"]', '{"train": "room/0000"}', '{"train": [1]}']
)
def test_a_damaged_split_file_is_refused(folder: Path, text: str) -> None:
    (folder / 'splits.json').write_text(text)
    with pytest.raises(CrodinoError, match=r'splits\.json'):
        RgbdFolder(folder)


@pytest.mark.parametrize('text', ['depth: [', 'depth: 3', '[1]', 'depth: {}\ndepth: {}'])
def test_a_damaged_camera_file_is_refused(folder: Path, text: str) -> None:
    (folder / 'camera.yaml').write_text(text)
    with pytest.raises(CrodinoError, match=r'camera\.yaml'):
        RgbdFolder(folder)


@pytest.mark.parametrize(
    'scale', ['0', '-0.001', '.inf', '.nan', '1e-60', '1e60', 'yes', '[1]', 'null', 'millimetres']
)
def test_a_depth_scale_that_is_no_length_is_refused(folder: Path, scale: str) -> None:
    (folder / 'camera.yaml').write_text(f'depth: {{scale_to_metres: {scale}}}')
    with pytest.raises(CrodinoError, match=r'camera\.yaml: scale_to_metres is .*above 0 was'):
        RgbdFolder(folder)


@pytest.mark.parametrize(
    ('text', 'answer'),
    [
        ('depth: {scale_to_meters: 0.01}', "did you mean 'scale_to_metres'.*known are: scale_to"),
        ('scale_to_metres: 0.01', r"has a key 'scale_to_metres'; depth: \{scale_to_metres: "),
        ('dept: {scale_to_metres: 0.01}', r"has a key 'dept'; depth: \{scale_to_metres: "),
    ],
)
def test_a_misspelt_key_of_the_camera_file_is_named_with_the_known_ones(
    folder: Path, text: str, answer: str
) -> None:
    (folder / 'camera.yaml').write_text(text)
    with pytest.raises(CrodinoError, match=answer):
        RgbdFolder(folder)


def test_another_value_than_zero_for_invalid_depth_is_refused(folder: Path) -> None:
    (folder / 'camera.yaml').write_text('depth: {invalid: 65535}')
    with pytest.raises(CrodinoError, match='invalid is 65535; write pixels'):
        RgbdFolder(folder)


@pytest.mark.parametrize(
    'text', ['', 'depth:', 'camera_matrix: [1]\ndepth: {scale_to_metres: 1e-3}']
)
def test_a_camera_file_may_say_little(folder: Path, text: str) -> None:
    (folder / 'camera.yaml').write_text(text)

    assert RgbdFolder(folder).depth_scale == np.float32(0.001)


@pytest.mark.skipif(not REPLICA.is_dir(), reason='the data set is not here')
def test_the_notes_in_a_camera_file_are_known_keys() -> None:
    assert RgbdFolder(REPLICA).depth_scale == np.float32(0.001)


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
@pytest.mark.parametrize('name', ['classes.yaml', 'splits.json', 'camera.yaml'])
def test_files_of_windows_editors_are_read(folder: Path, name: str, encoding: str) -> None:
    path = folder / name
    path.write_text(path.read_text(), encoding=encoding)

    assert RgbdFolder(folder).labels.names == CLASSES


@pytest.mark.parametrize('name', ['classes.yaml', 'splits.json', 'camera.yaml'])
def test_a_file_in_another_encoding_is_refused_by_name(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes().replace(b':', b': \xe9', 1))  # Latin-1
    with pytest.raises(CrodinoError, match=f'{name}.* cannot be read'):
        RgbdFolder(folder)


def test_an_unknown_split_is_refused_with_the_known_ones(folder: Path) -> None:
    with pytest.raises(CrodinoError, match=r"'eval'; it has: train \(4\), val \(2\), test \(2\)"):
        RgbdFolder(folder).names('eval')


@pytest.mark.parametrize('kind', ['color', 'depth', 'label'])
def test_a_missing_image_is_named(folder: Path, kind: str) -> None:
    (folder / 'room' / kind / '0000.png').unlink()
    with pytest.raises(CrodinoError, match=rf'{kind}/0000\.png does not exist'):
        RgbdFolder(folder).read(FRAME)


@pytest.mark.parametrize('kind', ['color', 'depth', 'label'])
def test_a_corrupt_image_is_named(folder: Path, kind: str) -> None:
    (folder / 'room' / kind / '0000.png').write_bytes(b'\x89PNG broken')
    with pytest.raises(CrodinoError, match=rf'{kind}/0000\.png cannot be decoded'):
        RgbdFolder(folder).read(FRAME)


def test_a_jpeg_that_was_cut_off_is_named(folder: Path) -> None:
    path = folder / 'room/color/0000.png'
    image = cv2.imencode('.jpg', cv2.imread(str(path)))[1].tobytes()
    path.unlink()
    path.with_suffix('.jpg').write_bytes(image[: len(image) * 9 // 10])

    with pytest.raises(CrodinoError, match=r'color/0000\.jpg is cut off'):
        RgbdFolder(folder).read(FRAME)


def test_images_of_one_frame_have_one_size(folder: Path) -> None:
    replace(folder, 'depth', np.ones((32, 48), np.uint16))
    with pytest.raises(CrodinoError, match=r'depth image of frame 0000 has shape \(32, 48\)'):
        RgbdFolder(folder).read(FRAME)


def test_eight_bit_depth_is_refused(folder: Path) -> None:
    replace(folder, 'depth', np.ones((64, 96), np.uint8))
    with pytest.raises(CrodinoError, match='depth image of frame 0000 is uint8, uint16'):
        RgbdFolder(folder).read(FRAME)


def test_a_label_outside_the_classes_is_named_with_its_file(folder: Path) -> None:
    label = np.zeros((64, 96), np.uint8)
    label[:2, :3] = 7
    replace(folder, 'label', label)
    with pytest.raises(
        CrodinoError, match=r'label/0000\.png has the value 7 in 6 pixels; 0 to 2 .* or 255'
    ):
        RgbdFolder(folder).read(FRAME)


def test_a_jpeg_colour_image_is_read_too(folder: Path) -> None:
    rgb, _, _ = small_frame(0)
    (folder / 'room' / 'color' / '0000.png').unlink()
    cv2.imwrite(str(folder / 'room' / 'color' / '0000.jpg'), rgb[..., ::-1])

    found = RgbdFolder(folder).read(FRAME).rgb

    assert np.abs(found.astype(int) - rgb).mean() < 8


def test_split_names_need_not_be_the_usual_ones(folder: Path) -> None:
    (folder / 'splits.json').write_text(json.dumps({'night': [FRAME]}))

    assert RgbdFolder(folder).names('night') == [FRAME]

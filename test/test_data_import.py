"""Public data sets into the folder format, from small files of the official formats."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.labels import LabelSet
from crodino_core.learning.data.check import check_data
from crodino_core.learning.data.folder_writer import RgbdFolderWriter, distinct_colors
from crodino_core.learning.data.import_midair import import_midair
from crodino_core.learning.data.import_nyudepth import import_nyudepth
from crodino_core.learning.data.import_potsdam import TRAIN_TILES, import_potsdam
from crodino_core.rgbd_folder import RgbdFolder, RgbdSample

LABELS = LabelSet(('near', 'far'), ((9, 9, 9), (99, 99, 99)))
RNG = np.random.default_rng(0)


def blobs(size: tuple[int, int], values: int, seed: int = 0) -> np.ndarray:
    """Return areas of 8 x 8 pixels with a value below `values` each, int [H, W]."""
    small = np.random.default_rng(seed).integers(0, values, (size[0] // 8 + 1, size[1] // 8 + 1))
    return np.kron(small, np.ones((8, 8), int))[: size[0], : size[1]]


def read_all(folder: Path) -> dict[str, RgbdSample]:
    data = RgbdFolder(folder)
    return {name: data.read(name) for names in data.splits.values() for name in names}


# --- the writer


def frame() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    label = blobs((24, 32), 2).astype(np.uint8)
    return RNG.integers(0, 255, (24, 32, 3), np.uint8), 1.0 + label, label


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    rgb, depth, label = frame()
    depth[0, :5] = np.nan, np.inf, -np.inf, -1, 66

    with RgbdFolderWriter(tmp_path / 'data', LABELS, 'a test') as writer:
        writer.add('train', 'room/1', rgb, depth, label)

    found = RgbdFolder(tmp_path / 'data').read('room/1')
    assert np.array_equal(found.rgb, rgb) and np.array_equal(found.label, label)
    assert (found.depth[0, :5] == 0).all()
    assert np.allclose(found.depth[1:], depth[1:], atol=1e-6)
    assert writer.written.frames == {'train': 1}
    assert RgbdFolder(tmp_path / 'data').labels == LABELS
    assert [path.name for path in tmp_path.iterdir()] == ['data']


def test_a_conversion_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RgbdFolderWriter(tmp_path / 'data', LABELS, '') as new:
        new.add('train', 'room/1', *frame())
        raise KeyboardInterrupt

    assert list(tmp_path.iterdir()) == []


def test_a_data_set_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'thesis.txt').write_text('years of work')

    with (
        pytest.raises(CrodinoError, match='exists; name a new folder'),
        RgbdFolderWriter(tmp_path / 'data', LABELS, ''),
    ):
        pass
    assert (tmp_path / 'data' / 'thesis.txt').exists()


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')

    with (
        pytest.raises(CrodinoError, match='file/data cannot be written: '),
        RgbdFolderWriter(tmp_path / 'file' / 'data', LABELS, ''),
    ):
        pass


def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Path, 'write_bytes', full)
    with (
        pytest.raises(CrodinoError, match='cannot be written: No space left'),
        RgbdFolderWriter(tmp_path / 'data', LABELS, '') as writer,
    ):
        writer.add('train', 'room/1', *frame())
    assert list(tmp_path.iterdir()) == []


def test_a_frame_whose_images_differ_in_size_is_refused(tmp_path: Path) -> None:
    rgb, depth, label = frame()
    with (
        pytest.raises(CrodinoError, match=r'room/1 .* colour 24x32, depth 24x32, label 12x32'),
        RgbdFolderWriter(tmp_path / 'data', LABELS, '') as writer,
    ):
        writer.add('train', 'room/1', rgb, depth, label[:12])
    assert list(tmp_path.iterdir()) == []


def test_a_source_without_frames_says_what_was_left(tmp_path: Path) -> None:
    with (
        pytest.raises(CrodinoError, match=r'no frame could be written .*: 3 tiles without dsm'),
        RgbdFolderWriter(tmp_path / 'data', LABELS, '') as writer,
    ):
        writer.leave('tiles without dsm', 3)


def test_colours_of_classes_differ() -> None:
    assert len(set(distinct_colors(255))) == 255 and (0, 0, 0) not in distinct_colors(255)


# --- NYUDepth v2

NYU_SIZE = (48, 64)
NYU_TRAIN, NYU_TEST = (1, 2, 4, 5, 6), (3, 7)
SCENES = ('kitchen_0001', 'kitchen_0001', 'study_0002', 'office_0003', 'office_0003', 'den_0004')
MAP_40 = np.arange(894) * 7 % 40 + 1
MAP_13 = np.arange(40) % 13 + 1


def nyu_frame(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colour [H, W, 3], metres [H, W], label 0 to 894 [H, W] as MATLAB shows them."""
    label = blobs(NYU_SIZE, 895, number)
    rgb = np.stack([label % 256, label // 4, np.full(NYU_SIZE, number)], -1).astype(np.uint8)
    return rgb, (0.5 + label / 200).astype(np.float32), label.astype(np.uint16)


@pytest.fixture(scope='module')
def nyu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    h5py = pytest.importorskip('h5py', reason='NYUDepth v2 needs the extra [data]')
    scipy_io = pytest.importorskip('scipy.io', reason='NYUDepth v2 needs the extra [data]')
    folder = tmp_path_factory.mktemp('nyu')
    frames = [nyu_frame(number) for number in range(1, 9)]
    with h5py.File(folder / 'nyu_depth_v2_labeled.mat', 'w') as file:
        file['images'] = np.stack([rgb.transpose(2, 1, 0) for rgb, _, _ in frames])
        file['depths'] = np.stack([depth.T for _, depth, _ in frames])
        file['rawDepths'] = np.stack([np.where(depth > 4, 0, depth).T for _, depth, _ in frames])
        file['labels'] = np.stack([label.T for _, _, label in frames])
        names = [*SCENES, 'attic_0005', 'attic_0005']
        for name in set(names):
            characters = np.frombuffer(name.encode(), np.uint8)
            file[f'#refs#/{name}'] = characters.astype(np.uint16)[:, None]
        references = [[file[f'#refs#/{name}'].ref for name in names]]
        file.create_dataset('scenes', data=references, dtype=h5py.ref_dtype)
    forty = np.array([f'class {i}' for i in range(40)], object)
    thirteen = {'labels13': MAP_13, 'classNames': np.array(list('abcdefghijklm'), object)}
    scipy_io.savemat(folder / 'classMapping40.mat', {'mapClass': MAP_40, 'className': forty})
    scipy_io.savemat(folder / 'class13Mapping.mat', {'classMapping13': thirteen})
    splits = {'trainNdxs': np.c_[list(NYU_TRAIN)], 'testNdxs': np.c_[list(NYU_TEST)]}
    scipy_io.savemat(folder / 'splits.mat', splits)
    return folder


@pytest.mark.parametrize('classes', [40, 13])
def test_frames_of_nyudepth_come_upright_with_mapped_classes(
    nyu: Path, tmp_path: Path, classes: int
) -> None:
    written = import_nyudepth(nyu, tmp_path / 'data', classes, val_share=0)

    assert written.frames == {'train': 5, 'test': 2}
    assert dict(written.left) == {'in neither split': 1}
    data = RgbdFolder(tmp_path / 'data')
    assert data.names('train') == [f'nyu/{number:04d}' for number in NYU_TRAIN]
    assert data.labels.names == tuple(
        [f'class {i}' for i in range(40)] if classes == 40 else 'abcdefghijklm'
    )
    for name, sample in read_all(tmp_path / 'data').items():
        rgb, depth, label = nyu_frame(int(name[-4:]))
        assert np.array_equal(sample.rgb, rgb)
        assert np.allclose(sample.depth, depth, atol=0.0006)
        index = MAP_40[label.astype(int) - 1]
        index = index if classes == 40 else MAP_13[index - 1]
        assert np.array_equal(sample.label, np.where(label == 0, 255, index - 1))


def test_validation_takes_whole_scenes_of_the_training_split(nyu: Path, tmp_path: Path) -> None:
    import_nyudepth(nyu, tmp_path / 'data', val_share=0.4)

    splits = RgbdFolder(tmp_path / 'data').splits
    scenes = {
        split: {SCENES[int(name[-4:]) - 1] for name in splits[split]} for split in ('train', 'val')
    }
    assert splits['test'] == ['nyu/0003', 'nyu/0007']
    assert scenes['val'] and not scenes['val'] & scenes['train']
    assert len(splits['train']) + len(splits['val']) == len(NYU_TRAIN)


@pytest.mark.parametrize(('share', 'scenes'), [(0.4, 1), (0.67, 2), (0.99, 2)])
def test_validation_takes_the_share_of_scenes_that_was_asked_for(
    nyu: Path, tmp_path: Path, share: float, scenes: int
) -> None:
    import_nyudepth(nyu, tmp_path / 'data', val_share=share)

    splits = RgbdFolder(tmp_path / 'data').splits
    assert len({SCENES[int(name[-4:]) - 1] for name in splits['val']}) == scenes
    assert splits['train']


def test_a_share_of_validation_that_takes_no_scene_is_refused(nyu: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r'takes 0 of the 3 training scenes; 0\.34 or more'):
        import_nyudepth(nyu, tmp_path / 'data', val_share=0.1)
    assert not (tmp_path / 'data').exists()


def test_raw_depth_keeps_its_holes(nyu: Path, tmp_path: Path) -> None:
    import_nyudepth(nyu, tmp_path / 'data', raw_depth=True, val_share=0)

    _, depth, _ = nyu_frame(1)
    assert (depth > 4).any()
    found = RgbdFolder(tmp_path / 'data').read('nyu/0001').depth
    assert np.array_equal(found == 0, depth > 4)


def test_a_missing_file_of_nyudepth_is_named(nyu: Path, tmp_path: Path) -> None:
    for path in nyu.iterdir():
        if path.name != 'classMapping40.mat':
            (tmp_path / path.name).symlink_to(path)

    with pytest.raises(CrodinoError, match=r'has no classMapping40\.mat; docs/datasets\.md'):
        import_nyudepth(tmp_path, tmp_path / 'data')


def test_a_download_of_nyudepth_that_broke_off_is_said(nyu: Path, tmp_path: Path) -> None:
    for path in nyu.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for path in nyu.glob('*class*.mat'):
        (tmp_path / path.name).write_bytes(path.read_bytes())

    with pytest.raises(CrodinoError, match='is not a whole HDF5 file'):
        import_nyudepth(tmp_path, tmp_path / 'data')
    assert not (tmp_path / 'data').exists()


def test_without_the_readers_of_mat_files_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)

    with pytest.raises(CrodinoError, match=r"h5py, scipy, .* pip install 'crodino_ros\[data\]'"):
        import_nyudepth(tmp_path, tmp_path / 'data')


def test_other_numbers_of_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='40 and 13'):
        import_nyudepth(tmp_path, tmp_path / 'data', classes=37)


# --- ISPRS Potsdam

POTSDAM_COLORS = np.array(
    [(255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0),
     (0, 0, 0)], np.uint8
)  # fmt: skip
"""RGB by class; black is the eroded boundary."""


def write_tile(folder: Path, row: int, column: int, size: tuple[int, int] = (100, 100)) -> None:
    for part in ('rgb', 'dsm', 'labels'):
        (folder / part).mkdir(parents=True, exist_ok=True)
    index = blobs(size, 7, 10 * row + column)
    label = POTSDAM_COLORS[index].copy()
    label[label == 255] = 252  # as in one of the official tiles
    surface = (32.0 + 3.0 * index).astype(np.float32)
    surface[-3:] = -9999
    rgb = np.stack([index * 30, index * 20, index * 10], -1).astype(np.uint8)
    tile = f'{row}_{column}'
    cv2.imwrite(str(folder / f'rgb/top_potsdam_{tile}_RGB.tif'), rgb[..., ::-1])
    cv2.imwrite(str(folder / f'dsm/dsm_potsdam_{row:02d}_{column:02d}.tif'), surface)
    cv2.imwrite(str(folder / f'labels/top_potsdam_{tile}_label.tif'), label[..., ::-1])


def test_tiles_of_potsdam_become_crops_with_heights_and_classes(tmp_path: Path) -> None:
    for tile in ((2, 10), (6, 7), (2, 13)):
        write_tile(tmp_path / 'source', *tile)

    written = import_potsdam(tmp_path / 'source', tmp_path / 'data', crop=40)

    assert written.frames == {'val': 9, 'train': 9, 'test': 9}
    data = RgbdFolder(tmp_path / 'data')
    assert all(name.startswith('potsdam_6_7/') for name in data.names('train'))
    corners = {name.rpartition('/')[2] for name in data.names('train')}
    assert corners == {f'{y:04d}_{x:04d}' for y in (0, 40, 60) for x in (0, 40, 60)}
    index = blobs((100, 100), 7, 67)
    for name in data.names('train'):
        top, left = map(int, name.rpartition('/')[2].split('_'))
        part = index[top : top + 40, left : left + 40]
        sample = data.read(name)
        assert np.array_equal(sample.label, np.where(part == 6, 255, part))
        assert np.array_equal(sample.rgb[..., 0], part * 30)
        below = np.arange(top, top + 40) < 97
        assert np.allclose(sample.depth[below], 1 + 3 * part[below], atol=0.006)
        assert (sample.depth[~below] == 0).all()


def test_a_tile_of_potsdam_without_its_surface_model_is_left_and_named(tmp_path: Path) -> None:
    write_tile(tmp_path / 'source', 2, 10)
    write_tile(tmp_path / 'source', 3, 13)
    (tmp_path / 'source/dsm/dsm_potsdam_03_13.tif').unlink()

    written = import_potsdam(tmp_path / 'source', tmp_path / 'data', crop=50)

    assert written.frames == {'val': 4}
    assert dict(written.left) == {'tile 3_13 without dsm': 1}


def test_a_surface_model_a_row_short_is_cut_to_what_all_have(tmp_path: Path) -> None:
    write_tile(tmp_path, 2, 11)
    path = str(tmp_path / 'dsm/dsm_potsdam_02_11.tif')
    cv2.imwrite(path, cv2.imread(path, cv2.IMREAD_UNCHANGED)[:-1])

    import_potsdam(tmp_path, tmp_path / 'data', crop=200)

    assert read_all(tmp_path / 'data')['potsdam_2_11/0000_0000'].label.shape == (99, 100)


@pytest.mark.parametrize(
    ('file', 'image', 'message'),
    [
        ('dsm/dsm_potsdam_02_10.tif', np.zeros((100, 100), np.uint8), 'is uint8 with 1 channels'),
        ('dsm/dsm_potsdam_02_10.tif', np.zeros((50, 100), np.float32), '100x100, 50x100, 100x100'),
        ('labels/top_potsdam_2_10_label.tif', np.full((100, 100, 3), 128, np.uint8), 'between'),
    ],
)  # fmt: skip
def test_a_wrong_image_of_potsdam_is_named(
    tmp_path: Path, file: str, image: np.ndarray, message: str
) -> None:
    write_tile(tmp_path, 2, 10)
    cv2.imwrite(str(tmp_path / file), image)

    with pytest.raises(CrodinoError, match=message):
        import_potsdam(tmp_path, tmp_path / 'data', crop=50)


def test_potsdam_has_24_training_tiles_and_val_is_one_of_them(tmp_path: Path) -> None:
    assert len(TRAIN_TILES) == 24
    with pytest.raises(UsageError, match='2_13'):
        import_potsdam(tmp_path, tmp_path / 'data', val=['2_13'])


# --- Mid-Air

MIDAIR_SIZE = 64


def write_flight(folder: Path, flight: str, frames: int = 5) -> None:
    """Write frames of a plane 20 m before the camera, below a sky without end."""
    weather, _, trajectory = flight.rpartition('/')
    for kind in ('color_left', 'depth', 'segmentation'):
        (folder / weather / kind / trajectory).mkdir(parents=True)
    centre = (np.arange(MIDAIR_SIZE) + 0.5 - MIDAIR_SIZE / 2) / (MIDAIR_SIZE / 2)
    distance = 20 * np.sqrt(1 + centre[None] ** 2 + centre[:, None] ** 2)
    label = blobs((MIDAIR_SIZE, MIDAIR_SIZE), 13)
    label[:16], distance[:16] = 0, np.inf
    label[-1], distance[-1, 0] = 7, np.nan
    for number in range(frames):
        paths = [
            str(folder / weather / kind / trajectory / f'{number:06d}')
            for kind in ('color_left', 'depth', 'segmentation')
        ]
        rgb = cv2.imencode('.jpg', (label * 19).astype(np.uint8))[1]
        Path(paths[0] + '.JPEG').write_bytes(rgb.tobytes())
        bits = cv2.imencode('.png', distance.astype(np.float16).view(np.uint16))[1]
        Path(paths[1] + '.PNG').write_bytes(bits.tobytes())
        Path(paths[2] + '.PNG').write_bytes(
            cv2.imencode('.png', label.astype(np.uint8))[1].tobytes()
        )


def test_distances_of_midair_become_depths_and_the_sky_is_far(tmp_path: Path) -> None:
    write_flight(tmp_path / 'source', 'Kite_training/sunny/trajectory_0001')

    written = import_midair(tmp_path / 'source', tmp_path / 'data', every=2)

    assert written.frames == {'val': 3}
    samples = read_all(tmp_path / 'data')
    assert sorted(samples) == [
        f'Kite_training_sunny_trajectory_0001/{number:06d}' for number in (0, 2, 4)
    ]
    sample = samples['Kite_training_sunny_trajectory_0001/000002']
    assert (sample.depth[:16] == 1250).all()
    assert np.allclose(sample.depth[16:-1], 20, atol=0.03)
    assert sample.depth[-1, 0] == 0


def test_classes_of_midair_are_numbered_without_the_unused_one(tmp_path: Path) -> None:
    write_flight(tmp_path / 'source', 'PLE_training/fall/trajectory_4002', frames=1)

    import_midair(tmp_path / 'source', tmp_path / 'data')

    data = RgbdFolder(tmp_path / 'data')
    label = data.read('PLE_training_fall_trajectory_4002/000000').label
    original = blobs((64, 64), 13)[16:-1]
    assert (label[:16] == data.labels.names.index('sky')).all() and (label[-1] == 255).all()
    water = data.labels.names.index('water')
    assert np.array_equal(label[16:-1] == water, original == 8)
    assert np.array_equal(label[16:-1] == 255, original == 7)


def test_a_flight_is_in_one_split_in_every_weather(tmp_path: Path) -> None:
    for flight in range(7):
        for weather, thousands in (('sunny', 0), ('foggy', 2000)):
            name = f'Kite_training/{weather}/trajectory_{thousands + flight:04d}'
            write_flight(tmp_path / 'source', name, frames=1)
    write_flight(tmp_path / 'source', 'Kite_test/sunny/trajectory_0001', frames=1)

    import_midair(tmp_path / 'source', tmp_path / 'data')

    splits = RgbdFolder(tmp_path / 'data').splits
    flights = {
        split: {int(n.split('/')[0][-4:]) % 1000 for n in names if 'training' in n}
        for split, names in splits.items()
    }
    assert flights == {'test': {0, 3, 6}, 'val': {1}, 'train': {2, 4, 5}}
    assert [n for n in splits['test'] if 'Kite_test' in n] == [
        'Kite_test_sunny_trajectory_0001/000000'
    ]


def test_a_frame_of_midair_without_its_pair_is_left(tmp_path: Path) -> None:
    write_flight(tmp_path / 'source', 'Kite_training/sunny/trajectory_0002', frames=3)
    depth = tmp_path / 'source/Kite_training/sunny/depth/trajectory_0002'
    (depth / '000001.PNG').unlink()

    written = import_midair(tmp_path / 'source', tmp_path / 'data', every=1)

    assert written.frames == {'train': 2}
    assert dict(written.left) == {'colour images without depth or segmentation': 1}


def test_eight_bit_depth_of_midair_is_refused(tmp_path: Path) -> None:
    write_flight(tmp_path / 'source', 'Kite_training/sunny/trajectory_0002', frames=1)
    path = tmp_path / 'source/Kite_training/sunny/depth/trajectory_0002/000000.PNG'
    cv2.imwrite(str(path), np.zeros((64, 64), np.uint8))

    with pytest.raises(CrodinoError, match=r'000000\.PNG is uint8 \[64, 64\]'):
        import_midair(tmp_path / 'source', tmp_path / 'data')


def test_labels_of_midair_of_another_size_are_refused(tmp_path: Path) -> None:
    write_flight(tmp_path / 'source', 'Kite_training/sunny/trajectory_0002', frames=1)
    path = tmp_path / 'source/Kite_training/sunny/segmentation/trajectory_0002/000000.PNG'
    cv2.imwrite(str(path), np.zeros((32, 32), np.uint8))

    with pytest.raises(CrodinoError, match=r'000000\.JPEG\) .*depth 64x64, label 32x32'):
        import_midair(tmp_path / 'source', tmp_path / 'data')
    assert not (tmp_path / 'data').exists()


def test_a_colour_image_of_midair_that_was_cut_off_is_named(tmp_path: Path) -> None:
    write_flight(tmp_path / 'source', 'Kite_training/sunny/trajectory_0002', frames=1)
    path = tmp_path / 'source/Kite_training/sunny/color_left/trajectory_0002/000000.JPEG'
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(CrodinoError, match=r'000000\.JPEG is cut off'):
        import_midair(tmp_path / 'source', tmp_path / 'data')


def test_a_folder_that_is_no_trajectory_is_left_alone(tmp_path: Path) -> None:
    for name in ('trajectory_0002', 'trajectory_abc', 'trajectory_1_old'):
        write_flight(tmp_path / 'source', f'Kite_training/sunny/{name}', frames=1)

    written = import_midair(tmp_path / 'source', tmp_path / 'data')

    assert written.frames == {'train': 1}
    assert dict(written.left) == {'folders beside trajectory_NNNN': 2}


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CrodinoError, match='color_left/trajectory_NNNN'):
        import_midair(tmp_path, tmp_path / 'data')
    with pytest.raises(CrodinoError, match='has no tile of Potsdam'):
        import_potsdam(tmp_path, tmp_path / 'data')


def test_what_was_imported_passes_the_check(tmp_path: Path) -> None:
    write_tile(tmp_path / 'tiles', 2, 11)
    write_flight(tmp_path / 'flights', 'Kite_training/sunny/trajectory_0002')

    import_potsdam(tmp_path / 'tiles', tmp_path / 'potsdam', crop=50)
    import_midair(tmp_path / 'flights', tmp_path / 'midair')

    for name in ('potsdam', 'midair'):
        assert check_data(RgbdFolder(tmp_path / name)).errors == []

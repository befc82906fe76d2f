"""Behaviour of the synthetic scenes and of the depth-sensor model."""

import itertools

import numpy as np
import pytest

from crodino_core.learning.data.scene_camera import look_along
from crodino_core.learning.data.scene_primitives import FLOOR, WALL, WALL_FLAT
from crodino_core.learning.data.scenes import (
    CLASS_NAMES,
    VOID,
    Camera,
    Scene,
    SceneFrame,
    render_sequence,
    simulate_depth_sensor,
)

CAMERA = Camera.from_fov(60, 80, 75.0)


@pytest.fixture(scope='module')
def scenes() -> list[Scene]:
    return [Scene(seed) for seed in range(6)]


@pytest.fixture(scope='module')
def frames(scenes: list[Scene]) -> list[SceneFrame]:
    rng = np.random.default_rng(0)
    return [scene.render(pose, CAMERA) for scene in scenes for pose in scene.random_poses(3, rng)]


def world_points(frame: SceneFrame, camera: Camera) -> np.ndarray:
    """Clean depth back-projected to world coordinates, [H, W, 3]."""
    v, u = np.mgrid[0 : camera.height, 0 : camera.width]
    rays = np.stack(
        [(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], axis=-1
    )
    pose = frame.camera_to_world
    return rays * frame.depth_clean[..., None] @ pose[:3, :3].T + pose[:3, 3]


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = (list(render_sequence(3, 2, CAMERA)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        for name in ('rgb', 'depth', 'depth_clean', 'label', 'camera_to_world'):
            assert getattr(a, name).tobytes() == getattr(b, name).tobytes(), name


def test_different_seeds_give_different_rooms() -> None:
    a, b = (next(render_sequence(seed, 1, CAMERA)) for seed in (1, 2))
    assert (a.label != b.label).mean() > 0.1


def test_images_have_the_documented_shapes_and_types(frames: list[SceneFrame]) -> None:
    for frame in frames:
        assert frame.rgb.shape == (60, 80, 3) and frame.rgb.dtype == np.uint8
        assert frame.depth.shape == (60, 80) and frame.depth.dtype == np.float32
        assert frame.depth_clean.shape == (60, 80) and frame.depth_clean.dtype == np.float32
        assert frame.label.shape == (60, 80) and frame.label.dtype == np.uint8
        assert frame.camera_to_world.shape == (4, 4)
        assert frame.camera_to_world.dtype == np.float64


def test_every_label_is_a_class_or_void_and_every_class_occurs(frames: list[SceneFrame]) -> None:
    seen = set(np.unique([frame.label for frame in frames]).tolist())
    assert seen - {VOID} == set(range(len(CLASS_NAMES)))


def test_depth_is_missing_exactly_where_nothing_is_labelled(frames: list[SceneFrame]) -> None:
    for frame in frames:
        assert np.array_equal(frame.depth_clean == 0, frame.label == VOID)


def test_floor_pixels_lie_on_the_floor_plane(frames: list[SceneFrame]) -> None:
    heights = [world_points(frame, CAMERA)[frame.label == FLOOR][:, 2] for frame in frames]
    assert np.abs(np.concatenate(heights)).max() < 2e-3


def test_depth_is_along_the_optical_axis_and_not_along_the_ray(scenes: list[Scene]) -> None:
    scene = scenes[5]
    cells = np.argwhere(scene.free_space.clearance > 0.4)
    spot = np.array([*scene.free_space.centre(*cells[0]), 1.2])
    frame = scene.render(look_along(spot, 0.3), CAMERA)
    rows, columns = np.nonzero(frame.label == FLOOR)
    assert len(rows) > 0
    # A level camera sees a floor of one depth along each image row.
    expected = 1.2 * CAMERA.fy / (rows - CAMERA.cy)
    np.testing.assert_allclose(frame.depth_clean[rows, columns], expected, rtol=2e-3)


def test_pictures_and_switches_are_flat_on_a_wall(scenes: list[Scene]) -> None:
    found = 0
    for scene in scenes:
        table = scene.table
        walls = table.centre[table.label == WALL]
        reach = np.abs(
            np.einsum(
                'nij,nj->ni', table.rotation[table.label == WALL], table.half[table.label == WALL]
            )
        )
        for corners in table.corners[table.label == WALL_FLAT]:
            gap = np.maximum(np.abs(corners[:, None] - walls) - reach, 0)
            # Not one corner is farther than 3 cm from the nearest wall.
            assert np.linalg.norm(gap, axis=2).min(axis=1).max() < 0.031
            found += 1
    assert found > 10


def test_a_larger_image_of_the_same_view_shows_the_same_depth(scenes: list[Scene]) -> None:
    scene = scenes[4]
    pose = scene.random_poses(1, np.random.default_rng(0))[0]
    small, large = (scene.render(pose, camera) for camera in (CAMERA, CAMERA.scaled(3)))
    # Three pixels for one: the middle one looks along the same ray.
    middle = large.depth_clean[1::3, 1::3]
    np.testing.assert_allclose(middle, small.depth_clean, rtol=1e-3)
    assert np.array_equal(large.label[1::3, 1::3], small.label)


def test_supersampling_changes_the_colour_only(scenes: list[Scene]) -> None:
    scene = scenes[4]
    pose = scene.random_poses(1, np.random.default_rng(0))[0]
    plain, fine = (scene.render(pose, CAMERA, supersample=n) for n in (1, 2))
    assert np.array_equal(plain.label, fine.label)
    assert np.array_equal(plain.depth_clean, fine.depth_clean)
    assert np.abs(plain.rgb.astype(int) - fine.rgb).mean() < 20


def test_a_camera_path_moves_and_turns_smoothly(scenes: list[Scene]) -> None:
    for scene in scenes:
        poses = scene.camera_path(80, rate_hz=10.0)
        assert len(poses) == 80
        for before, after in itertools.pairwise(poses):
            assert np.linalg.norm(after[:3, 3] - before[:3, 3]) < 0.1
            cosine = np.clip((np.trace(before[:3, :3].T @ after[:3, :3]) - 1) / 2, -1, 1)
            assert np.degrees(np.arccos(cosine)) < 9
        assert 0.9 < poses[0][2, 3] < 1.6


def test_cameras_are_never_inside_or_next_to_furniture(scenes: list[Scene]) -> None:
    rng = np.random.default_rng(0)
    for scene in scenes:
        table = scene.table
        for pose in scene.camera_path(60) + scene.random_poses(4, rng):
            local = np.einsum('nji,nj->ni', table.rotation, pose[:3, 3] - table.centre)
            gap = np.linalg.norm(np.maximum(np.abs(local) - table.half, 0), axis=1)
            assert gap.min() > 0.08


def test_poses_are_proper_rotations(scenes: list[Scene]) -> None:
    for pose in scenes[0].camera_path(5) + scenes[1].random_poses(3, np.random.default_rng(1)):
        np.testing.assert_allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-12)
        assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
        # y is down: the world's up has a negative camera y.
        assert pose[2, 1] < -0.8


def test_random_poses_see_more_than_a_wall(frames: list[SceneFrame]) -> None:
    assert np.median([np.median(frame.depth_clean) for frame in frames]) > 1.3
    assert np.mean([len(np.unique(frame.label)) for frame in frames]) > 5


def test_a_path_of_no_frames_is_refused(scenes: list[Scene]) -> None:
    with pytest.raises(ValueError, match='at least 1'):
        scenes[0].camera_path(0)


def ramp(height: int = 120, width: int = 160) -> np.ndarray:
    return np.linspace(0.1, 8.0, height * width, dtype=np.float32).reshape(height, width)


def test_the_sensor_reports_nothing_outside_its_range() -> None:
    clean = ramp()
    measured = simulate_depth_sensor(clean, np.random.default_rng(0))
    valid = measured[measured > 0]
    assert valid.min() >= 0.3 and valid.max() <= 6.0
    assert (measured[clean < 0.25] == 0).all() and (measured[clean > 7] == 0).all()
    assert measured.dtype == np.float32


def test_unknown_depth_stays_unknown() -> None:
    clean = np.full((50, 60), 2.0, np.float32)
    clean[10:20] = 0
    assert (simulate_depth_sensor(clean, np.random.default_rng(0))[10:20] == 0).all()


def test_sensor_noise_grows_with_the_square_of_depth() -> None:
    spread = []
    for metres in (1.5, 3.0):
        flat = np.full((200, 320), metres, np.float32)
        measured = simulate_depth_sensor(flat, np.random.default_rng(0))
        spread.append((measured[measured > 0] - metres).std())
    assert spread[1] / spread[0] == pytest.approx(4, rel=0.25)
    assert 0.003 < spread[1] < 0.06


def test_strength_zero_only_cuts_the_range() -> None:
    clean = ramp()
    inside = (clean >= 0.3) & (clean <= 6.0)
    measured = simulate_depth_sensor(clean, np.random.default_rng(0), strength=0.0)
    assert np.array_equal(measured, np.where(inside, clean, 0))


def test_a_near_object_shades_one_side_of_the_background() -> None:
    clean = np.full((100, 320), 3.0, np.float32)
    clean[:, 120:200] = 0.8
    for on_right in (False, True):
        rng = np.random.default_rng(0)
        holes = simulate_depth_sensor(clean, rng, shadow_on_right=on_right) == 0
        left, right = holes[:, 110:119].mean(), holes[:, 201:210].mean()
        assert (right > 2 * left) if on_right else (left > 2 * right)


def test_weak_surfaces_lose_most_of_their_depth() -> None:
    clean = np.full((100, 160), 2.0, np.float32)
    weak = np.zeros(clean.shape, bool)
    weak[:, 80:] = True
    holes = simulate_depth_sensor(clean, np.random.default_rng(0), weak=weak) == 0
    assert holes[:, 80:].mean() > 0.4 > 0.1 > holes[:, :80].mean()


def test_the_sensor_is_deterministic_and_leaves_its_input_alone() -> None:
    clean = ramp()
    copy = clean.copy()
    a, b = (simulate_depth_sensor(clean, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(a, b) and np.array_equal(clean, copy)


def test_a_depth_image_with_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r'\[H, W\]'):
        simulate_depth_sensor(np.ones((4, 4, 1), np.float32), np.random.default_rng(0))

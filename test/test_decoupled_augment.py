"""Geometry and determinism of the two pipelines."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import v2

from crodino_core.errors import UsageError
from crodino_core.learning.decoupled_augment import (
    DecoupledAugment,
    GeometryKind,
    GeometrySettings,
    View,
    warp_features,
)
from crodino_core.learning.photometric import (
    DepthPipeline,
    PhotometricSettings,
    Pipeline,
    RgbPipeline,
    TorchvisionPipeline,
)

IMAGE_SIZE, INPUT_SIZE, VIEW_SIZE = (120, 160), (90, 120), (64, 96)
PLAIN = PhotometricSettings(
    color_jitter=0, blur=0, rgb_noise=0, depth_scale=0, depth_sensor=0, depth_holes=0
)
KINDS: tuple[GeometryKind, ...] = ('decoupled', 'coupled', 'none')


def make_augment(
    kind: GeometryKind = 'decoupled', photometric: PhotometricSettings = PLAIN, **geometry: float
) -> DecoupledAugment:
    settings = GeometrySettings(kind=kind, **geometry)
    pipelines = RgbPipeline(photometric), DepthPipeline(photometric)
    return DecoupledAugment(INPUT_SIZE, VIEW_SIZE, settings, *pipelines)


def smooth_image() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colour, depth and label that vary slowly and differ everywhere."""
    y, x = np.mgrid[0:1:120j, 0:1:160j]
    rgb = np.stack([255 * x, 255 * y, 127 + 127 * np.sin(6 * x * y)], -1).astype(np.uint8)
    depth = (1 + 2 * x + 4 * y).astype(np.float32)
    label = (4 * y).astype(np.uint8) * 4 + (4 * x).astype(np.uint8)
    return rgb, depth, np.minimum(label, 15).astype(np.uint8)


def to_view_pixel(view: View, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the image lies in the view, as the affine says, by hand."""
    height, width = IMAGE_SIZE
    point = np.array([(x + 0.5) / width * 2 - 1, (y + 0.5) / height * 2 - 1, 1])
    u, v, one = view.affine.numpy() @ point
    assert one == pytest.approx(1)
    return (u + 1) / 2 * VIEW_SIZE[1] - 0.5, (v + 1) / 2 * VIEW_SIZE[0] - 0.5


@pytest.mark.parametrize('seed', range(12))
def test_a_marked_pixel_lands_where_the_affine_says(seed: int) -> None:
    rgb, depth, label = np.zeros((*IMAGE_SIZE, 3), np.uint8), *np.zeros((2, *IMAGE_SIZE))
    depth, label = depth.astype(np.float32), label.astype(np.uint8)
    x, y = 83, 61
    spot = np.s_[y - 3 : y + 4, x - 3 : x + 4]
    rgb[spot], depth[spot], label[spot] = 255, 2.0, 1
    rng = np.random.default_rng(seed)
    augment = make_augment(rare_class=1.0)  # most views are centred on the spot

    for view in augment(rgb, depth, label, rng):
        expected = to_view_pixel(view, x, y)
        if not all(6 < p < size - 7 for p, size in zip(expected, VIEW_SIZE[::-1], strict=True)):
            continue
        for image in (view.image[0] > 0, view.label == 1):
            rows, columns = np.nonzero(image.numpy())
            assert columns.mean() == pytest.approx(expected[0], abs=0.6)
            assert rows.mean() == pytest.approx(expected[1], abs=0.6)


@pytest.mark.parametrize('seed', range(8))
def test_the_label_stays_with_its_image(seed: int) -> None:
    rgb, depth, label = smooth_image()
    table = np.random.default_rng(0).integers(1, 255, 256).astype(np.uint8)
    rgb[...] = table[label][..., None]
    depth = table[label].astype(np.float32)

    views = make_augment()(rgb, depth, label, np.random.default_rng(seed))

    rgb_view, depth_view = views
    known = rgb_view.label != 255
    inner = torch.from_numpy(
        cv2.erode(known.numpy().astype(np.uint8), np.ones((5, 5)), borderValue=0)
    )
    colour = (rgb_view.image[0] * 255).round().to(torch.uint8).numpy()
    same = colour == table[rgb_view.label.clamp(max=255).numpy()]
    assert same[inner.numpy() > 0].mean() > 0.8  # all but the edges between classes
    known = depth_view.label != 255
    assert (depth_view.image[0] == torch.from_numpy(table)[depth_view.label])[known].all()


def test_outside_the_image_there_is_neither_label_nor_depth() -> None:
    rgb, depth, label = smooth_image()
    augment = make_augment(min_scale=0.3, max_scale=0.3)

    _, view = augment(rgb, depth, label, np.random.default_rng(0))

    outside = view.label == 255
    assert 0.2 < outside.float().mean() < 0.9
    assert torch.equal(view.image[0] == 0, outside)


RGB, DEPTH, LABEL = smooth_image()
WRONG_IMAGES = {
    'depth in millimetres': ((RGB, DEPTH.astype(np.uint16), LABEL), r'depth image is uint16 \['),
    'depth in float64': ((RGB, DEPTH.astype(float), LABEL), r'depth image is float64 .*metres'),
    'depth with a channel': ((RGB, DEPTH[..., None], LABEL), r'depth .*\[120, 160, 1\]; a'),
    'half of the depth': ((RGB, DEPTH[:60], LABEL), r'depth .*\[60, 160\]; .*\[120, 160\] was'),
    'half of the label': ((RGB, DEPTH, LABEL[:60]), r'label .*\[60, 160\]; .*\[120, 160\] was'),
    'a label of 64 bits': ((RGB, DEPTH, LABEL.astype(int)), r'label image is int64 .*indices'),
    'a grey picture': ((RGB[..., 0], DEPTH, LABEL), r'rgb image is uint8 \[120, 160\]; .*equal'),
    'transparency': ((RGB[..., [0, 1, 2, 2]], DEPTH, LABEL), r'\[120, 160, 4\]; .*alpha'),
    'colour in 0..1': ((RGB / np.float32(255), DEPTH, LABEL), r'rgb image is float32 \['),
    'planes of colour': ((RGB.transpose(2, 0, 1), DEPTH, LABEL), r'\[3, 120, 160\]; .*W, 3\] was'),
    'a tensor': ((torch.from_numpy(RGB), DEPTH, LABEL), 'rgb image is Tensor; a NumPy array'),
    'nothing': ((RGB[:0], DEPTH[:0], LABEL[:0]), r'rgb image is uint8 \[0, 160, 3\]'),
}


@pytest.mark.parametrize('case', WRONG_IMAGES)
@pytest.mark.parametrize('kind', KINDS)
def test_an_image_of_another_kind_is_named_before_a_pipeline_sees_it(
    kind: GeometryKind, case: str
) -> None:
    images, message = WRONG_IMAGES[case]

    with pytest.raises(UsageError, match=message):
        make_augment(kind)(*images, np.random.default_rng(0))


def test_a_view_has_the_documented_shapes_and_types() -> None:
    for kind in KINDS:
        rgb, depth = make_augment(kind)(*smooth_image(), np.random.default_rng(0))
        assert rgb.image.shape == (3, *VIEW_SIZE) and rgb.image.dtype == torch.float32
        assert depth.image.shape == (1, *VIEW_SIZE) and depth.image.dtype == torch.float32
        assert rgb.image.min() >= 0 and rgb.image.max() <= 1
        for view in (rgb, depth):
            assert view.label.shape == VIEW_SIZE and view.label.dtype == torch.int64
            assert view.affine.shape == (3, 3) and view.affine.dtype == torch.float32


def test_decoupled_views_differ_and_coupled_ones_do_not() -> None:
    views = {kind: make_augment(kind)(*smooth_image(), np.random.default_rng(3)) for kind in KINDS}

    assert not torch.equal(views['decoupled'][0].affine, views['decoupled'][1].affine)
    assert torch.equal(views['coupled'][0].affine, views['coupled'][1].affine)
    assert torch.equal(views['coupled'][0].label, views['coupled'][1].label)


def test_without_geometry_the_view_is_the_whole_image() -> None:
    rgb, depth, label = smooth_image()

    views = make_augment('none')(rgb, depth, label, np.random.default_rng(0))

    for view in views:
        assert torch.equal(view.affine, torch.eye(3))
    assert views[1].image.min() == pytest.approx(depth.min(), abs=0.1)
    assert views[1].image.max() == pytest.approx(depth.max(), abs=0.1)


@pytest.mark.parametrize('seed', range(4))
def test_a_view_is_turned_without_being_sheared(seed: int) -> None:
    augment = make_augment(max_rotation_deg=40, max_aspect=1.0, min_scale=1.3, max_scale=1.3)
    view, _ = augment(*smooth_image(), np.random.default_rng(seed))

    from_input_pixels = np.diag([2 / INPUT_SIZE[1], 2 / INPUT_SIZE[0]])
    to_view_pixels = np.diag([VIEW_SIZE[1] / 2, VIEW_SIZE[0] / 2])
    matrix = to_view_pixels @ view.affine.numpy()[:2, :2] @ from_input_pixels

    assert matrix @ matrix.T == pytest.approx(1.3**2 * np.eye(2), abs=1e-5)
    assert abs(matrix[0, 1]) > 0.05


def test_the_same_generator_gives_the_same_views() -> None:
    augment = make_augment(photometric=PhotometricSettings())
    first, again, other = (
        augment(*smooth_image(), np.random.default_rng(seed)) for seed in (5, 5, 6)
    )

    for a, b, c in zip(first, again, other, strict=True):
        assert torch.equal(a.image, b.image) and torch.equal(a.label, b.label)
        assert torch.equal(a.affine, b.affine)
        assert not torch.equal(a.image, c.image)


def test_invalid_depth_stays_invalid() -> None:
    rgb, depth, label = smooth_image()
    depth[40:80, 50:110] = 0
    strong = PhotometricSettings(depth_scale=0.3, depth_sensor=1.0, depth_holes=1.0)

    for seed in range(6):
        plain = make_augment('none')(rgb, depth, label, np.random.default_rng(seed))[1]
        changed = make_augment('none', strong)(rgb, depth, label, np.random.default_rng(seed))[1]
        assert (changed.image[plain.image == 0] == 0).all()
        assert changed.image.isfinite().all() and (changed.image >= 0).all()
        assert (changed.image == 0).sum() > (plain.image == 0).sum()


def test_photometric_changes_leave_geometry_alone() -> None:
    plain = make_augment('none')(*smooth_image(), np.random.default_rng(1))
    changed = make_augment('none', PhotometricSettings())(
        *smooth_image(), np.random.default_rng(1)
    )

    for a, b in zip(plain, changed, strict=True):
        assert torch.equal(a.label, b.label)
        assert not torch.equal(a.image, b.image)


def test_pipelines_of_ones_own_change_the_views_and_not_the_labels() -> None:
    settings = GeometrySettings(kind='none')
    plain = make_augment('none')(*smooth_image(), np.random.default_rng(1))
    rgb, depth = DecoupledAugment(
        INPUT_SIZE,
        VIEW_SIZE,
        settings,
        rgb=TorchvisionPipeline(v2.RandomInvert(p=1.0)),
        depth=lambda image, rng: image * 2,
    )(*smooth_image(), np.random.default_rng(1))

    assert torch.allclose(rgb.image, 1 - plain[0].image, atol=1e-6)
    assert torch.equal(depth.image, 2 * plain[1].image)
    assert torch.equal(rgb.label, plain[0].label) and torch.equal(depth.label, plain[1].label)


def test_a_torchvision_transform_depends_on_the_samples_generator_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, 'manual_seed_all', lambda seed: pytest.fail('a GPU is seeded'))
    pipeline = TorchvisionPipeline(v2.Compose([v2.ColorJitter(0.5, 0.5), v2.GaussianBlur(5)]))
    image = torch.rand(3, 16, 24)
    before = torch.get_rng_state()
    first, again, other = (pipeline(image, np.random.default_rng(seed)) for seed in (5, 5, 6))

    assert type(first) is Tensor
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ('pipeline', 'found'),
    [
        (TorchvisionPipeline(v2.Resize((8, 8))), r'torch.float32 \[3, 8, 8\]'),
        (TorchvisionPipeline(v2.ToPILImage()), 'Image'),
        (v2.ColorJitter(0.4), 'tuple'),
        (lambda image, rng: image.double(), r'torch.float64 \[3, 64, 96\]'),
    ],
)
def test_a_pipeline_that_returns_something_else_is_refused(pipeline: Pipeline, found: str) -> None:
    augment = DecoupledAugment(INPUT_SIZE, VIEW_SIZE, rgb=pipeline)
    with pytest.raises(UsageError, match=rf'made {found} of a view that is'):
        augment(*smooth_image(), np.random.default_rng(0))


def test_the_source_images_are_not_written_to() -> None:
    images = smooth_image()
    copies = [image.copy() for image in images]

    make_augment(photometric=PhotometricSettings())(*images, np.random.default_rng(0))

    for image, copy in zip(images, copies, strict=True):
        assert np.array_equal(image, copy)


# --- warp_features


@pytest.mark.parametrize('seed', range(8))
def test_warped_features_show_what_the_own_view_shows(seed: int) -> None:
    _, depth, label = smooth_image()
    rgb = np.repeat((depth / 7 * 255).astype(np.uint8)[..., None], 3, 2)
    own, other = make_augment()(rgb, depth, label, np.random.default_rng(seed))

    size = (16, 24)
    mine = functional.adaptive_avg_pool2d(own.image[:1], size) * 7
    theirs = functional.adaptive_avg_pool2d(other.image, size)
    warped, valid = warp_features(theirs[None], own.affine[None], other.affine[None])

    seen = cv2.erode(valid[0, 0].numpy(), np.ones((3, 3)), borderValue=0) > 0
    if seen.sum() > 10:
        assert np.abs((warped[0, 0] - mine[0]).numpy()[seen]).mean() < 0.06


def test_some_of_the_views_above_do_overlap() -> None:
    overlaps = []
    for seed in range(8):
        own, other = make_augment()(*smooth_image(), np.random.default_rng(seed))
        _, valid = warp_features(torch.zeros(1, 1, 16, 24), own.affine[None], other.affine[None])
        overlaps.append(valid.mean().item())

    assert np.mean(overlaps) > 0.25
    assert min(overlaps) < 0.95


def test_equal_affines_leave_features_in_place() -> None:
    own, _ = make_augment(min_scale=1.2)(*smooth_image(), np.random.default_rng(0))
    features = torch.rand(1, 5, 6, 7)

    warped, valid = warp_features(features, own.affine[None], own.affine[None])

    assert torch.allclose(warped, features, atol=1e-5)
    assert valid.all()


def test_a_flip_of_the_other_view_is_undone() -> None:
    features = torch.rand(1, 5, 6, 7)
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))[None]

    warped, valid = warp_features(features.flip(-1), torch.eye(3)[None], flip)

    assert torch.allclose(warped, features, atol=1e-5)
    assert valid.all()


def test_what_the_other_view_does_not_reach_is_not_valid() -> None:
    zoom = torch.diag(torch.tensor([2.0, 2.0, 1.0]))[None]  # the other sees the middle half

    _, valid = warp_features(torch.rand(1, 1, 8, 8), torch.eye(3)[None], zoom)

    expected = torch.zeros(8, 8)
    expected[2:6, 2:6] = 1
    assert torch.equal(valid[0, 0], expected)


def test_what_lies_outside_the_image_is_not_valid() -> None:
    shrink = torch.diag(torch.tensor([0.5, 0.5, 1.0]))[None]  # both see beyond the image

    _, valid = warp_features(torch.rand(1, 1, 8, 8), shrink, shrink)

    expected = torch.zeros(8, 8)
    expected[2:6, 2:6] = 1
    assert torch.equal(valid[0, 0], expected)


@pytest.mark.parametrize('seed', range(3))
def test_mixed_precision_does_not_move_the_features(seed: int) -> None:
    own, other = make_augment()(*smooth_image(), np.random.default_rng(seed))
    features = torch.rand(1, 4, 24, 32)
    plain, _ = warp_features(features, own.affine[None], other.affine[None])

    with torch.autocast('cpu', torch.bfloat16):
        mixed, _ = warp_features(features, own.affine[None], other.affine[None])

    assert torch.equal(mixed, plain)


def test_all_flips_and_rotations_are_undone_by_the_inverse() -> None:
    features = functional.interpolate(torch.rand(1, 2, 4, 4), (24, 32), mode='bicubic')
    augment = make_augment(min_scale=1.0, max_scale=1.0)
    views = [augment(*smooth_image(), np.random.default_rng(seed))[0] for seed in range(3)]
    for a, b in itertools.permutations(views, 2):
        there, seen = warp_features(features, a.affine[None], b.affine[None])
        back, seen_back = warp_features(there, b.affine[None], a.affine[None])
        still, _ = warp_features(seen, b.affine[None], a.affine[None])
        both = (seen_back > 0) & (still > 0.99)
        if both.sum() > 20:
            assert (back - features).abs().mean(1, keepdim=True)[both].mean() < 0.05

"""The resizes that OpenVINO is slow at are replaced, and nothing else is."""

from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op

from crodino_core.runtime.engines.openvino_engine import shared_core
from crodino_core.runtime.engines.openvino_resize import neighbours, replace_resizes

EXACT = {'INFERENCE_PRECISION_HINT': 'f32'}


def resized(
    value: ov.Node,
    size: tuple[int, int],
    coordinates: str = 'half_pixel',
    mode: str = 'linear_onnx',
) -> ov.Node:
    return op.interpolate(
        value,
        np.array(size, np.int64),
        mode=mode,
        shape_calculation_mode='sizes',
        axes=np.array([2, 3], np.int64),
        coordinate_transformation_mode=coordinates,
    )


def image_model(source: tuple[int, int], target: tuple[int, int]) -> ov.Model:
    """As a bundle's graph of the colour camera begins."""
    image = op.parameter([1, *source, 3], np.uint8)
    planes = op.convert(op.transpose(image, np.array([0, 3, 1, 2])), 'f32')
    return ov.Model([resized(op.divide(planes, np.float32(255)), target)], [image])


def plane_model(
    source: tuple[int, int], target: tuple[int, int], channels: int = 5, **kind: str
) -> ov.Model:
    """As every graph of a bundle ends."""
    planes = op.parameter([1, channels, *source], np.float32)
    return ov.Model([resized(planes, target, **kind)], [planes])


def kinds(model: ov.Model) -> list[str]:
    return [node.get_type_name() for node in model.get_ops()]


def computed(model: ov.Model) -> np.ndarray:
    rng = np.random.default_rng(1)
    shape = list(model.input(0).shape)
    if model.input(0).element_type == ov.Type.u8:
        value = rng.integers(0, 256, shape, np.uint8)
    else:
        value = rng.normal(size=shape).astype(np.float32)
    return np.asarray(shared_core().compile_model(model, 'CPU', EXACT)([value])[0])


@pytest.mark.parametrize('target', [(18, 24), (30, 40), (7, 90), (31, 16), (75, 101)])
def test_an_image_is_resized_as_before(target: tuple[int, int]) -> None:
    model = image_model((30, 40), target)
    expected = computed(model)

    replace_resizes(model)

    assert 'Interpolate' not in kinds(model)
    np.testing.assert_allclose(computed(model), expected, atol=1e-5)


@pytest.mark.parametrize('target', [(36, 48), (18, 12), (27, 5), (72, 100)])
def test_planes_are_enlarged_as_before(target: tuple[int, int]) -> None:
    model = plane_model((9, 12), target)
    expected = computed(model)

    replace_resizes(model)

    assert 'Interpolate' not in kinds(model)
    np.testing.assert_allclose(computed(model), expected, atol=1e-5)


@pytest.mark.parametrize(
    'model',
    [
        plane_model((9, 12), (36, 48), channels=16),
        plane_model((9, 12), (31, 48)),
        plane_model((9, 12), (9, 12)),
        plane_model((9, 12), (36, 48), coordinates='align_corners'),
        plane_model((9, 12), (36, 48), mode='nearest'),
    ],
    ids=['many channels', 'no whole multiple', 'same size', 'other coordinates', 'nearest'],
)
def test_another_resize_stays_what_it_is(model: ov.Model) -> None:
    replace_resizes(model)

    assert 'Interpolate' in kinds(model)


def test_a_pixel_lies_between_its_two_neighbours() -> None:
    first, second, weight = neighbours(2, 4)

    assert first.tolist() == [0, 0, 0, 1]
    assert second.tolist() == [1, 1, 1, 1]
    assert weight.tolist() == [0.0, 0.25, 0.75, 0.25]  # the last is between a pixel and itself

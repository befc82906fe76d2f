"""Bilinear resizing of few channels, written so that OpenVINO computes it quickly.

OpenVINO's Interpolate works on 16 channels at a time, however few there are; the graphs of a
bundle have 3 where the image comes in, and one for each class where the mask goes out. In its
place go the neighbours, gathered, and their weighted sum: a tenth of the time of a whole network
(docs/engines.md). Other engines are quick at Resize, so the ONNX files keep it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino as ov
from openvino import opset13 as op

VECTOR = 16
"""Channels that Interpolate takes together."""


def replace_resizes(model: ov.Model) -> None:
    """Replace the bilinear resizes of fewer than 16 channels, in place.

    :param model: of fixed shapes. A resize that is not as in a bundle's graph stays.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() == 'Interpolate' and _is_bilinear_of_few(node):
            quicker = _resize_image(node) or _enlarge_planes(node)
            if quicker is not None:
                node.output(0).replace(quicker)
    model.validate_nodes_and_infer_types()


def neighbours(source: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return between which of `source` pixels each of `target` lies (half-pixel centres).

    :return: indices of the first and of the second, int64, and the weight of the second in 0..1,
        float32; all of length `target`.
    """
    # In units of 1 / (2 * target), so that nothing is rounded.
    place = np.maximum((2 * np.arange(target) + 1) * source - target, 0)
    first = np.minimum(place // (2 * target), source - 1)
    second = np.minimum(first + 1, source - 1)
    return first, second, ((place - 2 * target * first) / (2 * target)).astype(np.float32)


def _is_bilinear_of_few(node: ov.Node) -> bool:
    before, after = node.input_value(0), node.output(0).get_shape()
    settings = node.get_attributes()
    return (
        before.get_element_type() == ov.Type.f32
        and len(after) == 4
        and list(after)[:2] == list(before.get_shape())[:2]
        and after[0] == 1
        and after[1] < VECTOR
        and settings['mode'] == 'linear_onnx'
        and settings['coordinate_transformation_mode'] == 'half_pixel'
        and not settings['antialias']
        and not any([*settings['pads_begin'], *settings['pads_end']])
    )


def _resize_image(node: ov.Node) -> ov.Output | None:
    """Resize an image as it lies in memory, [1, h, w, C], before it is split into planes."""
    chain = [node]
    for kind in ('Divide', 'Convert', 'Transpose'):
        chain.append(chain[-1].input_value(0).get_node())
        if chain[-1].get_type_name() != kind:
            return None
    _, scale, _, split = chain
    order, divisor = split.input_value(1).get_node(), scale.input_value(1).get_node()
    if _values(order) != [0, 3, 1, 2] or len(_values(divisor)) != 1:
        return None
    image = split.input_value(0)
    _, height, width, channels = image.get_shape()
    _, _, new_height, new_width = node.output(0).get_shape()
    lines = op.reshape(image, _whole([1, height, width * channels]), False)
    first, second, weight = neighbours(height, new_height)
    lines = _sum(
        (op.convert(_take(lines, 1, first), 'f32'), (1 - weight).reshape(1, -1, 1)),
        (op.convert(_take(lines, 1, second), 'f32'), weight.reshape(1, -1, 1)),
    )
    # Single values, not pixels: a gather of three at a time takes twice as long.
    first, second, weight = neighbours(width, new_width)
    value = np.arange(channels)
    weight = weight.repeat(channels)
    pixels = _sum(
        (_take(lines, 2, np.add.outer(first * channels, value).ravel()), 1 - weight),
        (_take(lines, 2, np.add.outer(second * channels, value).ravel()), weight),
    )
    pixels = op.reshape(pixels, _whole([1, new_height, new_width, channels]), False)
    return op.divide(op.transpose(pixels, order), divisor).output(0)


def _enlarge_planes(node: ov.Node) -> ov.Output | None:
    """Enlarge [1, C, h, w] to a whole multiple of its height."""
    planes = node.input_value(0)
    _, channels, height, width = planes.get_shape()
    _, _, new_height, new_width = node.output(0).get_shape()
    factor, rest = divmod(new_height, height)
    if rest or factor < 2:
        return None
    first, second, weight = neighbours(width, new_width)
    wide = _sum((_take(planes, 3, first), 1 - weight), (_take(planes, 3, second), weight))
    # Each row becomes `factor` rows at once, from itself and the rows above and below: gathers of
    # rows as long as these would take longer than the sum.
    shift = (2 * np.arange(factor) + 1) / (2 * factor) - 0.5
    above, below = np.maximum(-shift, 0), np.maximum(shift, 0)
    row = np.arange(height)
    shape = _whole([1, channels, height, 1, new_width])
    rows = _sum(
        *(
            (op.reshape(_take(wide, 2, index), shape, False), share.reshape(-1, 1))
            for index, share in (
                (np.maximum(row - 1, 0), above),
                (row, 1 - above - below),
                (np.minimum(row + 1, height - 1), below),
            )
        )
    )
    return op.reshape(rows, _whole([1, channels, new_height, new_width]), False).output(0)


def _sum(*terms: tuple[ov.Node, np.ndarray]) -> ov.Node:
    """Add tensors with their weights."""
    first, *rest = (op.multiply(t, op.constant(w.astype(np.float32))) for t, w in terms)
    for term in rest:
        first = op.add(first, term)
    return first


def _take(tensor: ov.Node | ov.Output, axis: int, index: np.ndarray) -> ov.Node:
    return op.gather(tensor, op.constant(index.astype(np.int32)), op.constant(np.int32(axis)))


def _whole(numbers: Sequence[int]) -> np.ndarray:
    return np.array(numbers, np.int64)


def _values(node: ov.Node) -> list[float]:
    """Return what a constant holds; nothing where it is no constant."""
    return node.get_data().ravel().tolist() if node.get_type_name() == 'Constant' else []

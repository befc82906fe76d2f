"""A model bundle of two tiny networks that keep the contract: bright is 1, near is 1."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from crodino_core.bundle import ModelBundle
from crodino_core.labels import LabelSet
from crodino_core.modality import Modality

NETWORK_SIZE = (24, 32)
BRIGHT = 128.0
NEAR = 2.0


def make_tiny_bundle(folder: Path, depth_range: tuple[float, float] = (0.1, 10.0)) -> ModelBundle:
    """Write the bundle: class 1 where RGB is brighter than 128, or depth is nearer than 2 m."""
    with tempfile.TemporaryDirectory() as scratch:
        networks = {m: Path(scratch) / f'{m}.onnx' for m in Modality}
        for modality, path in networks.items():
            onnx.save(tiny_network(modality), path)
        return ModelBundle.save(
            folder,
            networks,
            name='tiny',
            labels=LabelSet(('background', 'thing'), ((0, 0, 0), (255, 0, 0))),
            input_size=NETWORK_SIZE,
            rgb_mean=(0.0, 0.0, 0.0),
            rgb_std=(1.0, 1.0, 1.0),
            depth_range=depth_range,
            opset=17,
        )


def tiny_network(modality: Modality) -> onnx.ModelProto:
    """Return a network of one 1 x 1 convolution between the two resizes of the real ones."""
    if modality is Modality.RGB:
        name, kind, channels = 'image', TensorProto.UINT8, 3
        weight, bias = np.full((1, 3), 0.1 / 3), -0.1 * BRIGHT
    else:
        name, kind, channels = 'depth', TensorProto.FLOAT, 1
        weight, bias = np.full((1, 1), -10.0), 10.0 * NEAR
    weights = np.concatenate([np.zeros_like(weight), weight]).reshape(2, channels, 1, 1)
    constants = {
        'weights': weights.astype(np.float32),
        'biases': np.array([0.0, bias], np.float32),
        'inner_size': np.array([1, channels, *NETWORK_SIZE], np.int64),
        'two_classes': np.array([1, 2], np.int64),
        'spatial': np.array([1, 2], np.int64),
        'full': np.array(255.0, np.float32),
        'zero': np.array(0.0, np.float32),
    }
    resize = {'mode': 'linear', 'coordinate_transformation_mode': 'half_pixel'}
    node = helper.make_node
    nodes = [
        node('Cast', [name], ['as_float'], to=TensorProto.FLOAT),
        node('Transpose', ['as_float'], ['planes'], perm=[0, 3, 1, 2]),
        node('Resize', ['planes', '', '', 'inner_size'], ['small'], **resize),
        node('GreaterOrEqual', ['small', 'zero'], ['valid']),
        node('Where', ['valid', 'small', 'zero'], ['positive']),
        node('Clip', ['positive', 'zero', ''], ['features']),
        node('Identity', ['biases'], ['shared_biases']),
        node('Conv', ['features', 'weights', 'shared_biases'], ['logits']),
        node('Shape', [name], ['shape']),
        node('Gather', ['shape', 'spatial'], ['size']),
        node('Concat', ['two_classes', 'size'], ['full_size'], axis=0),
        node('Resize', ['logits', '', '', 'full_size'], ['upsampled'], **resize),
        node('Softmax', ['upsampled'], ['probabilities'], axis=1),
        node('ArgMax', ['probabilities'], ['classes'], axis=1, keepdims=0),
        node('Cast', ['classes'], ['mask'], to=TensorProto.UINT8),
        node('ReduceMax', ['probabilities'], ['likeliest'], axes=[1], keepdims=0),
        node('Mul', ['likeliest', 'full'], ['scaled']),
        node('Round', ['scaled'], ['rounded']),
        node('Cast', ['rounded'], ['confidence'], to=TensorProto.UINT8),
    ]

    def value(name: str, kind: int, channels: tuple[int, ...] = ()) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, [1, 'height', 'width', *channels])

    graph = helper.make_graph(
        nodes,
        f'tiny_{modality}',
        [value(name, kind, (channels,))],
        [value(output, TensorProto.UINT8) for output in ('mask', 'confidence')],
        [numpy_helper.from_array(array, key) for key, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model

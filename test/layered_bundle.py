"""A bundle whose networks have layers to compute in fp16 and int8, and one that bears neither.

Its classes are those of `small_data_set`: a picture is red, a box is near. Five layers pass the
channels on; the third shrinks green to a thousandth, and the fourth restores it, so that its input
holds values that no single int8 scale can hold.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from small_data_set import CLASSES
from tiny_bundle import tiny_network

from crodino_core.bundle import ModelBundle
from crodino_core.labels import LabelSet
from crodino_core.modality import Modality

INPUT_SIZE = (24, 32)
LABELS = LabelSet(CLASSES, tuple((90 * i, 50, 200) for i in range(len(CLASSES))))
LAYERS = 5
DELICATE = 3
"""The layer with the delicate input."""
SHRUNK = 1e-3


def make_layered_bundle(folder: Path) -> ModelBundle:
    """Write the bundle."""
    with tempfile.TemporaryDirectory() as scratch:
        networks = {m: Path(scratch) / f'{m}.onnx' for m in Modality}
        for modality, path in networks.items():
            onnx.save(layered_network(modality), path)
        return ModelBundle.save(
            folder,
            networks,
            name='layered',
            labels=LABELS,
            input_size=INPUT_SIZE,
            rgb_mean=(0.0, 0.0, 0.0),
            rgb_std=(1.0, 1.0, 1.0),
            depth_range=(0.1, 10.0),
            opset=17,
        )


def layered_network(modality: Modality) -> onnx.ModelProto:
    """Return the tiny network with layers before its last convolution, and three classes."""
    model = tiny_network(modality)
    graph = model.graph
    if modality is Modality.RGB:  # background, never a box, red - green > 60
        weights, biases = np.array([[0, 0, 0], [0, 0, 0], [1, -1, 0]]), np.array([0, -999, -60])
    else:  # background, nearer than 2 m, never a picture
        weights, biases = np.array([[0], [-10], [0]]), np.array([0, 20, -999])
    _replace(graph, 'weights', weights[..., None, None].astype(np.float32))
    _replace(graph, 'biases', biases.astype(np.float32))
    _replace(graph, 'two_classes', np.array([1, len(CLASSES)], np.int64))
    at = next(i for i, node in enumerate(graph.node) if node.op_type == 'Conv')
    last = graph.node[at]
    last.name = 'classify'
    nodes, before = [], last.input[0]
    for index in range(LAYERS):
        weight = _layer_weight(index, weights.shape[1])
        graph.initializer.append(numpy_helper.from_array(weight, f'weight_{index}'))
        inputs = [before, f'weight_{index}']
        nodes.append(helper.make_node('Conv', inputs, [f'sum_{index}'], f'layer_{index}'))
        before = f'active_{index}'
        nodes.append(helper.make_node('Relu', [f'sum_{index}'], [before], f'relu_{index}'))
    last.input[0] = before
    for offset, node in enumerate(nodes):
        graph.node.insert(at + offset, node)
    onnx.checker.check_model(model, full_check=True)
    return model


def _layer_weight(index: int, channels: int) -> np.ndarray:
    gains = np.ones(channels)
    if channels > 1 and index in (DELICATE - 1, DELICATE):
        gains[1] = SHRUNK if index < DELICATE else 1 / SHRUNK
    return np.diag(gains).reshape(channels, channels, 1, 1).astype(np.float32)


def _replace(graph: onnx.GraphProto, name: str, value: np.ndarray) -> None:
    constant = next(each for each in graph.initializer if each.name == name)
    constant.CopyFrom(numpy_helper.from_array(value, name))

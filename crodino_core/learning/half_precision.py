"""fp16: a network's layers in half precision, what feeds and reads them in float32.

`onnxruntime.transformers.float16` was tried first: it leaves nodes out of order around those it is
told to spare, and puts a pair of casts around each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from crodino_core.errors import CrodinoError
from crodino_core.learning.quantize import LOGITS

FIRST_IN_FLOAT32 = 3
"""Convolutions: the stem and the first depthwise block of MobileNetV2, which are the most
sensitive in int8 as well. With them in fp16 99.5 % (RGB) and 99.3 % (depth) of the pixels keep
their class on the sample frames, without them 99.9 % and 99.8 %."""


def halve_network(path: Path) -> onnx.ModelProto:
    """Return a network whose layers compute in fp16.

    In float32 stay: all that comes before the fourth convolution (metres have three digits in
    fp16), the convolution that makes the logits, and all that is made of them (argmax of almost
    equal scores, confidence, sizes).

    :param path: the float32 network.
    :raises CrodinoError: there is nothing in between.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    graph = model.graph
    layers = _layers(graph)
    if not layers:
        raise CrodinoError(
            f'{path.name} has no convolution between the first {FIRST_IN_FLOAT32} and the one '
            f'that makes {LOGITS!r}; there is nothing to compute in fp16'
        )
    constants = _constants(graph)
    floats = _floats(graph, constants)
    halves = {name for node in layers for name in node.output} & floats
    inside = {node.output[0] for node in layers}
    nodes, made = list(graph.node), set[str]()
    del graph.node[:]
    for node in nodes:
        is_layer = node.output[0] in inside
        for index, name in enumerate(node.input):
            if name not in floats or is_layer == (name in halves):
                continue
            node.input[index] = f'{name}_{"fp16" if is_layer else "fp32"}'
            if node.input[index] not in made:
                _convert(graph, name, node.input[index], is_layer, constants.get(name))
                made.add(node.input[index])
        graph.node.append(node)
    _drop_unused(graph)
    onnx.checker.check_model(model, full_check=True)
    return model


def _convert(
    graph: onnx.GraphProto, name: str, to: str, half: bool, constant: np.ndarray | None
) -> None:
    """Append what makes a tensor's other version: a rounded constant, or a cast."""
    if half and constant is not None:
        graph.initializer.append(numpy_helper.from_array(constant.astype(np.float16), to))
    else:
        kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        graph.node.append(helper.make_node('Cast', [name], [to], f'{to}_Cast', to=kind))


def _layers(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return what depends on the convolutions after the first ones, but not on the logits."""
    layers, computed, of_logits, convolutions = [], set[str](), set[str](), 0
    for node in graph.node:
        inputs = set(node.input)
        convolutions += node.op_type == 'Conv'
        if LOGITS in node.output or inputs & of_logits:
            of_logits.update(node.output)
        elif inputs & computed or (node.op_type == 'Conv' and convolutions > FIRST_IN_FLOAT32):
            computed.update(node.output)
            layers.append(node)
    return layers


def _floats(graph: onnx.GraphProto, constants: Mapping[str, np.ndarray]) -> set[str]:
    """Return the names of all float32 tensors."""
    values = (*graph.input, *graph.value_info, *graph.output)
    found = {v.name for v in values if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    return found | {name for name, value in constants.items() if value.dtype == np.float32}


def _constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    found = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for node in graph.node:
        if node.op_type == 'Constant' and node.attribute[0].name == 'value':
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Drop the constants that only fp16 layers read, and the types of what was float32."""
    used = {name for node in graph.node for name in node.input}
    kept = [each for each in graph.initializer if each.name in used]
    nodes = [n for n in graph.node if n.op_type != 'Constant' or n.output[0] in used]
    for field, content in (('initializer', kept), ('node', nodes), ('value_info', [])):
        graph.ClearField(field)
        getattr(graph, field).extend(content)

"""Computing in advance what a graph of fixed size computes from sizes alone."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

LARGEST = 1 << 16
"""Elements of a folded tensor; more is no arithmetic on sizes, and the file would grow."""


def fold_sizes(model: onnx.ModelProto) -> None:
    """Replace `Shape` and all that follows from it by constants, as far as sizes are known.

    What is left is the network itself. So no version of TensorRT has to understand arithmetic on
    int64 (8.6 has none: its parser casts to int32) or fill and index tensors of sizes.
    """
    graph = model.graph
    known = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    before = -1
    while before != len(graph.node):  # each round, shape inference sees further
        before = len(graph.node)
        shapes = _known_shapes(model)
        kept = []
        for node in graph.node:
            found = _value_of(node, known, shapes, model)
            if found is None:
                kept.append(node)
                continue
            known[node.output[0]] = found
            graph.initializer.append(numpy_helper.from_array(found, node.output[0]))
        del graph.node[:]
        graph.node.extend(kept)
    _drop_unused(graph)


def _value_of(
    node: onnx.NodeProto,
    known: dict[str, np.ndarray],
    shapes: dict[str, list[int]],
    model: onnx.ModelProto,
) -> np.ndarray | None:
    """Return what a node computes if that is known in advance."""
    if len(node.output) != 1 or node.op_type == 'DequantizeLinear':  # weights that stay in int8
        return None
    if node.op_type == 'Shape':
        shape = shapes.get(node.input[0])
        return None if shape is None or node.attribute else np.array(shape, np.int64)
    if any(name and name not in known for name in node.input):
        return None
    body = helper.make_graph(
        [node],
        'one',
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(known[name].dtype), known[name].shape
            )
            for name in dict.fromkeys(filter(None, node.input))
        ],
        [onnx.ValueInfoProto(name=node.output[0])],
    )
    alone = helper.make_model(body, opset_imports=model.opset_import, ir_version=model.ir_version)
    feeds = {name: known[name] for name in node.input if name}
    (found,) = ReferenceEvaluator(alone).run(None, feeds)
    small = np.size(found) <= LARGEST or node.op_type == 'Constant'
    return np.asarray(found) if small else None


def _known_shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Return the shapes without an unknown side."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    found = {}
    for value in (*inferred.value_info, *inferred.input, *inferred.output):
        kind = value.type.tensor_type
        if kind.HasField('shape') and all(side.HasField('dim_value') for side in kind.shape.dim):
            found[value.name] = [side.dim_value for side in kind.shape.dim]
    return found


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Leave out the constants that nothing reads any more."""
    read = {name for node in graph.node for name in node.input}
    read |= {value.name for value in graph.output}
    kept = [each for each in graph.initializer if each.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)

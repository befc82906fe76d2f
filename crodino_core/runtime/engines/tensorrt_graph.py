"""An exported network, made ready for TensorRT's parser.

In every version from 8.6 to 11.1 a uint8 tensor may only be a network's input or output, and the
layer next to it must convert from or to float (`DataType::kUINT8` in `NvInferRuntime.h`). So the
conversions are moved to the very ends. Height and width are fixed as well, and what the graph
computes from them is computed in advance: then no optimisation profile is needed, and CUDA can
replay the work as a graph. An engine serves one image size.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from crodino_core.errors import CrodinoError
from crodino_core.runtime.engines.engine import LOGITS, OUTPUTS
from crodino_core.runtime.engines.graph_folding import fold_sizes

NEWEST_OPSET = {8: 17}
"""By major version of TensorRT; what newer ones read grows with each minor version, and their
parser says so itself (onnx-tensorrt, docs/operators.md)."""


@dataclass(frozen=True)
class TensorRtGraph:
    """An ONNX file for one image size."""

    content: bytes
    precision: str
    """'float32', 'fp16' or 'int8': what the file itself asks for."""
    float_tensors: frozenset[str]
    """Tensors that the file keeps in float32 (all of them, in a float32 file)."""


def read_graph(path: Path, major: int) -> onnx.ModelProto:
    """Read a bundle's network (`check_network` has seen it) for a version of TensorRT.

    :param major: of TensorRT's version.
    :raises CrodinoError: it is no ONNX file, or has an opset that this version cannot read.
    """
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's own, by whichever implementation is installed
        raise CrodinoError(f'{path} is not an ONNX file: export it anew') from error
    opset = max((each.version for each in model.opset_import if not each.domain), default=0)
    newest = NEWEST_OPSET.get(major, opset)
    if opset > newest:
        raise CrodinoError(
            f'{path} has opset {opset}; TensorRT {major} reads up to {newest}: export it with '
            'that one'
        )
    return model


def precision_of(model: onnx.ModelProto) -> str:
    """Say which precision an ONNX file carries: 'float32', 'fp16' or 'int8'."""
    if any(node.op_type == 'QuantizeLinear' for node in model.graph.node):
        return 'int8'
    half = any(each.data_type == TensorProto.FLOAT16 for each in model.graph.initializer)
    return 'fp16' if half else 'float32'


def for_tensorrt(
    model: onnx.ModelProto, size: tuple[int, int], outputs: tuple[str, ...] = OUTPUTS
) -> TensorRtGraph:
    """Fix the height and width, and convert from and to uint8 at the ends only.

    :param model: of `read_graph`; it is left as it is.
    :param outputs: may have `logits` besides mask and confidence.
    """
    precision = precision_of(model)
    fitted = onnx.ModelProto()
    fitted.CopyFrom(model)
    graph = fitted.graph
    del graph.value_info[:]
    graph.input[0].CopyFrom(_sized(graph.input[0], size))
    _convert_input(graph)
    _convert_outputs(graph)
    kept = [_sized(value, size) for value in graph.output]
    if LOGITS in outputs:
        kept.append(helper.make_tensor_value_info(LOGITS, _type_of_logits(model), None))
    del graph.output[:]
    graph.output.extend(kept)
    fold_sizes(fitted)
    fitted = onnx.shape_inference.infer_shapes(fitted)
    return TensorRtGraph(fitted.SerializeToString(), precision, _float_tensors(fitted))


def _sized(value: onnx.ValueInfoProto, size: tuple[int, int]) -> onnx.ValueInfoProto:
    """Fix [1, height, width, ...] of an input or output."""
    kind = value.type.tensor_type
    rest = [each.dim_value for each in kind.shape.dim][3:]
    return helper.make_tensor_value_info(value.name, kind.elem_type, [1, *size, *rest])


def _convert_input(graph: onnx.GraphProto) -> None:
    """Let everything that reads a uint8 input read it as float."""
    image = graph.input[0]
    if image.type.tensor_type.elem_type != TensorProto.UINT8:
        return
    converted = f'{image.name}/float'
    for node in graph.node:
        node.input[:] = [converted if name == image.name else name for name in node.input]
    graph.node.insert(0, helper.make_node('Cast', [image.name], [converted], to=TensorProto.FLOAT))


def _convert_outputs(graph: onnx.GraphProto) -> None:
    """Keep float where the graph converts to uint8, and convert its outputs instead.

    Between the two a bundle's graph only splits and squeezes, so the masks stay the same.
    """
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == 'Cast' and (attribute.name, attribute.i) == (
                'to',
                TensorProto.UINT8,
            ):
                attribute.i = TensorProto.FLOAT
    for value in graph.output:
        if value.type.tensor_type.elem_type == TensorProto.UINT8:
            converted = f'{value.name}/float'
            for node in graph.node:
                node.input[:] = [converted if n == value.name else n for n in node.input]
                node.output[:] = [converted if n == value.name else n for n in node.output]
            graph.node.append(
                helper.make_node('Cast', [converted], [value.name], to=TensorProto.UINT8)
            )


def _type_of_logits(model: onnx.ModelProto) -> int:
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    types = {value.name: value.type.tensor_type.elem_type for value in inferred}
    if LOGITS not in types:
        raise CrodinoError(f'the network has no inner tensor {LOGITS!r}; export it anew')
    return int(types[LOGITS])


def _float_tensors(model: onnx.ModelProto) -> frozenset[str]:
    values = model.graph.value_info
    return frozenset(
        value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT
    )

"""int8: a network's convolutions between explicit Q/DQ nodes, scales from calibration images.

Symmetric throughout (zero points are 0, as TensorRT wants), weights per output channel,
activations per tensor. Only the inputs of convolutions are quantised: so activation functions and
residual sums stay in front of the rounding, where engines fuse them, and everything else, from
the input's normalisation to the mask, stays in float32.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from crodino_core.errors import CrodinoError
from crodino_core.progress import progress_bar

LOGITS = 'logits'
LARGEST = 127
"""-128 is left out: symmetric."""
REQUIRED_SNR_DB = 30.0
"""A convolution that alone brings the logits below this stays in float32: in MobileNetV2 those of
the first block; see docs/engines.md."""
SENSITIVITY_IMAGES = 4


@dataclass(frozen=True)
class QuantizedNetwork:
    """The int8 network, and what was kept out of it."""

    model: onnx.ModelProto
    convolutions: int
    kept: dict[str, float]
    """Convolutions that stay in float32, and the signal to noise ratio (dB) of the logits if only
    they were quantised."""


def quantize_network(path: Path, images: Sequence[np.ndarray], title: str) -> QuantizedNetwork:
    """Quantise what of a network bears it.

    :param path: the float32 network.
    :param images: calibration images as the graph takes them, [1, H, W, C] each.
    :param title: for the progress bar.
    :raises CrodinoError: there are no images, or nothing of the network can be quantised.
    """
    if not images:
        raise CrodinoError(f'int8 needs calibration frames, and none were given for {path.name}')
    model = onnx.load(path)
    candidates = _convolutions(model.graph)
    if not candidates:
        raise CrodinoError(
            f'{path.name} has no convolution with constant weights before the one that makes '
            f'{LOGITS!r}; there is nothing to quantise'
        )
    ranges = input_ranges(model, candidates, images)
    step = max(1, len(images) // SENSITIVITY_IMAGES)
    probes = images[::step][:SENSITIVITY_IMAGES]
    reference = _logits(model, probes)
    ratios = {}
    with progress_bar() as bar:
        for name in bar.track(candidates, description=f'{title}: which layers bear int8'):
            alone = with_qdq(model, ranges, {name})
            ratios[name] = _signal_to_noise_db(reference, _logits(alone, probes))
    kept = {name: ratio for name, ratio in ratios.items() if ratio < REQUIRED_SNR_DB}
    quantized = with_qdq(model, ranges, set(candidates) - set(kept))
    onnx.checker.check_model(quantized, full_check=True)
    return QuantizedNetwork(quantized, len(candidates), kept)


def input_ranges(
    model: onnx.ModelProto, convolutions: Collection[str], images: Sequence[np.ndarray]
) -> dict[str, float]:
    """Return the largest absolute value of each input of the convolutions named."""
    tensors = sorted({n.input[0] for n in model.graph.node if n.name in convolutions})
    session = _session(model, tensors)
    ranges = dict.fromkeys(tensors, 0.0)
    for image in images:
        for name, values in zip(tensors, _run(session, tensors, image), strict=True):
            ranges[name] = max(ranges[name], float(np.abs(values).max()))
    return ranges


def with_qdq(
    model: onnx.ModelProto, ranges: Mapping[str, float], convolutions: Collection[str]
) -> onnx.ModelProto:
    """Return the network with Q/DQ nodes around the inputs and weights of some convolutions.

    :param ranges: largest absolute value of each input.
    """
    constants = {initializer.name: initializer for initializer in model.graph.initializer}
    quantized = onnx.ModelProto()
    quantized.CopyFrom(model)
    graph = quantized.graph
    nodes = list(graph.node)
    del graph.node[:]
    done: set[str] = set()
    for node in nodes:
        if node.name in convolutions:
            activation, weight = node.input[0], node.input[1]
            if activation not in done:
                graph.initializer.extend(_activation_scale(activation, ranges[activation]))
                graph.node.extend(_activation_nodes(activation))
            if weight not in done:
                graph.initializer.extend(_quantized_weight(constants[weight]))
                graph.node.append(_dequantize(weight, axis=0))
            done |= {activation, weight}
            node.input[0], node.input[1] = f'{activation}_dequantized', f'{weight}_dequantized'
        graph.node.append(node)
    _drop_unused(graph, done)
    return quantized


def _convolutions(graph: onnx.GraphProto) -> list[str]:
    constants = {initializer.name for initializer in graph.initializer}
    return [
        node.name
        for node in graph.node
        if node.op_type == 'Conv' and node.input[1] in constants and node.output[0] != LOGITS
    ]


def _activation_scale(name: str, largest: float) -> list[onnx.TensorProto]:
    scale = np.array(largest / LARGEST or 1.0, np.float32)
    return [
        numpy_helper.from_array(scale, f'{name}_scale'),
        numpy_helper.from_array(np.array(0, np.int8), f'{name}_zero_point'),
    ]


def _activation_nodes(name: str) -> list[onnx.NodeProto]:
    inputs = [name, f'{name}_scale', f'{name}_zero_point']
    quantize = helper.make_node(
        'QuantizeLinear', inputs, [f'{name}_quantized'], f'{name}_QuantizeLinear'
    )
    return [quantize, _dequantize(name)]


def _quantized_weight(weight: onnx.TensorProto) -> list[onnx.TensorProto]:
    """Return int8 [C_out, C_in, kh, kw], float32 [C_out] and int8 zeros [C_out]."""
    values = numpy_helper.to_array(weight)
    largest = np.abs(values).reshape(len(values), -1).max(axis=1)
    scale = np.where(largest > 0, largest / LARGEST, 1).astype(np.float32)
    rounded = np.rint(values / scale[:, None, None, None])
    name = weight.name
    return [
        numpy_helper.from_array(rounded.astype(np.int8), f'{name}_quantized'),
        numpy_helper.from_array(scale, f'{name}_scale'),
        numpy_helper.from_array(np.zeros(len(scale), np.int8), f'{name}_zero_point'),
    ]


def _dequantize(name: str, **attributes: int) -> onnx.NodeProto:
    inputs = [f'{name}_quantized', f'{name}_scale', f'{name}_zero_point']
    return helper.make_node(
        'DequantizeLinear', inputs, [f'{name}_dequantized'], f'{name}_Dequantize', **attributes
    )


def _drop_unused(graph: onnx.GraphProto, names: Collection[str]) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [each for each in graph.initializer if each.name in used or each.name not in names]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _logits(model: onnx.ModelProto, images: Sequence[np.ndarray]) -> list[np.ndarray]:
    session = _session(model, [LOGITS])
    return [_run(session, [LOGITS], image)[0] for image in images]


def _session(model: onnx.ModelProto, outputs: Sequence[str]) -> onnxruntime.InferenceSession:
    """Return a session that also gives inner tensors, computed as the file says."""
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    probed.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(
        probed.SerializeToString(), options, providers=['CPUExecutionProvider']
    )


def _run(
    session: onnxruntime.InferenceSession, outputs: Sequence[str], image: np.ndarray
) -> list[np.ndarray]:
    return list(session.run(list(outputs), {session.get_inputs()[0].name: image}))


def _signal_to_noise_db(expected: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> float:
    signal = sum(float(np.square(each).sum()) for each in expected)
    noise = sum(float(np.square(a - b).sum()) for a, b in zip(expected, found, strict=True))
    return float(10 * np.log10(signal / noise)) if noise else float('inf')

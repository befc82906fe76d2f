"""The graph TensorRT gets: the same masks, with uint8 at its ends only."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper
from tiny_bundle import tiny_network

from crodino_core.errors import CrodinoError
from crodino_core.modality import Modality
from crodino_core.resources import share_directory
from crodino_core.runtime.engines.engine import LOGITS, OUTPUTS, to_batch
from crodino_core.runtime.engines.parity import sample_images
from crodino_core.runtime.engines.tensorrt_graph import for_tensorrt, precision_of, read_graph

SIZE = (60, 80)


def shipped(modality: Modality) -> onnx.ModelProto:
    return read_graph(share_directory() / 'models' / 'indoor' / f'{modality}.onnx', 8)


def run(content: bytes, outputs: list[str], batch: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, ['CPUExecutionProvider'])
    return session.run(outputs, {session.get_inputs()[0].name: batch})


@pytest.mark.parametrize('modality', list(Modality))
def test_the_shipped_networks_keep_their_masks(modality):
    model = shipped(modality)
    graph = for_tensorrt(model, SIZE, (*OUTPUTS, LOGITS))
    for image in sample_images(modality, SIZE):
        batch = to_batch(image)
        expected = run(model.SerializeToString(), list(OUTPUTS), batch)
        mask, confidence, logits = run(graph.content, [*OUTPUTS, LOGITS], batch)
        np.testing.assert_array_equal(mask, expected[0])
        # It is rounded from float: another order of fused additions may fall to the other side.
        np.testing.assert_allclose(confidence, expected[1].astype(int), atol=1)
        assert (mask.dtype, confidence.dtype, logits.dtype) == (np.uint8, np.uint8, np.float32)


@pytest.mark.parametrize('modality', list(Modality))
def test_uint8_is_only_converted_at_the_ends_and_all_sizes_are_fixed(modality):
    for source in (shipped(modality), tiny_network(modality)):
        fitted = onnx.load_from_string(for_tensorrt(source, SIZE).content)
        onnx.checker.check_model(fitted, full_check=True)
        ends = {value.name for value in (*fitted.graph.input, *fitted.graph.output)}
        inferred = onnx.shape_inference.infer_shapes(fitted).graph.value_info
        inside = {v.name for v in inferred if v.type.tensor_type.elem_type == TensorProto.UINT8}
        assert not inside - ends
        touching = [
            node
            for node in fitted.graph.node
            if {*node.input, *node.output} & ends and node.op_type != 'Cast'
        ]
        assert touching == [] if modality is Modality.RGB else len(touching) <= 3
        for value in (*fitted.graph.input, *fitted.graph.output):
            sides = [side.dim_value for side in value.type.tensor_type.shape.dim]
            assert sides[1:3] == list(SIZE)


@pytest.mark.parametrize('modality', list(Modality))
def test_the_logits_have_their_size_in_the_file(modality):
    fitted = onnx.load_from_string(for_tensorrt(shipped(modality), SIZE, (LOGITS,)).content)
    logits = next(value for value in fitted.graph.output if value.name == LOGITS)
    assert [side.dim_value for side in logits.type.tensor_type.shape.dim] == [1, 14, 72, 96]


@pytest.mark.parametrize('modality', list(Modality))
def test_nothing_is_left_of_the_arithmetic_on_sizes(modality):
    for size in (SIZE, (480, 640)):
        fitted = onnx.load_from_string(for_tensorrt(shipped(modality), size).content)
        left = {node.op_type for node in fitted.graph.node}
        assert not left & {'Shape', 'Range', 'ConstantOfShape', 'Constant', 'Slice', 'Equal'}
        assert {'Conv', 'Resize', 'ArgMax', 'Gather'} <= left
        whole = len(shipped(modality).SerializeToString())
        assert len(fitted.SerializeToString()) < whole + 50_000


def test_the_precision_is_read_from_the_file():
    model = tiny_network(Modality.RGB)
    assert precision_of(model) == 'float32'
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(2, np.float16), 'half'))
    assert precision_of(model) == 'fp16'
    model.graph.node.append(onnx.helper.make_node('QuantizeLinear', ['a', 'b'], ['c']))
    assert precision_of(model) == 'int8'


def test_what_the_file_keeps_in_float32_is_known():
    graph = for_tensorrt(tiny_network(Modality.RGB), SIZE)
    assert {'logits', 'probabilities'} <= graph.float_tensors
    assert 'classes' not in graph.float_tensors


def test_a_file_that_is_no_network_is_one_line(tmp_path):
    (tmp_path / 'rgb.onnx').write_bytes(b'not a network')
    with pytest.raises(CrodinoError, match='is not an ONNX file'):
        read_graph(tmp_path / 'rgb.onnx', 10)


def test_a_newer_opset_is_refused_where_it_is_known_to_be_unreadable(tmp_path):
    model = tiny_network(Modality.RGB)
    model.opset_import[0].version = 19
    onnx.save(model, tmp_path / 'rgb.onnx')
    with pytest.raises(CrodinoError, match='opset 19; TensorRT 8 reads up to 17'):
        read_graph(tmp_path / 'rgb.onnx', 8)
    assert read_graph(tmp_path / 'rgb.onnx', 10) is not None


def test_logits_that_are_not_there_are_missed_before_the_build():
    model = tiny_network(Modality.RGB)
    for node in model.graph.node:
        node.input[:] = ['other' if name == LOGITS else name for name in node.input]
        node.output[:] = ['other' if name == LOGITS else name for name in node.output]
    with pytest.raises(CrodinoError, match="no inner tensor 'logits'"):
        for_tensorrt(model, SIZE, (*OUTPUTS, LOGITS))

"""fp16 and int8 networks: what is computed in them, what is not, and that the masks stay."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from layered_bundle import DELICATE, LAYERS, make_layered_bundle
from onnx import TensorProto, numpy_helper
from small_data_set import small_frame
from tiny_bundle import make_tiny_bundle

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.learning.half_precision import FIRST_IN_FLOAT32, halve_network
from crodino_core.learning.quantize import quantize_network
from crodino_core.modality import Modality
from crodino_core.runtime.engines import load_engines
from crodino_core.runtime.engines.engine import to_batch
from crodino_core.runtime.engines.tensorrt_graph import for_tensorrt, read_graph

ENGINES = [name for name in ('openvino', 'onnxruntime') if importlib.util.find_spec(name)]


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    """With fp16 and int8 networks, calibrated on four frames."""
    folder = tmp_path_factory.mktemp('models')
    bundle = make_layered_bundle(folder / 'layered')
    for precision in ('fp16', 'int8'):
        files = {m: folder / f'{m}.onnx' for m in Modality}
        for m, path in files.items():
            source = bundle.onnx_path(m)
            batches = [to_batch(image_of(m, i)) for i in range(4)]
            model = (
                halve_network(source)
                if precision == 'fp16'
                else quantize_network(source, batches, str(m)).model
            )
            onnx.save(model, path)
        bundle = bundle.with_variant(precision, files)
    return bundle


def image_of(modality: Modality, index: int) -> np.ndarray:
    """RGB uint8 or depth float32 metres of a frame of the small data set."""
    rgb, depth, _ = small_frame(index)
    return rgb if modality is Modality.RGB else depth.astype(np.float32) * np.float32(0.001)


def graph_of(bundle: ModelBundle, precision: str, modality: Modality) -> onnx.GraphProto:
    return onnx.load(bundle.choose(precision).onnx_path(modality)).graph


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('precision', ['fp16', 'int8'])
@pytest.mark.parametrize('modality', list(Modality))
def test_masks_are_those_of_float32(bundle, engine, precision, modality):
    exact = load_engines(bundle, engine, exact=True).engines[modality]
    other = load_engines(bundle.choose(precision), engine, exact=True).engines[modality]
    for index in range(4, 8):
        expected = exact.infer(image_of(modality, index)).mask
        found = other.infer(image_of(modality, index)).mask
        assert len(np.unique(expected)) > 1
        assert (found == expected).mean() > 0.99


@pytest.mark.parametrize('precision', ['fp16', 'int8'])
def test_logits_stay_in_float32_under_their_name(bundle, precision):
    engines = load_engines(bundle.choose(precision), 'onnxruntime', logits=True).engines
    for m, engine in engines.items():
        assert engine.infer(image_of(m, 0)).logits.dtype == np.float32


def test_int8_scales_are_symmetric_and_those_of_weights_per_channel(bundle):
    graph = graph_of(bundle, 'int8', Modality.RGB)
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    nodes = [n for n in graph.node if n.op_type in ('QuantizeLinear', 'DequantizeLinear')]
    assert nodes
    for node in nodes:
        scale, zero_point = constants[node.input[1]], constants[node.input[2]]
        assert zero_point.dtype == np.int8
        assert not zero_point.any()
        is_weight = node.input[0].startswith('weight')
        assert scale.shape == ((3,) if is_weight else ())


def test_int8_weights_are_stored_in_int8_only(bundle):
    constants = {
        each.name: each.data_type for each in graph_of(bundle, 'int8', Modality.RGB).initializer
    }
    assert constants['weight_0_quantized'] == TensorProto.INT8
    assert 'weight_0' not in constants


def test_a_layer_that_does_not_bear_int8_stays_in_float32(bundle):
    path = bundle.onnx_path(Modality.RGB)
    images = [to_batch(image_of(Modality.RGB, index)) for index in range(4)]
    found = quantize_network(path, images, 'rgb')
    assert list(found.kept) == [f'layer_{DELICATE}']
    assert found.convolutions == LAYERS
    delicate = next(n for n in found.model.graph.node if n.name == f'layer_{DELICATE}')
    assert list(delicate.input) == [f'active_{DELICATE - 1}', f'weight_{DELICATE}']


def test_the_last_convolution_stays_in_float32(bundle):
    last = next(n for n in graph_of(bundle, 'int8', Modality.RGB).node if n.name == 'classify')
    assert not any(name.endswith('_dequantized') for name in last.input)


def test_fp16_begins_after_the_first_convolutions_and_ends_before_the_logits(bundle):
    graph = onnx.shape_inference.infer_shapes(
        onnx.load(bundle.choose('fp16').onnx_path(Modality.DEPTH))
    ).graph
    types = {each.name: each.type.tensor_type.elem_type for each in graph.value_info}
    halves = {name for name, kind in types.items() if kind == TensorProto.FLOAT16}
    assert types['features'] == types['logits'] == TensorProto.FLOAT
    for index in range(LAYERS):
        assert (f'sum_{index}' in halves) == (index >= FIRST_IN_FLOAT32)


@pytest.mark.parametrize('precision', ['fp16', 'int8'])
@pytest.mark.parametrize('modality', list(Modality))
def test_tensorrt_gets_the_precision_that_the_file_carries(bundle, precision, modality):
    model = read_graph(bundle.choose(precision).onnx_path(modality), 8)
    fitted = for_tensorrt(model, (64, 96))
    assert fitted.precision == precision
    left = Counter(node.op_type for node in onnx.load_from_string(fitted.content).graph.node)
    given = Counter(node.op_type for node in model.graph.node)
    for kind in ('Conv', 'QuantizeLinear', 'DequantizeLinear'):
        assert left[kind] == given[kind]


@pytest.mark.parametrize('modality', list(Modality))
def test_int8_without_calibration_frames_is_refused(bundle, modality):
    with pytest.raises(CrodinoError, match='int8 needs calibration frames'):
        quantize_network(bundle.onnx_path(modality), [], str(modality))


def test_a_network_without_layers_has_nothing_to_gain(tmp_path: Path):
    tiny = make_tiny_bundle(tmp_path / 'tiny').onnx_path(Modality.RGB)
    with pytest.raises(CrodinoError, match='nothing to quantise'):
        quantize_network(tiny, [to_batch(image_of(Modality.RGB, 0))], 'rgb')
    with pytest.raises(CrodinoError, match='nothing to compute in fp16'):
        halve_network(tiny)

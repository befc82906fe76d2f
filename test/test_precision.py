"""A bundle with several pairs of networks: which one is chosen, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper
from tiny_bundle import NETWORK_SIZE, make_tiny_bundle, tiny_network

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError, UsageError
from crodino_core.modality import Modality
from crodino_core.onnx_header import read_header
from crodino_core.runtime.engines import load_engines
from crodino_core.variants import parse_resolution
from crodino_ros.networks import Networks
from crodino_ros.segment_settings import PARAMETERS, SegmentSettings

SMALL = (12, 16)


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    """A bundle with a second pair of networks in int8 and a third of half the size."""
    whole = make_tiny_bundle(tmp_path / 'tiny')
    files = {m: whole.onnx_path(m) for m in Modality}
    marked = {m: tmp_path / f'marked_{m}.onnx' for m in Modality}
    for m, path in marked.items():
        model = onnx.load(files[m])
        model.doc_string = 'another file'
        onnx.save(model, path)
    whole = whole.with_variant('int8', marked, miou={'rgb': {'before': 50.0, 'after': 49.5}})
    return whole.with_variant('float32', files, SMALL)


def rewrite(bundle: ModelBundle, change: Callable[[onnx.ModelProto], object]) -> ModelBundle:
    """Change the RGB network of a bundle, its recorded sha256 included."""
    model = onnx.load(bundle.onnx_path(Modality.RGB))
    change(model)
    changed = bundle.path.parent / 'changed.onnx'
    onnx.save(model, changed)
    networks = {Modality.RGB: changed, Modality.DEPTH: bundle.onnx_path(Modality.DEPTH)}
    return bundle.with_variant('fp16', networks).choose('fp16')


def test_the_first_pair_is_chosen_where_nothing_else_was_asked(bundle):
    loaded = ModelBundle.load(bundle.path)
    assert (loaded.precision, loaded.input_size) == ('float32', NETWORK_SIZE)
    assert loaded.onnx_path(Modality.RGB).name == 'rgb.onnx'


def test_a_precision_and_a_resolution_choose_their_files(bundle):
    int8 = ModelBundle.load(bundle.path, 'int8')
    assert int8.onnx_path(Modality.DEPTH).name == 'depth.int8.onnx'
    assert int8.sha256 != bundle.sha256
    small = ModelBundle.load(bundle.path, resolution=SMALL)
    assert small.onnx_path(Modality.RGB).name == 'rgb@12x16.onnx'
    assert small.input_size == SMALL


def test_another_pair_can_be_chosen_again(bundle):
    int8 = bundle.choose('int8')
    assert int8.choose() == bundle
    assert int8.choose(resolution=SMALL).onnx_path(Modality.RGB).name == 'rgb@12x16.onnx'


def test_pairs_come_back_from_disk_with_their_facts(bundle):
    loaded = ModelBundle.load(bundle.path)
    assert loaded == bundle
    assert [str(pair) for pair in loaded.pairs()] == [
        'float32 24x32',
        'int8 24x32',
        'float32 12x16',
    ]
    assert loaded.variants[0].facts == {'miou': {'rgb': {'before': 50.0, 'after': 49.5}}}


def test_a_pair_that_is_missing_is_answered_with_those_that_are_there(bundle):
    with pytest.raises(
        CrodinoError,
        match=r'no fp16 networks of 24x32; it has float32 24x32, int8 24x32, float32 12x16; '
        r'make them with: crodino export BUNDLE --fp16',
    ):
        ModelBundle.load(bundle.path, 'fp16')
    with pytest.raises(CrodinoError, match=r'no int8 networks of 12x16.*--int8 --calibrate DATA'):
        ModelBundle.load(bundle.path, 'int8', SMALL)
    with pytest.raises(CrodinoError, match=r'no float32 networks of 9x9.*--resolution'):
        ModelBundle.load(bundle.path, resolution=(9, 9))


def test_an_unknown_precision_is_a_wrong_usage(bundle):
    with pytest.raises(UsageError, match="'int4' is unknown; float32, fp16, int8 were expected"):
        ModelBundle.load(bundle.path, 'int4')


@pytest.mark.parametrize('text', ['192', '192:256', 'x', '0x16', '192x256x3', 'axb'])
def test_a_resolution_that_is_none_is_a_wrong_usage(text):
    with pytest.raises(UsageError, match='not HEIGHTxWIDTH'):
        parse_resolution(text)


def test_a_resolution_is_height_and_width():
    assert parse_resolution('192x256') == (192, 256)
    assert parse_resolution('') is None


def test_a_pair_is_replaced_by_a_later_one_of_its_kind(bundle):
    files = {m: bundle.onnx_path(m) for m in Modality}
    again = bundle.with_variant('int8', files, note='newer')
    assert [v.precision for v in again.variants] == ['float32', 'int8']
    assert ModelBundle.load(bundle.path, 'int8').sha256 == bundle.sha256


def test_a_damaged_pair_is_found_whichever_is_chosen(bundle):
    bundle.choose('int8').onnx_path(Modality.RGB).write_bytes(b'rubbish')
    with pytest.raises(CrodinoError, match=r'rgb\.int8\.onnx is damaged'):
        ModelBundle.load(bundle.path)


def test_a_missing_file_of_a_pair_is_named(bundle):
    bundle.choose(resolution=SMALL).onnx_path(Modality.DEPTH).unlink()
    with pytest.raises(CrodinoError, match=r'lacks depth@12x16\.onnx'):
        ModelBundle.load(bundle.path)


def test_scores_of_a_chosen_pair_leave_the_bundle_as_it_is(bundle):
    bundle.choose('int8').with_scores({'test': 1})
    loaded = ModelBundle.load(bundle.path)
    assert loaded.scores == {'test': 1}
    assert (loaded.precision, loaded.variants) == ('float32', bundle.variants)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda y: y.update(resize='letterbox'), "resize is 'letterbox'.*'stretch' only"),
        (lambda y: y['variants'][0].update(precision='int4'), "precision 'int4' is unknown"),
        (lambda y: y['variants'][0].pop('files'), "the key 'files' is missing"),
    ],
)
def test_a_description_that_cannot_be_kept_to_is_refused(bundle, change, message):
    path = bundle.path / 'model.yaml'
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(CrodinoError, match=rf'model\.yaml.*{message}'):
        ModelBundle.load(bundle.path)


def test_the_description_says_how_images_are_resized(bundle):
    assert yaml.safe_load((bundle.path / 'model.yaml').read_text())['resize'] == 'stretch'


def test_a_bundle_with_pairs_may_be_moved(bundle, tmp_path):
    shutil.move(bundle.path, tmp_path / 'elsewhere')
    moved = ModelBundle.load(tmp_path / 'elsewhere', 'int8')
    assert moved.onnx_path(Modality.RGB).is_file()


def test_masks_have_the_size_of_the_image_at_each_resolution(bundle):
    for size in (NETWORK_SIZE, SMALL):
        engines = load_engines(bundle.choose(resolution=size)).engines
        assert engines[Modality.RGB].infer(np.zeros((48, 64, 3), np.uint8)).mask.shape == (48, 64)


def test_a_network_of_another_opset_is_named_with_both(bundle):
    changed = rewrite(bundle, lambda model: setattr(model.opset_import[0], 'version', 13))
    with pytest.raises(CrodinoError, match=r'has opset 13; 17 was expected'):
        load_engines(changed)


def test_a_network_with_another_input_is_named_with_what_was_expected(bundle):
    other = tiny_network(Modality.DEPTH)
    changed = rewrite(bundle, lambda model: model.CopyFrom(other))
    with pytest.raises(
        CrodinoError,
        match=r'takes depth float32 \[1, height, width, 1\]; image uint8 \[1, H, W, 3\] was exp',
    ):
        load_engines(changed)


def test_a_network_with_channels_first_is_named(bundle):
    def channels_first(model):
        planes = helper.make_tensor_value_info('image', TensorProto.UINT8, [1, 3, 24, 32])
        model.graph.input[0].CopyFrom(planes)

    with pytest.raises(CrodinoError, match=r'takes image uint8 \[1, 3, 24, 32\]; image uint8'):
        load_engines(rewrite(bundle, channels_first))


def test_a_network_that_returns_something_else_is_named(bundle):
    changed = rewrite(bundle, lambda model: model.graph.output.pop())
    with pytest.raises(CrodinoError, match=r'returns mask uint8 .*; mask and confidence uint8'):
        load_engines(changed)


def test_the_ends_of_a_network_are_those_that_onnx_reads(bundle):
    path = bundle.onnx_path(Modality.RGB)
    model, header = onnx.load(path), read_header(path)
    assert header.opset == model.opset_import[0].version
    assert [each.name for each in header.inputs] == [each.name for each in model.graph.input]
    assert [each.name for each in header.outputs] == [each.name for each in model.graph.output]
    assert header.inputs[0].shape == (1, 'height', 'width', 3)


@pytest.mark.parametrize('content', [b'', b'not a network', b'\x3a\xff\xff\xff\x7f', b'\x08'])
def test_what_is_no_onnx_file_has_no_ends(tmp_path, content):
    path = tmp_path / 'file.onnx'
    path.write_bytes(content)
    with pytest.raises((ValueError, LookupError)):
        read_header(path)


def test_the_node_loads_the_networks_that_its_parameters_name(bundle):
    defaults = {spec.name: spec.default for spec in PARAMETERS}
    given = {**defaults, 'model': str(bundle.path), 'warm_up_size': [24, 32]}
    chosen = {'precision': 'int8', 'resolution': '24x32'}
    networks = Networks.load(SegmentSettings.from_parameters({**given, **chosen}))
    assert networks.bundle.onnx_path(Modality.RGB).name == 'rgb.int8.onnx'
    assert ' in int8 on ' in str(networks)
    chosen = {'engine': 'openvino', 'exact': True}
    exact = Networks.load(SegmentSettings.from_parameters({**given, **chosen}))
    for engine in exact.loaded.engines.values():
        assert engine._config['INFERENCE_PRECISION_HINT'] == 'f32'
    with pytest.raises(UsageError, match='not HEIGHTxWIDTH'):
        SegmentSettings.from_parameters({**given, 'resolution': 'small'})

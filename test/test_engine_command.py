"""`crodino engine build` and `info`, and the node's parameters about engines."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from cuda_stand_in import CudaStandIn
from tensorrt_stand_in import TensorRtStandIn
from tiny_bundle import make_tiny_bundle
from typer.testing import CliRunner

from crodino_core.errors import CrodinoError
from crodino_core.runtime.engines import load_engines
from crodino_core.runtime.engines.cuda_runtime import Cuda
from crodino_core.runtime.engines.tensorrt_supply import Libraries
from crodino_ros.cli import app
from crodino_ros.engine_parameters import (
    ENGINE_PARAMETERS,
    physical_cores,
    tensorrt_settings,
    threads_beside_middleware,
)

DEFAULTS = {spec.name: spec.default for spec in ENGINE_PARAMETERS}


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> CudaStandIn:
    """Make the machine look as if it had TensorRT and a GPU."""
    find_spec, cuda = importlib.util.find_spec, CudaStandIn()
    monkeypatch.setattr(
        importlib.util,
        'find_spec',
        lambda name: object() if name in ('tensorrt', 'cuda') else find_spec(name),
    )
    libraries = Libraries(TensorRtStandIn(cuda), Cuda(cuda))
    monkeypatch.setattr(Libraries, 'load', lambda: libraries)
    return cuda


def run(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(app, ['engine', *map(str, arguments), '--json'])
    assert result.exit_code == 0, result.exception
    return dict(json.loads(result.stdout))


def test_engines_are_built_then_described_then_found_again(gpu, tmp_path: Path):
    bundle = make_tiny_bundle(tmp_path / 'tiny').path
    options = (bundle, '--engine-cache', tmp_path / 'engines')
    built = run('build', *options, '--height', 48, '--width', 64)
    assert built['name'] == 'tensorrt' and built['version'] == '10.3.0'
    told = run('info', *options)
    assert told['engines'] == built['engines'] and len(told['engines']) == 2
    depth, rgb = sorted(told['engines'], key=lambda each: each['network'])
    assert (depth['network'], rgb['network']) == ('depth.onnx', 'rgb.onnx')
    assert rgb['state'] == 'whole' and rgb['agreement'] == 1.0 and rgb['gpu'] == 'Orin'
    (tmp_path / 'engines' / rgb['file']).write_bytes(b'')
    assert 'damaged' in json.dumps(run('info', *options))
    shown = CliRunner().invoke(app, ['engine', 'info', *map(str, options)])
    assert 'compute capability' in shown.stdout and 'agreement' in shown.stdout


def test_without_engines_info_says_how_to_build_them(tmp_path: Path):
    bundle = make_tiny_bundle(tmp_path / 'tiny').path
    result = CliRunner().invoke(
        app, ['engine', 'info', str(bundle), '--engine-cache', str(tmp_path / 'engines')]
    )
    assert 'no engine of tiny' in result.stdout and 'crodino engine build' in result.stdout


def test_auto_takes_tensorrt_where_it_works_and_goes_on_where_it_does_not(
    gpu, tmp_path, monkeypatch
):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    bundle = make_tiny_bundle(tmp_path / 'tiny')
    assert load_engines(bundle).name == 'tensorrt'
    gpu.free = 0
    loaded = load_engines(bundle)
    assert loaded.name != 'tensorrt'
    assert '0 of 8192 MiB are free' in loaded.passed_over['tensorrt']


def test_a_named_engine_gives_way_only_if_that_is_allowed(gpu, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    bundle = make_tiny_bundle(tmp_path / 'tiny')
    gpu.free = 0
    with pytest.raises(CrodinoError, match='no memory on the GPU'):
        load_engines(bundle, 'tensorrt')
    loaded = load_engines(bundle, 'tensorrt', fallback=True)
    assert loaded.name != 'tensorrt' and 'tensorrt' in loaded.describe()['passed_over']


def test_the_parameters_become_settings():
    settings = tensorrt_settings(DEFAULTS)
    assert settings.cache is None and settings.dla_core is None and settings.in_background
    assert not settings.version_compatible and not settings.hardware_compatible
    chosen = {
        'engine_cache': '/data/engines',
        'tensorrt_dla_core': 1,
        'tensorrt_compatible': 'both',
    }
    settings = tensorrt_settings(DEFAULTS | chosen)
    assert settings.cache == Path('/data/engines') and settings.dla_core == 1
    assert settings.version_compatible and settings.hardware_compatible


def test_one_core_is_left_to_the_middleware_where_there_are_more_than_two():
    assert [threads_beside_middleware(cores) for cores in (1, 2, 3, 8)] == [None, None, 2, 7]
    assert physical_cores() >= 1

"""The engines: one protocol, the same masks, and a clear word where one cannot be used."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_bundle import NETWORK_SIZE, make_tiny_bundle

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError, UsageError
from crodino_core.modality import Modality
from crodino_core.runtime.engines import load_engines

SIZES = [(24, 32), (48, 64), (60, 80), (37, 51)]
CPU_ENGINES = ('openvino', 'onnxruntime', 'torch')
"""Those for a GPU are tested by themselves, see `test_tensorrt_on_gpu.py`."""


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    return make_tiny_bundle(tmp_path_factory.mktemp('models') / 'tiny')


@pytest.fixture(scope='module', params=CPU_ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f'{request.param} is not installed')
    return str(request.param)


def hide(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Make packages look as if they were not installed."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: None if name in packages else find_spec(name)
    )


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `auto` find no GPU, whatever the machine has."""
    hide(monkeypatch, 'tensorrt')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')


def half_bright(size: tuple[int, int]) -> np.ndarray:
    """Return an RGB image, dark on the left and bright on the right."""
    image = np.full((*size, 3), 40, np.uint8)
    image[:, size[1] // 2 :] = 220
    return image


def half_near(size: tuple[int, int]) -> np.ndarray:
    """Return a depth image, far on the left and near on the right."""
    depth = np.full(size, 4.0, np.float32)
    depth[:, size[1] // 2 :] = 1.0
    return depth


IMAGES = {Modality.RGB: half_bright, Modality.DEPTH: half_near}


@pytest.mark.parametrize('modality', list(Modality))
def test_images_of_any_size_and_of_changing_sizes_are_segmented(bundle, engine_name, modality):
    engine = load_engines(bundle, engine_name).engines[modality]
    for size in [*SIZES, SIZES[0]]:
        prediction = engine.infer(IMAGES[modality](size))
        assert prediction.mask.shape == prediction.confidence.shape == size
        assert prediction.mask.dtype == prediction.confidence.dtype == np.uint8
        assert prediction.logits is None
        assert not prediction.mask[:, : size[1] // 2 - 3].any()
        assert prediction.mask[:, size[1] // 2 + 3 :].all()
        assert prediction.confidence[:, 0].min() > 250


def test_a_prediction_outlives_the_next_one(bundle, engine_name):
    engine = load_engines(bundle, engine_name).engines[Modality.RGB]
    first = engine.infer(half_bright((24, 32)))
    kept = first.mask.copy()
    engine.infer(255 - half_bright((24, 32)))
    np.testing.assert_array_equal(first.mask, kept)


def test_images_may_be_read_only_or_not_contiguous(bundle, engine_name):
    engine = load_engines(bundle, engine_name).engines[Modality.RGB]
    image = half_bright((24, 64))[:, ::2]
    image.flags.writeable = False
    assert engine.infer(image).mask[:, 20:].all()
    contiguous = image.copy()
    contiguous.flags.writeable = False
    assert engine.infer(contiguous).mask[:, 20:].all()


def test_logits_are_returned_on_demand_at_the_size_of_the_network(bundle, engine_name):
    engines = load_engines(bundle, engine_name, logits=True).engines
    for modality, engine in engines.items():
        prediction = engine.infer(IMAGES[modality]((48, 64)))
        assert prediction.logits.shape == (2, *NETWORK_SIZE)
        assert prediction.logits.dtype == np.float32
        assert prediction.mask.shape == (48, 64)


def test_all_engines_agree(bundle):
    images = {Modality.RGB: half_bright((60, 80)), Modality.DEPTH: half_near((60, 80))}
    for modality, image in images.items():
        masks = [
            load_engines(bundle, name, exact=True).engines[modality].infer(image).mask
            for name in CPU_ENGINES
            if importlib.util.find_spec(name) is not None
        ]
        for mask in masks[1:]:
            assert (mask == masks[0]).mean() > 0.999


def test_the_facts_for_the_report(bundle, engine_name):
    loaded = load_engines(bundle, engine_name, threads=2)
    facts = loaded.describe()
    assert facts['name'] == engine_name
    assert facts['device'].startswith('CPU (2 threads')
    assert facts['version']
    assert facts['passed_over'] == {}


def test_exact_means_float32(bundle):
    pytest.importorskip('openvino')
    loaded = load_engines(bundle, 'openvino', exact=True)
    assert loaded.describe()['device'].endswith('f32)')


def test_exact_means_no_tf32_on_a_gpu(bundle, monkeypatch):
    ort = pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
    from crodino_core.runtime.engines import onnxruntime_engine

    asked, session = [], ort.InferenceSession

    def on_cpu(source, options, providers):
        asked.append(providers)
        return session(source, options, providers=['CPUExecutionProvider'])

    monkeypatch.setattr(ort, 'InferenceSession', on_cpu)
    monkeypatch.setattr(ort, 'get_available_providers', lambda: onnxruntime_engine.PROVIDERS)
    for exact in (False, True):
        onnxruntime_engine.OnnxRuntimeEngine(bundle.onnx_path(Modality.RGB), exact=exact)
    assert asked == [
        ['TensorrtExecutionProvider', 'CUDAExecutionProvider', 'CPUExecutionProvider'],
        [('CUDAExecutionProvider', {'use_tf32': '0'}), 'CPUExecutionProvider'],
    ]


def test_openvino_does_not_pin_the_networks_of_several_processes_to_one_core(bundle):
    pytest.importorskip('openvino', reason='openvino is not installed')
    engine: Any = load_engines(bundle, 'openvino', threads=1).engines[Modality.RGB]
    (request,) = engine._requests.values()
    assert request.get_compiled_model().get_property('ENABLE_CPU_PINNING') is False


def test_two_sizes_in_turn_are_compiled_once_each(bundle):
    pytest.importorskip('openvino', reason='openvino is not installed')
    engine: Any = load_engines(bundle, 'openvino').engines[Modality.RGB]
    for size in ((48, 64), (24, 32), (48, 64), (24, 32)):
        assert engine.infer(np.zeros((*size, 3), np.uint8)).mask.shape == size
    assert list(engine._requests) == [(48, 64), (24, 32)]
    before = dict(engine._requests)
    engine.prepare((48, 64))
    assert all(engine._requests[size] is request for size, request in before.items())
    engine.prepare((96, 128))
    assert list(engine._requests) == [(48, 64), (96, 128)]


def test_a_signal_is_survived_after_networks_were_freed(bundle):
    pytest.importorskip('openvino', reason='openvino is not installed')
    program = (
        'import gc, signal, sys, threading\n'
        'from crodino_core.bundle import ModelBundle\n'
        'from crodino_core.runtime.engines import load_engines\n'
        'for _ in range(2):\n'
        "    loaded = load_engines(ModelBundle.load(sys.argv[1]), 'openvino')\n"
        '    for modality in list(loaded.engines):\n'  # in the order of loading
        '        del loaded.engines[modality]\n'
        '        gc.collect()\n'
        "signal.signal(signal.SIGINT, lambda *_: print('interrupted'))\n"
        'signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)\n'
    )
    command = [sys.executable, '-c', program, str(bundle.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, 'interrupted')


def test_auto_takes_the_first_engine_that_works(bundle):
    loaded = load_engines(bundle)
    installed = [name for name in CPU_ENGINES if importlib.util.find_spec(name) is not None]
    assert loaded.name == installed[0]


def test_auto_says_why_an_engine_was_passed_over(bundle, monkeypatch):
    hide(monkeypatch, 'openvino')
    loaded = load_engines(bundle)
    assert loaded.name == 'onnxruntime'
    assert 'pip install openvino' in loaded.passed_over['openvino']


def test_an_engine_that_is_not_installed_is_named_with_the_way_to_install_it(bundle, monkeypatch):
    hide(monkeypatch, 'onnx2torch')
    with pytest.raises(
        CrodinoError, match=r'torch is not installed.*pip install (torch )?onnx2torch'
    ):
        load_engines(bundle, 'torch')


def test_without_any_engine_every_reason_is_given(bundle, monkeypatch):
    hide(monkeypatch, 'openvino', 'onnxruntime', 'onnx2torch')
    with pytest.raises(CrodinoError, match=r'no engine.*openvino.*onnxruntime.*onnx2torch'):
        load_engines(bundle)


def test_an_unknown_engine_is_a_wrong_usage(bundle):
    with pytest.raises(UsageError, match=r"'tflite' is unknown.*auto, tensorrt, .*openvino"):
        load_engines(bundle, 'tflite')


def test_no_threads_is_a_wrong_usage(bundle):
    with pytest.raises(UsageError, match='0 threads'):
        load_engines(bundle, threads=0)


def test_a_file_that_is_no_network_gives_one_line(bundle, engine_name, tmp_path: Path):
    broken = make_tiny_bundle(tmp_path / 'broken')
    broken.onnx_path(Modality.RGB).write_bytes(b'not a network')
    with pytest.raises(CrodinoError, match=f'{engine_name} cannot run') as caught:
        load_engines(broken, engine_name)
    assert '\n' not in str(caught.value)


def test_onnxruntime_names_the_provider_that_runs_and_those_that_did_not_start():
    pytest.importorskip('onnxruntime')
    from crodino_core.runtime.engines.onnxruntime_engine import (
        CPU,
        CUDA,
        PROVIDERS,
        TENSORRT,
        describe_providers,
    )

    assert PROVIDERS == (TENSORRT, CUDA, CPU)
    assert describe_providers([CPU], [CPU], 2) == 'CPU (2 threads)'
    assert describe_providers([CUDA, CPU], [CUDA, CPU], 2) == CUDA
    assert describe_providers(PROVIDERS, [CPU], None) == (
        f'CPU (default threads); {TENSORRT}, {CUDA} did not start'
    )


def test_onnxruntime_for_gpus_is_passed_over_where_only_a_cpu_runs_it(bundle):
    ort = pytest.importorskip('onnxruntime')
    if 'CUDAExecutionProvider' in ort.get_available_providers():
        pytest.skip('this onnxruntime is the one for GPUs')
    with pytest.raises(CrodinoError, match='is for CPUs only'):
        load_engines(bundle, 'onnxruntime-gpu')

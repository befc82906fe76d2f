"""TensorRT engines: built once, kept, checked against the CPU, refused where they do not fit.

The libraries are stand-ins that have what a version of TensorRT has. The calls into the real ones
are in `test_tensorrt_on_gpu.py`.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from cuda_stand_in import CudaStandIn
from onnx import numpy_helper
from tensorrt_stand_in import TensorRtStandIn
from tiny_bundle import make_tiny_bundle, tiny_network

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError, UsageError
from crodino_core.modality import Modality
from crodino_core.runtime.engines import parity
from crodino_core.runtime.engines.cuda_runtime import Cuda
from crodino_core.runtime.engines.tensorrt_build import BuildProgress
from crodino_core.runtime.engines.tensorrt_engine import TensorRtEngine
from crodino_core.runtime.engines.tensorrt_settings import TensorRtSettings
from crodino_core.runtime.engines.tensorrt_supply import Libraries

SIZE = (48, 64)
VERSIONS = ('8.6.2', '10.3.0', '11.1.0')


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    return make_tiny_bundle(tmp_path_factory.mktemp('models') / 'tiny')


class Bench:
    """A folder for engines, the lines that were said, and libraries to make engines with."""

    def __init__(self, folder: Path, bundle: ModelBundle) -> None:
        self.folder, self.bundle = folder, bundle
        self.said: list[str] = []
        self.cuda = CudaStandIn()
        self.trt = TensorRtStandIn(self.cuda)

    def use(self, version: str = '10.3.0', damage: int = 0, **cuda: Any) -> None:
        self.cuda = CudaStandIn(**cuda)
        self.trt = TensorRtStandIn(self.cuda, version, damage)

    def engine(
        self, modality: Modality = Modality.RGB, logits: bool = False, **settings: Any
    ) -> TensorRtEngine:
        return TensorRtEngine(
            self.bundle.onnx_path(modality),
            logits=logits,
            settings=TensorRtSettings(cache=self.folder, say=self.said.append, **settings),
            libraries=Libraries(self.trt, Cuda(self.cuda)),
        )

    def prepared(self, **options: Any) -> TensorRtEngine:
        engine = self.engine(**options)
        engine.prepare(SIZE)
        return engine

    def engine_file(self) -> Path:
        (path,) = self.folder.glob('*.engine')
        return path


@pytest.fixture
def bench(tmp_path: Path, bundle: ModelBundle) -> Bench:
    return Bench(tmp_path / 'engines', bundle)


def bright_on_the_right(size: tuple[int, int] = SIZE) -> np.ndarray:
    image = np.full((*size, 3), 40, np.uint8)
    image[:, size[1] // 2 :] = 220
    return image


@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize('modality', list(Modality))
def test_every_version_segments_like_the_onnx_file(bench, version, modality):
    bench.use(version)
    engine = bench.engine(modality, logits=True)
    engine.prepare(SIZE)
    for image in parity.sample_images(modality, SIZE):
        prediction = engine.infer(image)
        np.testing.assert_array_equal(
            prediction.mask, parity.cpu_reference(bench.bundle.onnx_path(modality))(image)
        )
        assert prediction.confidence.dtype == np.uint8 and prediction.confidence.shape == SIZE
        assert prediction.logits is not None and prediction.logits.dtype == np.float32


def test_networks_are_strongly_typed_where_that_exists(bench):
    for version, flags in (('8.6.2', {'EXPLICIT_BATCH'}), ('11.1.0', {'STRONGLY_TYPED'})):
        bench.use(version)
        bench.prepared(rebuild=True)
        known = bench.trt.NetworkDefinitionCreationFlag
        assert {each.name for each in known if bench.trt.builds[0].flags >> each & 1} == flags
        assert not bench.trt.builds[0].set


def test_tensorrt_8_is_held_to_the_precision_that_the_file_carries(bench, tmp_path):
    model = tiny_network(Modality.RGB)
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float16), 'half'))
    path = save(model, tmp_path / 'rgb.onnx')
    for version, flags in (
        ('8.6.2', {'FP16', 'PREFER_PRECISION_CONSTRAINTS'}),
        ('10.3.0', set()),
        ('11.1.0', set()),
    ):
        bench.use(version)
        TensorRtEngine(
            path,
            exact=True,
            settings=TensorRtSettings(cache=bench.folder, say=bench.said.append),
            libraries=Libraries(bench.trt, Cuda(bench.cuda)),
        ).prepare(SIZE)
        build = bench.trt.builds[0]
        assert build.set == flags | {'no TF32'}
        assert build.held == ({'precision': 'float32'} if flags else {})


def test_a_prediction_outlives_the_next_one(bench):
    engine = bench.prepared()
    first = engine.infer(bright_on_the_right())
    kept = first.mask.copy()
    engine.infer(255 - bright_on_the_right())
    np.testing.assert_array_equal(first.mask, kept)


def test_an_engine_is_built_once_and_then_loaded(bench):
    bench.prepared()
    assert 'none was built yet' in bench.said[0] and 'minutes' in bench.said[0]
    bench.said.clear()
    engine = bench.prepared()
    assert len(bench.trt.builds) == 1 and bench.said == []
    assert engine.infer(bright_on_the_right()).mask[:, 40:].all()


def test_two_that_start_at_once_build_once(bench):
    other = bench.engine()
    waits = threading.Event()
    second = threading.Thread(target=other.prepare, args=(SIZE,))

    def say(line: str) -> None:
        bench.said.append(line)
        if 'waiting' in line:
            waits.set()

    other._supply.cache._say = say
    bench.trt.during_build = lambda: (second.start(), waits.wait(10))
    first = bench.prepared()
    second.join(10)
    assert len(bench.trt.builds) == 1
    assert any('another process is building rgb-48x64-float32-' in line for line in bench.said)
    for engine in (first, other):
        assert engine.infer(bright_on_the_right()).mask[:, 40:].all()


def test_each_image_size_has_an_engine_of_its_own(bench):
    engine = bench.prepared()
    for size in ((24, 32), SIZE):
        prediction = engine.infer(bright_on_the_right(size))
        assert prediction.mask.shape == prediction.confidence.shape == size
    assert len(bench.trt.builds) == 2
    engine.prepare((24, 32))
    assert len(bench.trt.builds) == 2


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'version': '10.5.0'}, 'tensorrt was 10.3.0 and is 10.5.0'),
        ({'name': 'RTX 4090', 'capability': (8, 9)}, 'gpu was Orin and is RTX 4090'),
    ],
)
def test_an_engine_of_another_version_or_gpu_is_built_anew_with_the_reason(bench, change, reason):
    bench.prepared()
    bench.use(**change)
    bench.said.clear()
    bench.prepared()
    assert len(bench.trt.builds) == 1
    assert reason in bench.said[0]


def test_an_engine_that_tensorrt_refuses_is_built_anew_with_its_reason(bench):
    bench.prepared()
    path = bench.engine_file()
    cache = bench.engine()._supply.cache
    entry = cache.entries()[0]
    cache.store('rgb', entry.key, b'9.9.9\n' + path.read_bytes(), entry.facts)
    bench.said.clear()
    bench.prepared()
    assert 'The engine plan file is of version 9.9.9' in bench.said[0]
    assert len(bench.trt.builds) == 2


@pytest.mark.parametrize(
    ('spoil', 'reason'),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-7]), 'damaged'),
        (lambda path: path.unlink(), 'cannot be read'),
        (lambda path: path.with_name(f'{path.name}.json').write_text('{'), 'json is damaged'),
        (lambda path: path.with_name(f'{path.name}.json').unlink(), 'has no'),
    ],
)
def test_a_corrupt_engine_is_built_anew(bench, spoil: Callable[[Path], object], reason: str):
    bench.prepared()
    spoil(bench.engine_file())
    bench.said.clear()
    engine = bench.prepared()
    assert reason in bench.said[0]
    assert engine.infer(bright_on_the_right()).mask[:, 40:].all()
    bench.said.clear()
    bench.prepared()
    assert bench.said == []


def test_an_engine_with_wrong_masks_is_not_used_and_not_built_at_every_start(bench):
    bench.use(damage=1)
    for builds in (1, 1):
        with pytest.raises(CrodinoError, match=r'not used: its masks agree.*99.5% were expected'):
            bench.prepared()
        assert len(bench.trt.builds) == builds


def test_the_agreement_with_the_cpu_is_recorded(bench):
    bench.prepared()
    (entry,) = bench.engine()._supply.cache.entries()
    assert entry.facts['agreement'] == 1.0


def test_for_int8_the_agreement_is_only_reported():
    assert parity.why_rejected(0.9, 'int8') == ''
    assert '90.00%' in parity.why_rejected(0.9, 'fp16')
    assert parity.why_rejected(0.995, 'fp16') == ''


def test_the_work_is_replayed_as_one_cuda_graph(bench):
    engine = bench.prepared()
    before = bench.cuda.launched
    engine.infer(bright_on_the_right())
    assert bench.cuda.launched == before + 1
    assert 'CUDA graph' in engine.device


def test_without_cuda_graph_the_masks_are_the_same(bench):
    expected = bench.prepared().infer(bright_on_the_right()).mask
    bench.use(captures=False)
    engine = bench.prepared()
    np.testing.assert_array_equal(engine.infer(bright_on_the_right()).mask, expected)
    assert any('without CUDA graph' in line for line in bench.said)
    off = bench.prepared(cuda_graph=False)
    np.testing.assert_array_equal(off.infer(bright_on_the_right()).mask, expected)
    assert bench.cuda.launched == 0 and 'no CUDA graph' in off.device


def test_the_device_says_what_runs_where(bench):
    assert bench.prepared().device.startswith('Orin (sm_87, float32, CUDA graph, ')


def test_memory_is_given_back_with_the_engine(bench):
    engine = bench.prepared()
    assert bench.cuda.free < 4096 << 20 and bench.cuda.memory
    del engine
    gc.collect()
    assert bench.cuda.free == 4096 << 20 and not bench.cuda.memory


def test_no_memory_for_the_build_says_how_much_was_asked_and_is_free(bench):
    bench.use(free_mib=700)
    with pytest.raises(CrodinoError, match=r'no memory.*asks for 1024 MiB, 700 of 8192 MiB are'):
        bench.prepared()
    assert bench.prepared(workspace_mib=512).infer(bright_on_the_right()).mask.any()


def test_no_memory_for_the_buffers_says_so_too(bench):
    bench.prepared()
    bench.use(free_mib=0.01)
    with pytest.raises(CrodinoError, match='no memory on the GPU: the tensor'):
        bench.prepared()


def test_a_library_that_imports_but_cannot_start_gives_its_reason(bench):
    bench.trt.cannot_start = 'CUDA initialization failure with error: 35'
    with pytest.raises(CrodinoError, match=r'10\.3\.0 was imported but cannot start: CUDA init'):
        bench.prepared()


def test_the_builder_says_how_far_it_is(bench, monkeypatch):
    phases: list[str] = []
    monkeypatch.setattr(BuildProgress, 'tell', lambda self, phase: phases.append(phase))
    bench.prepared()
    assert phases == ['Building 1/2']


def test_a_line_of_progress_has_time_and_phase():
    progress = BuildProgress('building rgb.engine', print)
    assert progress.line(5.2) == 'building rgb.engine: 5 s'
    progress.tell('Building 1/2')
    assert progress.line(65.0) == 'building rgb.engine: 65 s, Building 1/2'


@pytest.mark.parametrize(
    ('cuda', 'reason'),
    [
        ({'driver': 0}, 'there is no NVIDIA driver'),
        ({'driver': 11080}, r'too old: it supports CUDA 11\.8.*made for 12\.6'),
        ({'devices': 0}, 'no NVIDIA GPU can be used: cudaErrorNoDevice'),
    ],
)
def test_a_machine_without_a_usable_gpu_is_told_apart(cuda, reason):
    with pytest.raises(CrodinoError, match=reason):
        Cuda(CudaStandIn(**cuda))


def test_what_tensorrt_says_is_the_reason_of_a_failed_build(bench):
    bench.trt.refuses = 'Error Code 10: could not find\n any implementation'
    with pytest.raises(CrodinoError, match=r'cannot build.*could not find any implementation$'):
        bench.prepared()
    assert not list(bench.folder.glob('*.engine'))


def test_the_timings_of_one_build_help_the_next(bench):
    bench.prepared()
    (timings,) = bench.folder.glob('*.timing')
    first = timings.read_bytes()
    bench.prepared(rebuild=True)
    assert timings.read_bytes() == first + b'.'


def test_the_options_reach_the_builder(bench):
    bench.prepared(workspace_mib=256, version_compatible=True, hardware_compatible=True)
    build = bench.trt.builds[0]
    assert build.given['WORKSPACE'] == 256 << 20
    assert build.given['hardware_compatibility_level'].name == 'AMPERE_PLUS'
    assert build.set == {'VERSION_COMPATIBLE'}


def test_a_dla_core_that_is_not_there_is_refused(bench):
    with pytest.raises(CrodinoError, match='DLA core 1 was asked for; this device has 0'):
        bench.prepared(dla_core=1)


def test_senseless_options_are_a_wrong_usage():
    with pytest.raises(UsageError, match='0 MiB'):
        TensorRtSettings(workspace_mib=0)
    with pytest.raises(UsageError, match='DLA core -1'):
        TensorRtSettings(dla_core=-1)


def test_a_new_image_size_does_not_silence_the_live_node(bench, monkeypatch):
    engine = bench.prepared(in_background=True)
    threads: list[Any] = []
    monkeypatch.setattr(
        'threading.Thread', lambda target, args=(), **_: threads.append((target, args)) or Idle()
    )
    small = (24, 32)
    prediction = engine.infer(bright_on_the_right(small))
    assert prediction.mask.shape == small and prediction.mask[:, 18:].all()
    engine.infer(bright_on_the_right(small))
    assert len(threads) == 1 and len(bench.trt.builds) == 1
    monkeypatch.undo()
    target, arguments = threads[0]
    target(*arguments)
    assert len(bench.trt.builds) == 2
    assert engine.infer(bright_on_the_right(small)).mask[:, 18:].all()
    assert engine._active[0] == small


class Idle:
    """A thread that never runs."""

    def start(self) -> None:
        """Do nothing."""


def save(model: onnx.ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path


def test_an_onnx_file_of_a_newer_opset_is_refused_for_tensorrt_8(bench, tmp_path):
    bench.use('8.6.2')
    model = tiny_network(Modality.RGB)
    model.opset_import[0].version = 20
    with pytest.raises(CrodinoError, match='opset 20; TensorRT 8 reads up to 17'):
        TensorRtEngine(
            save(model, tmp_path / 'rgb.onnx'),
            settings=TensorRtSettings(cache=bench.folder),
            libraries=Libraries(bench.trt, Cuda(bench.cuda)),
        )

"""How fast the engines are here: ratios within one run, as machines and loads differ."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.modality import Modality
from crodino_core.runtime.engines import load_engines
from crodino_core.runtime.engines.engine import to_batch
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.segmenter import FailoverSegmenter

Call = Callable[[], object]
MEMORY_TARGET_MB = 400
TORCH_EAGER = 'torch eager'
WARM_UP = 3
SETTLING_S = 0.06
"""The threads of torch and ONNX Runtime spin for tens of milliseconds after their last call."""


def bench_engines(
    bundle: ModelBundle,
    engine: str = 'auto',
    size: tuple[int, int] = (480, 640),
    rounds: int = 30,
    threads: int | None = None,
) -> dict[str, Any]:
    """Time the chosen engine beside the bare libraries and torch eager.

    :param size: height and width of the images.
    :param rounds: every contestant runs once in each round, so that a change of the machine's
        load meets all of them.
    :return: for each modality the times of each contestant (median and p95, ms) and the ratios
        `over_fastest_bare` (target <= 1.1) and `torch_over_engine` (target >= 4).
    """
    loaded = load_engines(bundle, engine, threads)
    segmenter = FailoverSegmenter(bundle, engines=loaded.engines)
    result: dict[str, Any] = {'size': list(size), 'rounds': rounds}
    for m in Modality:
        frame = example_frame(m, size)
        contestants: dict[str, Call] = {loaded.name: lambda f=frame: segmenter.infer(f)}  # type: ignore[misc]
        bare = bare_calls(bundle.onnx_path(m), to_batch(frame.image), threads)
        contestants |= {f'bare {name}': call for name, call in bare.items()}
        try:
            eager = load_engines(bundle, 'torch', threads).engines[m]
            contestants[TORCH_EAGER] = lambda f=frame, e=eager: e.infer(f.image)  # type: ignore[misc]
        except CrodinoError as error:
            result['torch_passed_over'] = str(error)
        times = time_interleaved(contestants, rounds)
        result[str(m)] = _figures(loaded.name, times)
    result['engine'] = loaded.describe()
    return result


def example_frame(modality: Modality, size: tuple[int, int]) -> Frame:
    """Return noise in the range of the sensor; the speed does not depend on the content."""
    rng = np.random.default_rng(0)
    if modality is Modality.RGB:
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    else:
        image = rng.uniform(0.5, 5.0, size).astype(np.float32)
    return Frame(modality, image, stamp_ns=0, arrival=0.0)


def bare_calls(path: Path, batch: np.ndarray, threads: int | None) -> dict[str, Call]:
    """Return, for each installed library, a call of the ONNX file as its manual shows it.

    :param batch: the graph's input, [1, H, W, C].
    """
    calls: dict[str, Call] = {}
    if importlib.util.find_spec('openvino'):
        calls['openvino'] = _bare_openvino(path, batch, threads)
    if importlib.util.find_spec('onnxruntime'):
        calls['onnxruntime'] = _bare_onnxruntime(path, batch, threads)
    return calls


def time_interleaved(calls: Mapping[str, Call], rounds: int) -> dict[str, np.ndarray]:
    """Time each call once in each round, warm; milliseconds, one array of `rounds` a call."""
    for call in calls.values():
        for _ in range(WARM_UP):
            call()
    times = {name: np.empty(rounds) for name in calls}
    rng = np.random.default_rng(0)
    for index in range(rounds):
        for name in rng.permutation(list(calls)):
            # Without the clock until the cores and their caches are this contestant's alone.
            settled = time.perf_counter() + SETTLING_S
            while time.perf_counter() < settled:
                calls[name]()
            began = time.perf_counter()
            calls[name]()
            times[name][index] = (time.perf_counter() - began) * 1e3
    return times


def resident_memory_mb(
    model: Path, engine: str, size: tuple[int, int], threads: int | None
) -> float:
    """Resident memory of a fresh runtime process that has run both networks, MB (10^6 bytes).

    :param engine, threads: see `load_engines`.
    :param size: height and width of the images.
    """
    program = (
        'import sys; from crodino_core.evaluation.bench import load_and_report_memory; '
        'load_and_report_memory(*sys.argv[1:])'
    )
    given = [str(model), engine, *map(str, size), str(threads or 0)]
    done = subprocess.run(
        [sys.executable, '-c', program, *given], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CrodinoError(f'the memory could not be measured: {done.stderr.strip()[-200:]}')
    return float(done.stdout.split()[-1])


def load_and_report_memory(model: str, engine: str, height: str, width: str, threads: str) -> None:
    """Load a bundle, run both networks, print the resident memory in MB (for a subprocess)."""
    bundle = ModelBundle.load(model)
    engines = load_engines(bundle, engine, int(threads) or None).engines
    segmenter = FailoverSegmenter(bundle, engines=engines)
    for m in Modality:
        frame = example_frame(m, (int(height), int(width)))
        for _ in range(WARM_UP):
            segmenter.infer(frame)
    print(resident_mb())


def resident_mb() -> float:
    """Resident memory of this process, MB (10^6 bytes)."""
    status = Path('/proc/self/status').read_text()
    resident = next(line for line in status.splitlines() if line.startswith('VmRSS'))
    return int(resident.split()[1]) * 1024 / 1e6


def _figures(engine: str, times: Mapping[str, np.ndarray]) -> dict[str, Any]:
    medians = {name: float(np.median(values)) for name, values in times.items()}
    bare = [value for name, value in medians.items() if name.startswith('bare ')]
    figures: dict[str, Any] = {
        'times_ms': {
            name: {
                'median': round(medians[name], 3),
                'p95': round(float(np.percentile(values, 95)), 3),
            }
            for name, values in times.items()
        },
        'over_fastest_bare': round(medians[engine] / min(bare), 3) if bare else None,
    }
    if TORCH_EAGER in medians:
        figures['torch_over_engine'] = round(medians[TORCH_EAGER] / medians[engine], 3)
    return figures


def _bare_openvino(path: Path, batch: np.ndarray, threads: int | None) -> Call:
    from crodino_core.runtime.engines.openvino_engine import shared_core

    core = shared_core()
    model = core.read_model(path)
    model.reshape(list(batch.shape))
    config: dict[str, Any] = {'PERFORMANCE_HINT': 'LATENCY'}
    if threads is not None:
        config['INFERENCE_NUM_THREADS'] = threads
    request = core.compile_model(model, 'CPU', config).create_infer_request()
    return lambda: request.infer([batch])


def _bare_onnxruntime(path: Path, batch: np.ndarray, threads: int | None) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: batch})

"""One engine with one pair of a bundle's networks, measured in a process of its own.

So the memory is that of one engine, and the threads of one do not spin in the times of another.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.evaluation.bench import (
    WARM_UP,
    bare_calls,
    example_frame,
    resident_mb,
    time_interleaved,
)
from crodino_core.modality import Modality
from crodino_core.runtime.engines import load_engines
from crodino_core.runtime.engines.engine import to_batch
from crodino_core.variants import resolution_name


@dataclass(frozen=True)
class Contestant:
    """What one process measures."""

    model: str
    engine: str
    precision: str
    resolution: tuple[int, int]
    exact: bool
    """Float32 even where the processor is faster in bfloat16."""
    size: tuple[int, int]
    """Height and width of the images."""
    rounds: int
    threads: int | None


def measure_apart(contestant: Contestant) -> dict[str, Any]:
    """Run `measure_here` in a fresh process.

    :raises CrodinoError: the engine cannot be used; the message is its own.
    """
    program = (
        'import sys; from crodino_core.evaluation.engine_row import print_row; '
        'print_row(sys.argv[1])'
    )
    arguments = [sys.executable, '-c', program, json.dumps(dataclasses.asdict(contestant))]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    last = (done.stdout.strip() or '{}').splitlines()[-1]
    found: dict[str, Any] = json.loads(last) if done.returncode == 0 else {}
    if 'reason' in found:
        raise CrodinoError(found['reason'])
    if not found:
        lines = done.stderr.strip().splitlines() or [f'the process ended with {done.returncode}']
        raise CrodinoError(lines[-1])
    return found


def print_row(contestant: str) -> None:
    """Measure a contestant, given as JSON, and print its row, or the reason why there is none."""
    given = json.loads(contestant)
    given |= {key: tuple(given[key]) for key in ('size', 'resolution')}
    try:
        row = measure_here(Contestant(**given))
    except CrodinoError as error:
        row = {'reason': str(error)}
    print(json.dumps(row))


def measure_here(contestant: Contestant) -> dict[str, Any]:
    """Load an engine and time both networks, alone and then beside the bare library.

    :return: `engine`, `device`, `version`, `precision`, `resolution`, `exact`, `memory_mb` (of
        the process, with both networks), and for each modality `median_ms`, `p95_ms`,
        `frames_per_s` and `over_bare` (None where there is nothing like for like).
    """
    c = contestant
    bundle = ModelBundle.load(c.model, c.precision, c.resolution)
    sizes = dict.fromkeys(Modality, c.size)
    loaded = load_engines(bundle, c.engine, c.threads, exact=c.exact, sizes=sizes)
    images = {m: example_frame(m, c.size).image for m in Modality}
    calls = {str(m): lambda m=m: loaded.engines[m].infer(images[m]) for m in Modality}  # type: ignore[misc]
    for call in list(calls.values()) * WARM_UP:
        call()
    memory = resident_mb()
    figures: dict[str, Any] = {}
    for m in Modality:
        times = time_interleaved({str(m): calls[str(m)]}, c.rounds)[str(m)]
        median = float(np.median(times))
        figures[str(m)] = {
            'median_ms': round(median, 2),
            'p95_ms': round(float(np.percentile(times, 95)), 2),
            'frames_per_s': round(1000 / median, 1),
            'over_bare': _over_bare(bundle, m, c, calls[str(m)], images[m]),
        }
    facts = loaded.describe()
    return {
        'engine': c.engine,
        'device': facts['device'],
        'version': facts['version'],
        'precision': c.precision,
        'resolution': resolution_name(c.resolution),
        'exact': c.exact,
        'memory_mb': round(memory, 1),
        **figures,
    }


def _over_bare(
    bundle: ModelBundle,
    modality: Modality,
    contestant: Contestant,
    call: Callable[[], object],
    image: np.ndarray,
) -> float | None:
    """Ratio of the medians of the engine and its library; None without a like for like."""
    if contestant.exact or contestant.engine not in ('openvino', 'onnxruntime'):
        return None
    bare = bare_calls(bundle.onnx_path(modality), to_batch(image), contestant.threads)
    calls = {'engine': call, 'bare': bare[contestant.engine]}
    times = time_interleaved(calls, contestant.rounds)
    return round(float(np.median(times['engine']) / np.median(times['bare'])), 3)

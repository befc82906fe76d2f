"""Every engine with every pair of a bundle's networks: one table, measured on this machine.

Each row is measured in a process of its own: so the memory is that of one engine, and the threads
of one do not spin in the times of another.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
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
from crodino_core.runtime.engines import ENGINE_NAMES, load_engines
from crodino_core.runtime.engines.engine import to_batch
from crodino_core.variants import FLOAT32, resolution_name

BARE_LIMIT = 1.1
"""What an engine may take of the time of its library with the same ONNX file."""


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


def engine_table(
    bundle: ModelBundle,
    size: tuple[int, int] = (480, 640),
    rounds: int = 30,
    threads: int | None = None,
    engines: Sequence[str] | None = None,
    measure: Callable[[Contestant], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Measure each engine with each pair of networks of a bundle.

    :param size: height and width of the images.
    :param engines: their names; by default all of `ENGINE_NAMES`.
    :param measure: what measures a contestant; by default `measure_apart`.
    :return: JSON-able: `size`, `rounds`, `rows` (see `measure_here`, with `over_float32`: how many
        times as fast as float32 in the same engine and resolution) and `skipped`, the reason by
        what could not be measured.
    """
    measure = measure or measure_apart
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    for name in ENGINE_NAMES if engines is None else engines:
        for contestant in _contestants(bundle, name, size, rounds, threads):
            if contestant.exact and (not rows or not _is_faster_inexact(rows[-1], contestant)):
                continue
            try:
                rows.append(measure(contestant))
            except CrodinoError as error:
                skipped[f'{name} {contestant.precision}'] = str(error)
    for row in rows:
        row['over_float32'] = _over_float32(row, rows)
    return {'size': list(size), 'rounds': rounds, 'rows': rows, 'skipped': _by_engine(skipped)}


def measure_apart(contestant: Contestant) -> dict[str, Any]:
    """Run `measure_here` in a fresh process.

    :raises CrodinoError: the engine cannot be used; the message is its own.
    """
    program = (
        'import sys; from crodino_core.evaluation.engine_table import print_row; '
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


def _contestants(
    bundle: ModelBundle,
    engine: str,
    size: tuple[int, int],
    rounds: int,
    threads: int | None,
) -> Iterator[Contestant]:
    """Yield each pair of networks; for OpenVINO again in exact arithmetic.

    No CPU computes fp16 here: exact, it would be float32 with rounded weights.
    """
    for pair in bundle.pairs():
        has_exact = engine == 'openvino' and pair.precision != 'fp16'
        for exact in (False, True) if has_exact else (False,):
            yield Contestant(
                str(bundle.path),
                engine,
                pair.precision,
                pair.input_size,
                exact,
                size,
                rounds,
                threads,
            )


def _is_faster_inexact(row: dict[str, Any], contestant: Contestant) -> bool:
    """Whether a row is that of the same networks, in other arithmetic than float32."""
    same = (contestant.engine, contestant.precision, resolution_name(contestant.resolution))
    is_same = (row['engine'], row['precision'], row['resolution']) == same
    return is_same and not row['device'].endswith('f32)')


def _over_float32(row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> dict[str, float] | None:
    same = ('engine', 'resolution', 'exact')
    for other in rows:
        if other['precision'] == FLOAT32 and all(other[key] == row[key] for key in same):
            return {
                str(m): round(other[str(m)]['median_ms'] / row[str(m)]['median_ms'], 2)
                for m in Modality
            }
    return None


def _by_engine(skipped: dict[str, str]) -> dict[str, str]:
    """Say once what is the same for every precision of an engine."""
    found: dict[str, str] = {}
    for name, reason in skipped.items():
        engine = name.split()[0]
        alike = [why for other, why in skipped.items() if other.split()[0] == engine]
        found[engine if len(set(alike)) == 1 and len(alike) > 1 else name] = reason
    return found

"""Every engine with every pair of a bundle's networks: one table, measured on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.evaluation.engine_row import Contestant, measure_apart
from crodino_core.modality import Modality
from crodino_core.runtime.engines import ENGINE_NAMES
from crodino_core.variants import FLOAT32, resolution_name

BARE_LIMIT = 1.1
"""What an engine may take of the time of its library with the same ONNX file."""


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

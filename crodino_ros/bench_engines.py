"""`crodino bench engines` in words."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crodino_core.evaluation.engine_table import BARE_LIMIT
from crodino_core.modality import Modality


def print_engine_table(result: dict[str, Any], console: Console) -> None:
    """Print the rows of `engine_table` (RGB / depth), and what could not be measured."""
    height, width = result['size']
    table = Table(
        *('engine', 'networks', 'device', 'median ms', 'p95 ms', 'frames/s', 'x float32'),
        *('x bare', 'MB'),
        title=f'images of {width}x{height}, RGB / depth',
    )
    for row in result['rows']:
        arithmetic = ' exact' if row['exact'] else ''
        ratio = row['over_float32']
        table.add_row(
            row['engine'],
            f'{row["precision"]}{arithmetic} {row["resolution"]}',
            escape(row['device']),
            *(_both(row, key) for key in ('median_ms', 'p95_ms', 'frames_per_s')),
            '-' if ratio is None else ' / '.join(f'{ratio[str(m)]:.2f}' for m in Modality),
            _both(row, 'over_bare'),
            f'{row["memory_mb"]:.0f}',
        )
    console.print(table)
    console.print(
        f'x float32: as fast as float32 in the same engine and arithmetic; x bare: time of the '
        f'library with the same file (target {BARE_LIMIT}); MB: of a process with both networks',
        style='dim',
        highlight=False,
    )
    for name, reason in result['skipped'].items():
        console.print(f'not measured: {name}: {reason}', markup=False, highlight=False)


def _both(row: dict[str, Any], key: str) -> str:
    values = [row[str(m)][key] for m in Modality]
    return ' / '.join('-' if value is None else f'{value:g}' for value in values)

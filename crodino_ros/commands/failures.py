"""`crodino evaluate-failures`: bags x scenarios x policies x bundles, measured."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from crodino_core.errors import CrodinoError
from crodino_core.evaluation.failure_matrix import LEADERBOARD, TABLE, run_matrix
from crodino_core.evaluation.failure_plan import load_plan
from crodino_core.evaluation.leaderboard import STANDING_COLUMNS, standing_cells, standings
from crodino_core.progress import progress_bar
from crodino_ros.commands.options import (
    INTERRUPTED,
    JsonOption,
    console,
    default_model,
    notes,
    out_option,
    print_json,
)
from crodino_ros.failure_run import run_job

_ON_FILE_ONLY = ('worst', 'at', 'wrong sensor (s)')
"""Columns of the leaderboard that do not fit into a terminal."""


def evaluate_failures(
    plan: Annotated[Path, typer.Argument(help='A plan (YAML).')],
    out: Annotated[Path | None, out_option('Folder for results.', 'named by the plan')] = None,
    workers: Annotated[
        int | None,
        typer.Option('--workers', min=1, help='Processes.', show_default='one for each core'),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option('--ray', metavar='ADDRESS', help="A Ray cluster's head, 'auto' or 'local'."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay a plan's bags with its scenarios, policies and bundles; rank what survives best.

    A run that was stopped goes on where it was: run it again.
    """
    loaded = load_plan(plan, default_model())
    out = out or Path(plan.stem)
    try:
        with progress_bar() as bar:
            task = bar.add_task(plan.name)

            def show(done: int, failed: int, total: int) -> None:
                said = f'{plan.name}, {failed} failed' if failed else plan.name
                bar.update(task, description=escape(said), completed=done, total=total)

            records = run_matrix(
                loaded, run_job, out, workers or cores(), ray_address=ray, progress=show
            )
    except KeyboardInterrupt:
        notes.print(f'stopped; what was done is in {out}: run it again to go on', soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    failed = [record for record in records if record['summary'] is None]
    if as_json:
        print_json(_as_data(out, records))
    else:
        _print(out, records)
    if failed:
        first = failed[0]
        raise CrodinoError(
            f'{len(failed)} of {len(records)} jobs failed and are listed in {out / LEADERBOARD}; '
            f'the first: {first["scenario"]} on {first["bag"]}, {first["bundle"]}: '
            f'{first["error"]}'
        )


def cores() -> int:
    """Return the processors this process may use."""
    return (
        len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    )


def _as_data(out: Path, records: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        'jobs': len(records),
        'failed': [
            {
                key: record[key]
                for key in ('bag', 'bundle', 'policy', 'scenario', 'severity', 'error')
            }
            for record in records
            if record['summary'] is None
        ],
        'leaderboard': [vars(standing) for standing in standings(records)],
        'table': str(out / TABLE),
    }


def _print(out: Path, records: list[dict[str, Any]]) -> None:
    table = Table('', *(name for name in STANDING_COLUMNS if name not in _ON_FILE_ONLY))
    for place, standing in enumerate(standings(records), 1):
        cells = dict(zip(STANDING_COLUMNS, standing_cells(standing), strict=True))
        shown = (escape(cell) for name, cell in cells.items() if name not in _ON_FILE_ONLY)
        table.add_row(str(place), *shown)
    console.print(table)
    console.print(f'leaderboard  {out / LEADERBOARD}\ntable        {out / TABLE}', soft_wrap=True)

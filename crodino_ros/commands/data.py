"""`crodino data`: look at data before hours are spent on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from crodino_core.errors import CrodinoError
from crodino_core.learning.data.check import DataReport, check_data
from crodino_core.rgbd_folder import RgbdFolder
from crodino_ros.commands.options import JsonOption, console, print_json

app = typer.Typer(help='Data sets.', no_args_is_help=True)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help='Data set in the folder format.')],
    as_json: JsonOption = False,
) -> None:
    """Find corrupt or misaligned frames, rare classes and implausible depth."""
    report = check_data(RgbdFolder(folder))
    if as_json:
        print_json(report.to_dict())
    else:
        _print(report)
    if report.errors:
        raise CrodinoError(f'{folder}: {len(report.errors)} errors were found, see above')


def _print(report: DataReport) -> None:
    table = Table('', *report.splits, title=report.path)
    splits = report.splits.values()
    table.add_row('frames', *(str(s.frames) for s in splits))
    table.add_row('labelled %', *(f'{s.labelled:.1f}' for s in splits))
    table.add_row('without depth %', *(f'{s.holes:.1f}' for s in splits))
    for key in ('p1', 'median', 'p99', 'max'):
        table.add_row(f'depth {key}, m', *(f'{s.depth_m.get(key, 0):.2f}' for s in splits))
    table.add_section()
    for name in report.classes:
        shares = (f'{s.class_shares[name]:.2f} ({s.class_frames[name]} frames)' for s in splits)
        table.add_row(f'{name} %', *shares)
    console.print(table)
    for kind, lines in (('error', report.errors), ('warning', report.warnings)):
        for line in lines:
            console.print(f'{kind}: {line}', markup=False, highlight=False, soft_wrap=True)

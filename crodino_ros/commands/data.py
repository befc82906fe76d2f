"""`crodino data`: get data into the folder format, and look at it before hours are spent on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from crodino_core.errors import CrodinoError
from crodino_core.labels import LabelSet
from crodino_core.learning.data.check import DataReport, check_data
from crodino_core.learning.data.folder_writer import WrittenFolder
from crodino_core.learning.data.import_midair import import_midair
from crodino_core.learning.data.import_nyudepth import import_nyudepth
from crodino_core.learning.data.import_potsdam import import_potsdam
from crodino_core.rgbd_folder import RgbdFolder
from crodino_ros.bag_data_set import data_set_from_bag
from crodino_ros.bag_topics import parse_topics
from crodino_ros.commands.options import (
    JsonOption,
    console,
    output_folder,
    print_json,
    tidy_on_sigterm,
)

app = typer.Typer(help='Data sets.', no_args_is_help=True)
importers = typer.Typer(help='Public data sets into the folder format.', no_args_is_help=True)
app.add_typer(importers, name='import')

DestArgument = Annotated[
    Path, typer.Argument(parser=output_folder, metavar='DEST', help='The data set folder to make.')
]


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
    table.add_row('labelled %', *(f'{s.labelled:.1f}' if s.frames else '-' for s in splits))
    table.add_row('without depth %', *(f'{s.holes:.1f}' if s.frames else '-' for s in splits))
    for key in ('p1', 'median', 'p99', 'max'):
        values = (f'{s.depth_m[key]:.2f}' if s.depth_m else '-' for s in splits)
        table.add_row(f'depth {key}, m', *values)
    table.add_section()
    for name in report.classes:
        shares = (
            f'{s.class_shares[name]:.2f} ({s.class_frames[name]} frames)' if s.frames else '-'
            for s in splits
        )  # fmt: skip
        table.add_row(f'{name} %', *shares)
    console.print(table)
    for kind, lines in (('error', report.errors), ('warning', report.warnings)):
        for line in lines:
            console.print(f'{kind}: {line}', markup=False, highlight=False, soft_wrap=True)


@app.command('from-bag')
@tidy_on_sigterm()
def from_bag(
    bag: Annotated[Path, typer.Argument(help='A rosbag2 folder or file with a label topic.')],
    dest: DestArgument,
    topics: Annotated[
        str | None,
        typer.Option(help='rgb=/topic,depth=/topic,label=/topic where the defaults do not fit.'),
    ] = None,
    every: Annotated[int, typer.Option(help='Take one labelled frame of so many.')] = 1,
    split: Annotated[str, typer.Option(help='The split all frames go to.')] = 'train',
    labels: Annotated[
        Path | None,
        typer.Option(
            help='classes.yaml with names and colours.', show_default='class_0, class_1, ...'
        ),
    ] = None,
) -> None:
    """Turn a labelled bag into a data set; colour, depth and label are paired by their stamps."""
    classes = None if labels is None else LabelSet.from_yaml(labels)
    _print_written(data_set_from_bag(bag, dest, parse_topics(topics), every, split, classes))


@importers.command()
@tidy_on_sigterm()
def nyudepth(
    source: Annotated[Path, typer.Argument(help='Folder with the official .mat files.')],
    dest: DestArgument,
    classes: Annotated[int, typer.Option(help='40 or 13.')] = 40,
    raw_depth: Annotated[
        bool, typer.Option('--raw-depth', help="The sensor's depth with its holes, not filled.")
    ] = False,
    val: Annotated[
        float, typer.Option(help='Share of the training scenes for val; 0: the official split.')
    ] = 0.1,
) -> None:
    """NYUDepth v2, official split."""
    _print_written(import_nyudepth(source, dest, classes, raw_depth, val))


@importers.command()
@tidy_on_sigterm()
def potsdam(
    source: Annotated[Path, typer.Argument(help='Folder with the extracted tiles.')],
    dest: DestArgument,
    crop: Annotated[int, typer.Option(help='Side of the crops, pixels.')] = 512,
    val: Annotated[str, typer.Option(help='Training tiles for val, e.g. 2_10,5_11.')] = '2_10',
) -> None:
    """ISPRS Potsdam, official tiles; height above ground takes the place of depth."""
    tiles = [tile.strip() for tile in val.split(',') if tile.strip()]
    _print_written(import_potsdam(source, dest, crop, tiles))


@importers.command()
@tidy_on_sigterm()
def midair(
    source: Annotated[Path, typer.Argument(help='Folder with the extracted archives.')],
    dest: DestArgument,
    every: Annotated[int, typer.Option(help='Take one frame of so many (25 per second).')] = 4,
) -> None:
    """Mid-Air: drone flights in several weathers and seasons."""
    _print_written(import_midair(source, dest, every))


def _print_written(written: WrittenFolder) -> None:
    frames = ', '.join(f'{split} {count}' for split, count in written.frames.items())
    console.print(f'{written.path}: {frames} frames', highlight=False, soft_wrap=True)
    for reason, count in written.left.items():
        console.print(f'left: {count} {reason}', markup=False, highlight=False, soft_wrap=True)
    console.print(f'next: crodino data check {written.path}', highlight=False, soft_wrap=True)

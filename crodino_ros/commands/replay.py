"""`crodino replay`: a bag in, masks and evidence out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from crodino_core.evaluation.inference_time import parse_inference_time
from crodino_core.evaluation.metrics import summarize
from crodino_core.evaluation.records import ReplayResult
from crodino_core.evaluation.report import write_report
from crodino_core.evaluation.report_words import headline, sentences
from crodino_core.evaluation.scenario import load_scenario
from crodino_core.modality import Modality
from crodino_core.variants import FLOAT32, parse_resolution
from crodino_ros.bag_topics import parse_topics
from crodino_ros.bags import name_without_ending
from crodino_ros.commands.options import (
    EngineOption,
    ExactOption,
    JsonOption,
    ModelOption,
    PrecisionOption,
    ResolutionOption,
    ThreadsOption,
    console,
    default_model,
    notes,
    out_option,
    print_json,
    say_passed_over,
    tidy_on_sigterm,
)
from crodino_ros.replay_run import ReplaySettings, replay_bag

OutOption = Annotated[
    Path | None, out_option('Folder for masks and report.', 'named after the bag')
]


def replay(
    bag: Annotated[Path, typer.Argument(help='A rosbag2 folder or file (MCAP, sqlite3).')],
    model: ModelOption = None,
    scenario: Annotated[
        str | None,
        typer.Option(help='Sensor failures to apply: a name or a YAML file.', show_default='none'),
    ] = None,
    engine: EngineOption = 'auto',
    topics: Annotated[
        str | None,
        typer.Option(
            help='rgb=/topic,depth=/topic,label=/topic where the defaults do not fit; label=none '
            'for no labels.'
        ),
    ] = None,
    out: OutOption = None,
    policy: Annotated[
        str,
        typer.Option(metavar='prefer|average|best', help='What is served of two good sensors.'),
    ] = 'prefer',
    prefer: Annotated[
        Modality, typer.Option(help='Sensor to serve while it is healthy.')
    ] = Modality.RGB,
    when_none: Annotated[
        str,
        typer.Option(metavar='silence|void', help='What comes when no sensor is usable.'),
    ] = 'silence',
    precision: PrecisionOption = FLOAT32,
    resolution: ResolutionOption = '',
    exact: ExactOption = False,
    threads: ThreadsOption = None,
    inference_time: Annotated[
        str | None,
        typer.Option(
            metavar='MS|measured',
            help='Time from decision to mask in the figures.',
            show_default='none',
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay a bag with sensor failures and report what became of the masks."""
    settings = ReplaySettings(
        model=model or default_model(),
        scenario=None if scenario is None else load_scenario(scenario),
        engine=engine,
        topics=parse_topics(topics),
        policy=policy,
        prefer=prefer,
        when_none=when_none,
        threads=threads,
        precision=precision,
        resolution=parse_resolution(resolution),
        exact=exact,
        inference_time=parse_inference_time(inference_time),
    )
    out = out or Path(f'{name_without_ending(bag)}-{scenario_name(settings)}')
    with tidy_on_sigterm():
        result = replay_bag(bag, settings, out)
        _, page = write_report(result, out)
    say_passed_over(result.engines_passed_over)
    for warning in result.warnings:
        notes.print(f'warning: {warning}', markup=False, highlight=False, soft_wrap=True)
    if as_json:
        print_json(summarize(result))
    else:
        print_result(result, page)


def scenario_name(settings: ReplaySettings) -> str:
    """Name of the scenario, for files and headings."""
    return settings.scenario.name if settings.scenario else 'clean'


def print_result(result: ReplayResult, page: Path) -> None:
    """Print the summary in plain words and the key figures."""
    summary = summarize(result)
    console.print(f'\n[bold]{headline(result)}[/bold]')
    for sentence in sentences(result):
        console.print(f'  {sentence}', markup=False, highlight=False)
    table = Table(box=None, show_header=False, padding=(0, 2))
    for key in ('masks', 'expected_masks', 'masks_lost', 'stale_masks', 'false_switches'):
        table.add_row(key.replace('_', ' '), str(summary[key]))
    if summary['miou'] is not None:
        low, high = summary['miou_ci'] or (None, None)
        known = '' if low is None else f' (95 % between {low:.1f} and {high:.1f})'
        table.add_row('mIoU', f'{summary["miou"]:.1f} %{known}')
    latency = summary['latency_ms']
    if summary['masks']:
        table.add_row('latency', f'{latency["p50"]:.1f} ms (p50), {latency["p99"]:.1f} ms (p99)')
    table.add_row('engine', f'{result.engine}, {result.device}')
    table.add_row('replayed at', f'{summary["real_time_factor"]:.1f} x real time')
    console.print(table)
    console.print(f'report  {page}\nmasks   {page.parent / "masks"}', soft_wrap=True)

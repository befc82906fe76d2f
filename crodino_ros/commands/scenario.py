"""`crodino scenario list`, `show` and `check`: the failures that can be injected."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from crodino_core.evaluation.scenario import load_scenario, warnings_for
from crodino_core.evaluation.scenario_text import (
    describe_scenario,
    list_scenarios,
    scenario_as_data,
)
from crodino_ros.bags import BagRecording
from crodino_ros.commands.options import JsonOption, console, notes, print_json

app = typer.Typer(help='The failures that can be injected.', no_args_is_help=True)

BagOption = Annotated[
    Path | None,
    typer.Option('--bag', help='Say the times as seconds of this bag, and what does not fit it.'),
]


@app.command('list')
def list_all(as_json: JsonOption = False) -> None:
    """List the scenarios that come with the package."""
    found = list_scenarios()
    if as_json:
        print_json({'scenarios': found})
        return
    table = Table('scenario', 'what happens', box=None, padding=(0, 2, 0, 0))
    for name, description in found.items():
        table.add_row(escape(name), escape(description))
    console.print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help='A name of `crodino scenario list`, or a file.')],
    bag: BagOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say in words which sensor fails when, and how."""
    scenario = load_scenario(name)
    duration = None if bag is None else BagRecording(bag).duration
    if as_json:
        print_json(scenario_as_data(scenario, duration))
    else:
        _print(describe_scenario(scenario, duration))


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(help='YAML files, or names.')],
    bag: Annotated[
        Path | None, typer.Option('--bag', help='Say what does not fit this bag.')
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check scenarios without replaying anything; the first that is wrong is an error."""
    duration = None if bag is None else BagRecording(bag).duration
    checked: dict[str, Any] = {}
    for name in files:
        scenario = load_scenario(name)
        warnings = [] if duration is None else warnings_for(scenario, duration)
        checked[name] = {'faults': len(scenario.faults), 'warnings': warnings}
        for warning in warnings:
            notes.print(f'warning: {name}: {warning}', markup=False, highlight=False)
        if not as_json:
            faults = 'fault' if len(scenario.faults) == 1 else 'faults'
            _print(f'{name}: {len(scenario.faults)} {faults}, all well')
    if as_json:
        print_json({'checked': checked})


def _print(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)

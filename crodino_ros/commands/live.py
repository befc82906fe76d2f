"""`crodino segment` and `crodino demo`: the node, live."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from crodino_core.errors import CrodinoError
from crodino_core.resources import share_directory
from crodino_ros.commands.options import (
    INTERRUPTED,
    EngineOption,
    console,
    default_model,
    notes,
    out_option,
)
from crodino_ros.commands.replay import replay


def segment(
    params_file: Annotated[
        Path | None, typer.Option('--params-file', help='Parameters of the node (YAML).')
    ] = None,
    remap: Annotated[
        list[str] | None, typer.Option('-r', metavar='FROM:=TO', help='Another topic name.')
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option('-p', metavar='NAME:=VALUE', help='A parameter.')
    ] = None,
    log_level: Annotated[str, typer.Option('--log-level')] = 'info',
) -> None:
    """Run the live node, with ROS 2 or without."""
    _require_middleware()
    from crodino_ros.segment_node import main

    arguments = ['crodino', '--ros-args', '--log-level', log_level]
    if params_file is not None:
        arguments += ['--params-file', str(params_file)]
    for option, values in (('-r', remap), ('-p', parameter)):
        for value in values or []:
            arguments += [option, value]
    raise typer.Exit(main(arguments))


def demo(
    out: Annotated[Path, out_option('Folder for masks and report.')] = Path('demo'),
    engine: EngineOption = 'auto',
) -> None:
    """Play the sample live, cut the camera, freeze depth; then replay it and write the report."""
    bag, model = share_directory() / 'samples' / 'room', default_model()
    scenario = 'demo'
    try:
        _require_middleware()
    except CrodinoError as error:
        notes.print(f'no live part: {error}', markup=False, highlight=False, soft_wrap=True)
    else:
        from crodino_ros.live_demo import run_live_demo
        from crodino_ros.middleware import ExternalShutdownException

        try:
            figures = run_live_demo(bag, model, engine, console)
        except (KeyboardInterrupt, ExternalShutdownException):
            notes.print('interrupted; no report is written')
            raise typer.Exit(INTERRUPTED) from None
        console.print(
            f'live: {figures.masks} masks, served {" -> ".join(figures.served)}, longest gap '
            f'{figures.longest_gap:.2f} s, latency {figures.latency_ms} ms (median)\n'
        )
    replay(bag=bag, model=model, scenario=scenario, engine=engine, out=out)


def _require_middleware() -> None:
    if not any(importlib.util.find_spec(name) for name in ('rclpy', 'cyclonedds')):
        raise CrodinoError(
            'the live node needs ROS 2 (source its setup.bash) or Cyclone DDS, and neither is '
            'there; install the latter with: pip install cyclonedds'
        )

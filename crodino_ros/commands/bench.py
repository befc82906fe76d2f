"""`crodino bench`: engines, memory, replay and node, measured on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from crodino_core.bundle import ModelBundle
from crodino_core.errors import UsageError
from crodino_core.evaluation.bench import bench_engines, resident_memory_mb
from crodino_core.evaluation.engine_table import engine_table
from crodino_core.evaluation.metrics import summarize
from crodino_core.evaluation.report import environment
from crodino_core.evaluation.scenario import load_scenario
from crodino_core.resources import share_directory
from crodino_ros.bench_failures import bench_failures
from crodino_ros.bench_training import bench_training
from crodino_ros.bench_words import (
    print_engine_table,
    print_environment,
    print_failures,
    print_node,
    print_overview,
    print_training,
)
from crodino_ros.commands.learning import require_training
from crodino_ros.commands.options import (
    INTERRUPTED,
    EngineOption,
    JsonOption,
    ModelOption,
    ThreadsOption,
    console,
    default_model,
    notes,
    print_json,
)
from crodino_ros.replay_run import ReplaySettings, replay_bag


class Part(str, Enum):
    """What is measured instead of a little of everything."""

    ENGINES = 'engines'
    REPLAY = 'replay'
    NODE = 'node'
    TRAIN = 'train'


READ_BY: dict[Part | None, set[str]] = {
    None: {'model', 'engine', 'bag', 'height', 'width', 'rounds', 'threads'},
    Part.ENGINES: {'model', 'height', 'width', 'rounds', 'threads'},
    Part.REPLAY: {'model', 'engine', 'bag', 'threads'},
    Part.NODE: {'model', 'engine', 'height', 'width', 'threads', 'frames'},
    Part.TRAIN: {'rounds', 'config'},
}
"""The options that each part looks at; --json is for all."""


def bench(
    context: typer.Context,
    part: Annotated[
        Part | None,
        typer.Argument(
            help='engines: every engine with every precision and resolution of the bundle; '
            'replay: the failure laboratory instead (four minutes); node: the live node; '
            'train: the trainer (two minutes).'
        ),
    ] = None,
    model: ModelOption = None,
    engine: EngineOption = 'auto',
    bag: Annotated[
        Path | None, typer.Option('--bag', help='Bag to replay.', show_default='the sample')
    ] = None,
    height: Annotated[int, typer.Option(min=16)] = 480,
    width: Annotated[int, typer.Option(min=16)] = 640,
    rounds: Annotated[
        int | None, typer.Option(min=1, help='Measurements of each.', show_default='30; train: 9')
    ] = None,
    threads: ThreadsOption = None,
    frames: Annotated[
        int,
        typer.Option(
            min=60, help='node: frames of each sensor; 10000, over 5 minutes, show a leak.'
        ),
    ] = 600,
    config: Annotated[
        Path | None,
        typer.Option('--config', help='train: a configuration.', show_default='rendered rooms'),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the engines against the bare libraries, the memory, and a replay."""
    _refuse_unread(context, part)
    if part is Part.TRAIN:
        require_training()
        _show(bench_training(config, rounds), print_training, as_json)
        return
    path = model or default_model()
    bag = bag or share_directory() / 'samples' / 'room'
    if part is Part.ENGINES:
        table = engine_table(ModelBundle.load(path), (height, width), rounds or 30, threads)
        _show(table, print_engine_table, as_json)
    elif part is Part.REPLAY:
        _show(bench_failures(bag, path, engine, threads), print_failures, as_json)
    elif part is Part.NODE:
        _show(_bench_node(path, engine, threads, (height, width), frames), print_node, as_json)
    else:
        bundle = ModelBundle.load(path)
        found = bench_engines(bundle, engine, (height, width), rounds or 30, threads)
        memory = resident_memory_mb(path, engine, (height, width), threads)
        found['resident_mb'] = round(memory, 1)
        found['replay'] = _bench_replay(bag, path, engine, threads)
        _show(found, print_overview, as_json)


def _refuse_unread(context: typer.Context, part: Part | None) -> None:
    """Refuse options that the part would not look at.

    :raises UsageError: one was given.
    """
    read = READ_BY[part]
    unread = set().union(*READ_BY.values()) - read
    sources = {name: context.get_parameter_source(name) for name in unread}
    given = [name for name, source in sources.items() if source and source.name == 'COMMANDLINE']
    if given:
        what = f'bench {part.value}' if part else 'bench without a part'
        raise UsageError(
            f'{what} has no use for {", ".join(f"--{name}" for name in sorted(given))}; it reads '
            f'{", ".join(f"--{name}" for name in sorted(read))}'
        )


def _bench_replay(bag: Path, model: Path, engine: str, threads: int | None) -> dict[str, Any]:
    """Replay with a camera blackout, so that both networks and a failover are in the figure."""
    settings = ReplaySettings(
        model, load_scenario('camera_blackout'), engine=engine, threads=threads
    )
    with tempfile.TemporaryDirectory() as folder:
        summary = summarize(replay_bag(bag, settings, Path(folder)))
    keys = ('recording', 'duration_s', 'real_time_factor', 'masks', 'latency_ms')
    return {key: summary[key] for key in keys}


def _bench_node(
    model: Path, engine: str, threads: int | None, size: tuple[int, int], frames: int
) -> dict[str, Any]:
    # Not at the top: the middleware is an optional dependency of the other parts.
    from crodino_ros.bench_node import NodeBench, bench_node
    from crodino_ros.middleware import ExternalShutdownException

    try:
        return bench_node(NodeBench(model, engine, threads, size, frames))
    except (KeyboardInterrupt, ExternalShutdownException):
        notes.print('interrupted; nothing was measured to its end')
        raise typer.Exit(INTERRUPTED) from None


def _show(
    found: dict[str, Any], words: Callable[[dict[str, Any], Console], None], as_json: bool
) -> None:
    found = found | {'environment': environment()}
    if as_json:
        print_json(found)
    else:
        words(found, console)
        print_environment(found['environment'], console)

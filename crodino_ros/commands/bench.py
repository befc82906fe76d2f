"""`crodino bench`: engines, memory, replay and node, measured on this machine."""

from __future__ import annotations

import tempfile
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from crodino_core.bundle import ModelBundle
from crodino_core.evaluation.bench import bench_engines, resident_memory_mb
from crodino_core.evaluation.engine_table import engine_table
from crodino_core.evaluation.metrics import summarize
from crodino_core.evaluation.report import environment
from crodino_core.evaluation.scenario import load_scenario
from crodino_core.modality import Modality
from crodino_core.resources import share_directory
from crodino_ros.bench_engines import print_engine_table
from crodino_ros.bench_failures import (
    FAULT_TARGET_MS,
    LONG_BAG_S,
    LONG_BAG_TARGET_S,
    SPEEDUP_TARGET,
    bench_failures,
)
from crodino_ros.bench_training import bench_training, print_training
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

MEMORY_TARGET_MB = 400


class Part(str, Enum):
    """What is measured instead of a little of everything."""

    ENGINES = 'engines'
    REPLAY = 'replay'
    NODE = 'node'
    TRAIN = 'train'


def bench(
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
        Path | None, typer.Option('--bag', help='Bag to replay. [default: the sample]')
    ] = None,
    height: Annotated[int, typer.Option(min=16)] = 480,
    width: Annotated[int, typer.Option(min=16)] = 640,
    rounds: Annotated[
        int | None, typer.Option(min=1, help='[default: 30; train: 5]', show_default=False)
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
        typer.Option('--config', help='train: a configuration. [default: rendered rooms]'),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the engines against the bare libraries, the memory, and a replay."""
    if part is Part.TRAIN:
        require_training()
        found = bench_training(config, rounds) | {'environment': environment()}
        print_json(found) if as_json else _print_training(found)
        return
    path = model or default_model()
    bag = bag or share_directory() / 'samples' / 'room'
    if part is Part.ENGINES:
        table = engine_table(ModelBundle.load(path), (height, width), rounds or 30, threads)
        table['environment'] = environment()
        print_json(table) if as_json else _print_engines(table)
        return
    if part is Part.REPLAY:
        found = bench_failures(bag, path, engine, threads) | {'environment': environment()}
        print_json(found) if as_json else _print_failures(found)
        return
    if part is Part.NODE:
        _bench_node(path, engine, threads, (height, width), frames, as_json)
        return
    result = bench_engines(ModelBundle.load(path), engine, (height, width), rounds or 30, threads)
    result['resident_mb'] = round(resident_memory_mb(path, (height, width)), 1)
    result['replay'] = _bench_replay(
        bag,
        ReplaySettings(path, engine=engine, threads=threads),
    )
    result['environment'] = environment()
    if as_json:
        print_json(result)
    else:
        _print(result)


def _bench_replay(bag: Path, settings: ReplaySettings) -> dict[str, Any]:
    """Replay with a camera blackout, so that both networks and a failover are in the figure."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ReplaySettings(
            settings.model,
            scenario=load_scenario('camera_blackout'),
            engine=settings.engine,
            threads=settings.threads,
        )
        summary = summarize(replay_bag(bag, settings, Path(folder)))
    keys = ('recording', 'duration_s', 'real_time_factor', 'masks', 'latency_ms')
    return {key: summary[key] for key in keys}


def _bench_node(
    model: Path,
    engine: str,
    threads: int | None,
    size: tuple[int, int],
    frames: int,
    as_json: bool,
) -> None:
    # Not at the top: the middleware is an optional dependency of the other parts.
    from crodino_ros.bench_node import NodeBench, bench_node
    from crodino_ros.middleware import ExternalShutdownException

    try:
        found = bench_node(NodeBench(model, engine, threads, size, frames))
    except (KeyboardInterrupt, ExternalShutdownException):
        notes.print('interrupted; nothing was measured to its end')
        raise typer.Exit(INTERRUPTED) from None
    found['environment'] = environment()
    print_json(found) if as_json else _print_node(found)


def _print_node(result: dict[str, Any]) -> None:
    node, plain, targets = result['node'], result['plain'], result['targets']
    height, width = result['size']
    table = Table('', 'found', 'target', title=f'{width}x{height}, {result["rate"]:g} Hz, live')
    for p, name in (('p50', 'median'), ('p95', 'p95')):
        key = f'overhead_{p}_ms'
        table.add_row(f'arrival to mask less engine, {name}, ms', *_beside(node, key, targets))
    key = 'longest_gap_periods'
    table.add_row('longest gap through a camera cut, periods', *_beside(node, key, targets))
    memory = node['memory']
    grown = f'{memory["growth_mb"]} of {memory["settled_mb"]}' if memory else 'unknown'
    table.add_row(f'memory growth in {result["frames"]} frames, MB', grown, 'none in 10000')
    ratio = str(result.get('plain_over_node', 'not measured'))
    table.add_row('latency of a straightforward node, x ours', ratio, '>= 3')
    console.print(table)
    console.print(
        f'middleware: {result["middleware"]}; {node["masks"]} masks of {result["frames"]} frames, '
        f'{node["dropped"]} dropped; engine {node["inference_p50_ms"]} ms (median), '
        f'image to mask received {node["latency_ms"].get("p50")} ms'
    )
    if 'skipped' in plain:
        console.print(f'no straightforward node: {plain["skipped"]}')
    else:
        console.print(
            f'straightforward node: {plain["latency_ms"].get("p50")} ms, {plain["masks"]} masks'
        )
    console.print(f'load before: {result["load_before"]}', style='dim', highlight=False)
    _print_environment(result)


def _beside(values: dict[str, Any], key: str, targets: dict[str, float]) -> tuple[str, str]:
    found = values[key]
    return 'not measured' if found is None else str(found), f'<= {targets[key]:g}'


def _print_engines(result: dict[str, Any]) -> None:
    print_engine_table(result, console)
    _print_environment(result)


def _print_training(result: dict[str, Any]) -> None:
    print_training(result, console)
    _print_environment(result)


def _print_failures(result: dict[str, Any]) -> None:
    costs = sorted(result['faults_ms'].items(), key=lambda cost: -cost[1])
    table = Table('fault', 'ms a frame', title='512x512, severity 3, one thread')
    for name, cost in costs[:10]:
        table.add_row(name, f'{cost:.2f}')
    console.print(table)
    long, matrix = result['long_replay'], result['matrix']
    console.print(f'slowest fault: {costs[0][1]:.2f} ms (target {FAULT_TARGET_MS:g})')
    console.print(
        f'replay of {long["duration_s"]:.0f} s: {long["seconds"]:.1f} s, for {LONG_BAG_S:.0f} s '
        f'{long["seconds_for_60"]:.1f} s (target {LONG_BAG_TARGET_S:g})'
    )
    console.print(
        f'{matrix["jobs"]} jobs: {matrix["seconds"]["1"]:.1f} s with one worker, '
        f'{matrix["seconds"]["2"]:.1f} s with two, {matrix["speedup"]} x '
        f'(target {SPEEDUP_TARGET:g})'
    )
    _print_environment(result)


def _print_environment(result: dict[str, Any]) -> None:
    for key, value in result['environment'].items():
        console.print(f'{key}: {value}', style='dim', highlight=False)


def _print(result: dict[str, Any]) -> None:
    height, width = result['size']
    table = Table('network', 'engine', 'median ms', 'p95 ms', title=f'{width}x{height}, batch 1')
    for m in Modality:
        for name, times in result[str(m)]['times_ms'].items():
            table.add_row(str(m), name, f'{times["median"]:.1f}', f'{times["p95"]:.1f}')
    console.print(table)
    for m in Modality:
        figures = result[str(m)]
        line = f'{m}: {figures["over_fastest_bare"]} x the fastest bare library (target 1.1)'
        if 'torch_over_engine' in figures:
            line += f', {figures["torch_over_engine"]} x as fast as torch eager (target 4)'
        console.print(line)
    console.print(
        f'memory with both networks: {result["resident_mb"]} MB (target {MEMORY_TARGET_MB})'
    )
    replay = result['replay']
    console.print(
        f'replay of {replay["recording"]}: {replay["real_time_factor"]} x real time (target 3)'
    )
    _print_environment(result)

"""`crodino bench`: engines, memory and replay, measured on this machine."""

from __future__ import annotations

import tempfile
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from crodino_core.bundle import ModelBundle
from crodino_core.evaluation.bench import bench_engines, resident_memory_mb
from crodino_core.evaluation.metrics import summarize
from crodino_core.evaluation.report import environment
from crodino_core.evaluation.scenario import load_scenario
from crodino_core.modality import Modality
from crodino_core.resources import share_directory
from crodino_ros.bench_failures import (
    FAULT_TARGET_MS,
    LONG_BAG_S,
    LONG_BAG_TARGET_S,
    SPEEDUP_TARGET,
    bench_failures,
)
from crodino_ros.commands.options import (
    EngineOption,
    JsonOption,
    ModelOption,
    ThreadsOption,
    console,
    default_model,
    print_json,
)
from crodino_ros.replay_run import ReplaySettings, replay_bag

MEMORY_TARGET_MB = 400


class Part(str, Enum):
    """What is measured beside the engines."""

    REPLAY = 'replay'


def bench(
    part: Annotated[
        Part | None,
        typer.Argument(help='replay: the failure laboratory instead (a minute or two).'),
    ] = None,
    model: ModelOption = None,
    engine: EngineOption = 'auto',
    bag: Annotated[
        Path | None, typer.Option('--bag', help='Bag to replay. [default: the sample]')
    ] = None,
    height: Annotated[int, typer.Option(min=16)] = 480,
    width: Annotated[int, typer.Option(min=16)] = 640,
    rounds: Annotated[int, typer.Option(min=1)] = 30,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the engines against the bare libraries, the memory, and a replay."""
    path = model or default_model()
    bag = bag or share_directory() / 'samples' / 'room'
    if part is Part.REPLAY:
        found = bench_failures(bag, path, engine, threads) | {'environment': environment()}
        print_json(found) if as_json else _print_failures(found)
        return
    result = bench_engines(ModelBundle.load(path), engine, (height, width), rounds, threads)
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

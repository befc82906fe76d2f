"""`crodino bench` in words: what was measured, as tables, beside the targets."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crodino_core.evaluation.bench import MEMORY_TARGET_MB
from crodino_core.evaluation.engine_table import BARE_LIMIT
from crodino_core.modality import Modality
from crodino_ros.bench_failures import (
    FAULT_TARGET_MS,
    LONG_BAG_S,
    LONG_BAG_TARGET_S,
    SPEEDUP_TARGET,
)


def print_overview(result: dict[str, Any], console: Console) -> None:
    """Print the engines beside the bare libraries, the memory and a replay."""
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


def print_failures(result: dict[str, Any], console: Console) -> None:
    """Print the faults that cost most, the long replay and the matrix."""
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


def print_node(result: dict[str, Any], console: Console) -> None:
    """Print the live node's figures beside their targets, and the straightforward node."""
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


def print_training(result: dict[str, Any], console: Console) -> None:
    """Print what was measured as a table and the figures with a target."""
    count, height, width = result['batch']
    table = Table(
        'a step of',
        'seconds',
        'GFLOP',
        title=f'{result["backbone"]}, {count} pairs of {width}x{height}, {result["precision"]}, '
        f'{result["device"]}, {result["threads"]} threads',
    )
    for name, seconds in result['seconds'].items():
        table.add_row(name, f'{seconds:.3f}', f'{result["gflop"][name]:.1f}')
    console.print(table)
    ratios, speed, targets = result['ratios'], result['images_per_s'], result['targets']
    console.print(
        f'twin {speed["twin"]:.1f} images/s, {ratios["twin_over_plain"]:.2f} x two plain loops '
        f'(target {targets["twin_over_plain"]:g})\nloader {speed["loader"]:.1f} images/s, '
        f'{ratios["loader_over_twin"]:.1f} x the twin (target {targets["loader_over_twin"]:g})'
    )
    for other in ('independent', 'kd'):
        cost = ratios[f'crodino_over_{other}']
        words = 'teacher and students' if other == 'kd' else 'two networks alone'
        console.print(
            f'crodino costs {cost["seconds"]:.2f} x the seconds and {cost["flop"]:.2f} x the '
            f'FLOP of {words}'
        )
    if result['gpu']:
        mfu = result['gpu']['mfu']
        share = (
            'of an unknown peak (known are some in bfloat16)'
            if mfu is None
            else f'{100 * mfu:.1f} % of the peak'
        )
        console.print(
            f'{result["gpu"]["tflops"]:.2f} TFLOP/s, {share}; '
            f'{result["gpu"]["peak_memory_mb"]:.0f} MB at most'
        )


def print_environment(environment: dict[str, str], console: Console) -> None:
    """Print the machine and the versions that the figures belong to."""
    for key, value in environment.items():
        console.print(f'{key}: {value}', style='dim', highlight=False)


def _beside(values: dict[str, Any], key: str, targets: dict[str, float]) -> tuple[str, str]:
    found = values[key]
    return 'not measured' if found is None else str(found), f'<= {targets[key]:g}'


def _both(row: dict[str, Any], key: str) -> str:
    values = [row[str(m)][key] for m in Modality]
    return ' / '.join('-' if value is None else f'{value:g}' for value in values)

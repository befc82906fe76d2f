"""How fast the failure laboratory is here: faults, a long replay, the matrix on two workers."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_core.evaluation.failure_job import BagEntry, BundleEntry, PolicyEntry
from crodino_core.evaluation.failure_matrix import run_matrix
from crodino_core.evaluation.failure_plan import FailurePlan
from crodino_core.evaluation.fault_cost import measure_costs
from crodino_core.evaluation.metrics import summarize
from crodino_core.evaluation.scenario import load_scenario, scenario_names
from crodino_core.modality import Modality
from crodino_ros.failure_run import run_job
from crodino_ros.looped_bag import write_looped_bag
from crodino_ros.replay_run import ReplaySettings, replay_bag

FAULT_TARGET_MS = 3.0
LONG_BAG_S = 60.0
LONG_BAG_TARGET_S = 12.0
SPEEDUP_TARGET = 1.8


def bench_failures(bag: Path, model: Path, engine: str, threads: int | None) -> dict[str, Any]:
    """Measure the faults, a replay of a minute, and the matrix with one worker and with two.

    The matrix runs with one worker and with two, twice each: every named scenario, with RGB and
    with depth preferred, on `bag` and on a copy of it, so that each of two workers has a bag of
    its own. The start of the processes is included.

    :param bag: a short bag; the long one is made of it.
    """
    costs = measure_costs()
    return {
        'faults_ms': {f'{m} {kind}': round(cost, 3) for (kind, m), cost in costs.items()},
        'slowest_fault_ms': round(max(costs.values()), 3),
        'long_replay': _long_replay(bag, model, engine, threads),
        'matrix': _matrix(bag, model, engine),
    }


def _long_replay(bag: Path, model: Path, engine: str, threads: int | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        long_bag = write_looped_bag(bag, Path(folder) / 'long', LONG_BAG_S)
        settings = ReplaySettings(
            model, load_scenario('camera_blackout'), engine=engine, threads=threads
        )
        began = time.perf_counter()
        summary = summarize(replay_bag(long_bag, settings, Path(folder) / 'out'))
        seconds = time.perf_counter() - began
    return {
        'duration_s': round(summary['duration_s'], 1),
        'frames': summary['frames'],
        'seconds': round(seconds, 2),
        'seconds_for_60': round(seconds * LONG_BAG_S / summary['duration_s'], 2),
    }


def _matrix(bag: Path, model: Path, engine: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        copy = write_looped_bag(bag, Path(folder) / 'copy', 0.0)
        return _time_matrix(_plan((bag, copy), model, engine))


def _plan(bags: tuple[Path, ...], model: Path, engine: str) -> FailurePlan:
    return FailurePlan(
        path=Path('bench'),
        description='',
        bags=tuple(BagEntry(bag.name, bag) for bag in bags),
        scenarios=(None, *map(load_scenario, scenario_names())),
        policies=tuple(PolicyEntry(f'prefer {prefer}', prefer=prefer) for prefer in Modality),
        bundles=(BundleEntry(model.name, model),),
        engine=engine,
    )


def _time_matrix(plan: FailurePlan) -> dict[str, Any]:
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for workers in (1, 2, 2, 1):  # in this order a machine that drifts is the same for both
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            records = run_matrix(plan, run_job, Path(folder), workers)
            seconds[workers].append(time.perf_counter() - began)
        if failed := [record for record in records if record['summary'] is None]:
            raise CrodinoError(
                f'{len(failed)} of {len(records)} jobs failed, so their speed means nothing; '
                f'the first: {failed[0]["scenario"]} on {failed[0]["bag"]}: {failed[0]["error"]}'
            )
    return {
        'jobs': len(plan.jobs()),
        'seconds': {str(workers): round(fmean(each), 2) for workers, each in seconds.items()},
        'speedup': round(sum(seconds[1]) / sum(seconds[2]), 2),
    }

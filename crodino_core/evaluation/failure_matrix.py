"""A plan, worked off: every job that has no result yet, on all cores or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from crodino_core.evaluation.failure_job import FailureJob
from crodino_core.evaluation.failure_plan import FailurePlan
from crodino_core.evaluation.job_cluster import run_on_ray
from crodino_core.evaluation.job_results import JobResults
from crodino_core.evaluation.job_workers import JobFunction, Outcome, run_in_processes
from crodino_core.evaluation.leaderboard import leaderboard_markdown, write_table
from crodino_core.whole_files import write_whole

JOBS_FOLDER, TABLE, LEADERBOARD = 'jobs', 'results.csv', 'leaderboard.md'

Progress = Callable[[int, int, int], None]
"""Is told the jobs done (failed ones included), those failed, and all of them."""


def run_matrix(
    plan: FailurePlan,
    work: JobFunction,
    out: Path,
    workers: int,
    *,
    ray_address: str | None = None,
    progress: Progress = lambda done, failed, total: None,
) -> list[dict[str, Any]]:
    """Work off a plan and write `results.csv` and `leaderboard.md`; return every job's record.

    Jobs whose results are in `out` already are not done again. If it is interrupted, what was
    finished stays, and table and leaderboard of it are written.

    :param work: replays a job; a function of a module, as it is called in other processes.
    :param workers: processes; each runs its networks on one thread.
    :param ray_address: of a Ray cluster that does the work instead.
    """
    results = JobResults(out / JOBS_FOLDER)
    jobs = plan.jobs()
    open_jobs = [job for job in jobs if not results.is_done(job)]
    done, failed = len(jobs) - len(open_jobs), 0
    progress(done, failed, len(jobs))
    try:
        with closing(_outcomes(open_jobs, work, workers, ray_address)) as outcomes:
            for outcome in outcomes:
                results.save(outcome.job, outcome.summary, outcome.error)
                done, failed = done + 1, failed + (outcome.summary is None)
                progress(done, failed, len(jobs))
    finally:
        records = [record for job in jobs if (record := results.load(job)) is not None]
        write_table(records, out / TABLE)
        board = leaderboard_markdown(records, len(jobs), plan.description)
        write_whole({out / LEADERBOARD: board})
    return records


def _outcomes(
    jobs: list[FailureJob], work: JobFunction, workers: int, ray_address: str | None
) -> Generator[Outcome, None, None]:
    if not jobs:
        return
    if ray_address is not None:
        yield from run_on_ray(jobs, work, ray_address)
    else:
        yield from run_in_processes(jobs, work, workers)

"""Processes that work off the jobs of a plan, one job at a time each.

A worker that dies (out of memory, a crash in a library) costs the job it was at: a new process
takes its place. A worker ends by itself when the process that started it is gone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_core.evaluation.failure_job import FailureJob

JobFunction = Callable[[FailureJob], dict[str, Any]]
"""Replays a job and returns its summary; a function of a module, as it goes to other processes."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    job: FailureJob
    summary: dict[str, Any] | None
    """None: it failed."""
    error: str = ''


def attempt(work: JobFunction, job: FailureJob) -> Outcome:
    """Do a job; whatever goes wrong is its outcome."""
    try:
        return Outcome(job, work(job))
    except CrodinoError as error:
        return Outcome(job, None, str(error))
    except Exception as error:  # one job must not end the others
        return Outcome(job, None, f'{type(error).__name__}: {error}')


def run_in_processes(
    jobs: Iterable[FailureJob], work: JobFunction, count: int
) -> Generator[Outcome, None, None]:
    """Do all jobs in `count` processes; yield each outcome when it is there.

    A worker goes on with the bag and bundle it knows while there are jobs of them, so that what
    it keeps in memory serves again. Closing the iterator ends the processes.
    """
    pending = list(jobs)
    workers = [_Worker(work) for _ in range(min(count, len(pending)))]
    try:
        for worker in workers:
            worker.give(_take(pending, worker.last, workers))
        while busy := [worker for worker in workers if worker.job is not None]:
            ready = wait([worker.connection for worker in busy])
            for worker in busy:
                if worker.connection in ready:
                    yield worker.collect()
                    if pending:
                        worker.give(_take(pending, worker.last, workers))
    finally:
        for worker in workers:
            worker.stop()


def _take(
    pending: list[FailureJob], last: FailureJob | None, workers: list[_Worker]
) -> FailureJob:
    """Take the next job: one like the worker's last, else one that nobody is at, else any."""
    others = {_kind(worker.last) for worker in workers if worker.last is not None}
    wanted = (
        lambda job: last is not None and _kind(job) == _kind(last),
        lambda job: _kind(job) not in others,
        lambda job: True,
    )
    chosen = next(job for fits in wanted for job in pending if fits(job))
    pending.remove(chosen)
    return chosen


def _kind(job: FailureJob) -> tuple[Any, ...]:
    return job.bag.path, job.bundle


class _Worker:
    """One process, and the job it is at."""

    def __init__(self, work: JobFunction) -> None:
        self._work = work
        self.job: FailureJob | None = None
        self.last: FailureJob | None = None
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context('spawn')  # engines do not survive a fork
        self.connection, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, self._work), daemon=True
        )
        self._process.start()
        theirs.close()

    def give(self, job: FailureJob) -> None:
        self.job = self.last = job
        with contextlib.suppress(OSError):  # it has died: `collect` says so
            self.connection.send(job)

    def collect(self) -> Outcome:
        """Return the outcome of the job; if the process has died, start another."""
        assert self.job is not None
        job, self.job = self.job, None
        try:
            return Outcome(job, *self.connection.recv())
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            cause = f'signal {signal.Signals(-code).name}' if code < 0 else f'exit code {code}'
            self.connection.close()
            self._start()
            return Outcome(job, None, f'its process died ({cause}); was there enough memory?')

    def stop(self) -> None:
        self.connection.close()
        if self.job is not None:
            self._process.terminate()
        self._process.join()


def _serve(connection: Connection, work: JobFunction) -> None:
    """Do the jobs that come, until nobody sends any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is answered by the parent
    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            return
        outcome = attempt(work, job)
        try:
            connection.send((outcome.summary, outcome.error))
        except OSError:
            return

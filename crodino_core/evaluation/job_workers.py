"""Processes that work off the jobs of a plan, one job at a time each.

A worker that dies (out of memory, a crash in a library) costs the job it was at: a new process
takes its place. A worker ends by itself when the process that started it is gone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_core.evaluation.failure_job import FailureJob
from crodino_core.evaluation.job_order import JobOrder

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

    Who does which is `JobOrder`'s to say. Closing the iterator ends the processes.
    """
    order = JobOrder(jobs)
    workers = [_Worker(work) for _ in range(min(count, len(order.pending)))]
    try:
        while True:
            for worker in workers:
                if worker.job is None:
                    worker.revive()
                    others = [w.job or w.last for w in workers if w is not worker]
                    worker.give(order.take(worker.last, filter(None, others)))
            busy = [worker for worker in workers if worker.job is not None]
            if not busy:
                return
            ready = wait([worker.connection for worker in busy])
            for worker in busy:
                if worker.connection in ready:
                    yield worker.collect(order)
    finally:
        for worker in workers:
            worker.dismiss()
        for worker in workers:
            worker.join()


class _Worker:
    """One process, and the job it is at."""

    def __init__(self, work: JobFunction) -> None:
        self._work = work
        self.job: FailureJob | None = None
        self._start()

    def _start(self) -> None:
        self.last: FailureJob | None = None
        """What it did last, and has in its memory."""
        context = multiprocessing.get_context('spawn')  # engines do not survive a fork
        self.connection, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, self._work), daemon=True
        )
        self._process.start()
        theirs.close()

    def revive(self) -> None:
        """Start another process if this one has died while it had nothing to do."""
        if not self._process.is_alive():
            self.connection.close()
            self._process.join()
            self._start()

    def give(self, job: FailureJob | None) -> None:
        """Hand a job over, or none: then it stays idle."""
        self.job = job
        if job is not None:
            with contextlib.suppress(OSError):  # it has died: `collect` says so
                self.connection.send(job)

    def collect(self, order: JobOrder) -> Outcome:
        """Return the outcome of the job; if the process has died, start another."""
        assert self.job is not None
        job, self.job = self.job, None
        try:
            summary, error, seconds = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            cause = f'signal {signal.Signals(-code).name}' if code < 0 else f'exit code {code}'
            self.revive()
            return Outcome(job, None, f'its process died ({cause}); was there enough memory?')
        if summary is not None:  # one that fails takes no time, and says nothing of the others
            order.note(job, self.last, seconds)
        self.last = job
        return Outcome(job, summary, error)

    def dismiss(self) -> None:
        """Let the process end; it takes a while to free what its libraries hold."""
        self.connection.close()
        if self.job is not None:
            self._process.terminate()

    def join(self) -> None:
        """Wait for the end of the process."""
        self._process.join()


def _serve(connection: Connection, work: JobFunction) -> None:
    """Do the jobs that come, until nobody sends any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is answered by the parent
    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            return
        began = time.perf_counter()
        outcome = attempt(work, job)
        seconds = time.perf_counter() - began
        try:
            connection.send((outcome.summary, outcome.error, seconds))
        except OSError:
            return

"""Which job of a plan a free worker takes next.

A worker keeps the frames, networks and predictions of the bag and bundle it was last at, so its
next job of the same kind costs a fraction of the first. Changing kinds is worth while only where
more is left of the other kind than that first job would cost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass

from crodino_core.evaluation.failure_job import FailureJob


def kind_of(job: FailureJob) -> Hashable:
    """Return what a worker keeps in memory from one job to the next: bag and bundle."""
    return job.bag.name, job.bundle


@dataclass
class _Cost:
    """Seconds the finished jobs of a kind took."""

    first: float | None = None
    """Of one that a worker began with; the last one seen."""
    next_jobs: int = 0
    next_seconds: float = 0.0

    def left(self, jobs: int, workers: int) -> float:
        """Return the seconds until the workers at this kind have done so many jobs of it."""
        return jobs * self.next_seconds / self.next_jobs / workers if self.next_jobs else 0.0


class JobOrder:
    """The jobs that nobody has begun, and what the finished ones have cost."""

    def __init__(self, jobs: Iterable[FailureJob]) -> None:
        self.pending = list(jobs)
        self._costs: dict[Hashable, _Cost] = defaultdict(_Cost)

    def take(
        self, last: FailureJob | None, others: Iterable[FailureJob] = ()
    ) -> FailureJob | None:
        """Take the next job for a worker; None: what is left is done sooner without it.

        One like its last, else one of a kind that nobody is at, else one of the kind that takes
        the others longest.

        :param last: what the worker did last.
        :param others: what each other worker is at or, if it is free too, was last at.
        """
        busy = [kind_of(job) for job in others]
        kinds = list(dict.fromkeys(kind_of(job) for job in self.pending))
        if last is not None and kind_of(last) in kinds:
            return self._pop(kind_of(last))
        for kind in kinds:
            if kind not in busy:
                return self._pop(kind)
        shared = [kind for kind in kinds if self._is_help(kind, busy)]
        return self._pop(max(shared, key=lambda kind: self._left(kind, busy))) if shared else None

    def note(self, job: FailureJob, before: FailureJob | None, seconds: float) -> None:
        """Take in what a job has cost a worker that had done the job `before`."""
        cost = self._costs[kind_of(job)]
        if before is None or kind_of(before) != kind_of(job):
            cost.first = seconds
        else:
            cost.next_jobs += 1
            cost.next_seconds += seconds

    def _pop(self, kind: Hashable) -> FailureJob:
        chosen = next(job for job in self.pending if kind_of(job) == kind)
        self.pending.remove(chosen)
        return chosen

    def _left(self, kind: Hashable, busy: Collection[Hashable]) -> float:
        jobs = sum(kind_of(job) == kind for job in self.pending)
        return self._costs[kind].left(jobs, sum(each == kind for each in busy))

    def _is_help(self, kind: Hashable, busy: Collection[Hashable]) -> bool:
        cost = self._costs[kind]
        if cost.first is None or not cost.next_jobs:
            return True
        return self._left(kind, busy) > cost.first

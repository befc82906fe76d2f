"""The jobs of a plan on a Ray cluster, where one machine is not enough.

Every machine must have this package installed, and see bags and bundles under the same paths
(as on a shared disk). The results come back to the machine that asked.
"""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Generator, Iterable
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_core.evaluation.failure_job import FailureJob
from crodino_core.evaluation.job_workers import JobFunction, Outcome, attempt

AHEAD_PER_CPU = 2
"""Jobs handed to Ray before they can run, so that no machine waits for the next."""

_PATIENCE_S = 5.0


def run_on_ray(
    jobs: Iterable[FailureJob], work: JobFunction, address: str
) -> Generator[Outcome, None, None]:
    """Do all jobs on a cluster, one processor each; yield each outcome when it is there.

    :param address: of the cluster's head, e.g. '10.0.0.7:6379'; 'auto' for the one that runs on
        this machine, 'local' to start one here for the time of the jobs.
    :raises CrodinoError: Ray is not installed, or there is no cluster at the address.
    """
    if importlib.util.find_spec('ray') is None:
        raise CrodinoError('--ray needs Ray: pip install "crodino_ros[ray]", or leave it out')
    import ray

    _knock(address)
    try:
        ray.init(address=address, log_to_driver=False, include_dashboard=False)
    except Exception as error:  # ConnectionError, RuntimeError and others, by version
        reason = str(error).strip().partition('\n')[0] or type(error).__name__
        raise CrodinoError(f'there is no Ray cluster at {address}: {reason}') from error
    try:
        yield from _run(ray, list(jobs), work)
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Find out in seconds that nobody is at an address; Ray itself tries for minutes."""
    host, _, port = address.rpartition(':')
    if not host or '/' in host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE_S).close()
    except OSError as error:
        raise CrodinoError(f'there is no Ray cluster at {address}: {error}') from error


def _run(ray: Any, pending: list[FailureJob], work: JobFunction) -> Generator[Outcome, None, None]:
    remote = ray.remote(num_cpus=1, max_retries=0)(attempt)
    most = AHEAD_PER_CPU * max(1, int(ray.cluster_resources().get('CPU', 1)))
    pending = pending[::-1]
    running: dict[Any, FailureJob] = {}
    while pending or running:
        while pending and len(running) < most:
            job = pending.pop()
            running[remote.remote(work, job)] = job
        (ready, *_), _ = ray.wait(list(running), num_returns=1)
        job = running.pop(ready)
        try:
            yield ray.get(ready)
        except Exception as error:  # the machine or its process is gone
            reason = str(error).strip().partition('\n')[0]
            yield Outcome(job, None, f'lost by the cluster: {type(error).__name__}: {reason}')

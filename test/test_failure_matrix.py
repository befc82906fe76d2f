"""Working off a plan: failures, interruptions, dying workers; real processes, stand-in replays."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import sys
from collections import Counter

import failure_stubs
import pytest
from failure_stubs import dies_in_the_fog, fails_in_the_yard, notes, replayed
from test_failure_plan import plan
from test_job_order import halls_and_yards

from crodino_core.errors import CrodinoError
from crodino_core.evaluation import job_workers
from crodino_core.evaluation.failure_matrix import run_matrix
from crodino_core.evaluation.job_order import JobOrder
from crodino_core.evaluation.job_results import JobResults


def run(folder, work, workers=2, **options):
    return run_matrix(plan(folder), work, folder / 'out', workers, **options)


def table(folder):
    with (folder / 'out' / 'results.csv').open() as file:
        return list(csv.DictReader(file))


def test_a_plan_leaves_a_row_for_each_job_and_a_leaderboard(tmp_path):
    told = []
    records = run(tmp_path, replayed, progress=lambda *numbers: told.append(numbers))
    assert [record['status'] for record in records] == ['done'] * 12
    rows = table(tmp_path)
    assert len(rows) == 12
    assert rows[1]['scenario'] == 'camera_blackout' and rows[1]['miou'] == '50.0'
    assert 'average' in (tmp_path / 'out' / 'leaderboard.md').read_text().splitlines()[6]
    assert told[0] == (0, 0, 12) and told[-1] == (12, 0, 12)


def test_both_workers_work_and_each_stays_with_its_bag(tmp_path):
    run(tmp_path, replayed)
    bags = Counter((line.split()[1], line.split('--')[0]) for line in notes(tmp_path))
    assert len({process for process, _ in bags}) == 2
    assert len(bags) <= 3  # one may help the other at the end


def test_a_job_that_fails_is_recorded_and_the_rest_goes_on(tmp_path):
    records = run(tmp_path, fails_in_the_yard)
    errors = {record['error'] for record in records if record['status'] == 'failed'}
    assert errors == {'there is no bag yard', 'ValueError: torn'}
    assert sum(record['status'] == 'done' for record in records) == 6
    assert '6 of 12 jobs done, 6 failed' in (tmp_path / 'out' / 'leaderboard.md').read_text()
    assert [row['status'] for row in table(tmp_path)].count('failed') == 6


def test_a_second_run_does_only_what_failed(tmp_path):
    run(tmp_path, fails_in_the_yard)
    assert len(notes(tmp_path)) == 6
    records = run(tmp_path, replayed)
    assert len(notes(tmp_path)) == 12
    assert all(record['status'] == 'done' for record in records)
    run(tmp_path, replayed)
    assert len(notes(tmp_path)) == 12


def test_a_run_that_is_stopped_loses_nothing_that_was_done(tmp_path):
    def stop(done, failed, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, replayed, progress=stop)
    assert len(list((tmp_path / 'out' / 'jobs').glob('*.json'))) == 5
    assert len(table(tmp_path)) == 5
    told = []
    run(tmp_path, replayed, progress=lambda *numbers: told.append(numbers))
    assert told[0] == (5, 0, 12)
    assert all(record['status'] == 'done' for record in table(tmp_path))


def test_a_worker_that_dies_costs_its_job_only(tmp_path):
    records = run(tmp_path, dies_in_the_fog)
    failed = [record for record in records if record['status'] == 'failed']
    assert {record['scenario'] for record in failed} == {'fog_bank'}
    assert len(failed) == 4 and len(records) == 12
    assert all('died (signal SIGKILL)' in record['error'] for record in failed)


def test_a_torn_result_is_no_result(tmp_path):
    run(tmp_path, replayed)
    (tmp_path / 'out' / 'jobs').joinpath(
        next((tmp_path / 'out' / 'jobs').glob('hall*.json')).name
    ).write_text('{"stat')
    run(tmp_path, replayed)
    assert len(notes(tmp_path)) == 13


def test_results_that_cannot_be_kept_are_said_at_once(tmp_path):
    (tmp_path / 'out').write_text('a file')
    with pytest.raises(CrodinoError, match='name another one'):
        run(tmp_path, replayed)


def test_a_record_has_no_nan(tmp_path):
    (job, *_) = plan(tmp_path).jobs()
    results = JobResults(tmp_path / 'jobs')
    results.save(job, failure_stubs.summary())
    assert json.loads(results.path(job).read_text())['summary']['miou'] == 50.0
    with pytest.raises(ValueError, match='JSON'):
        results.save(job, failure_stubs.summary(miou=float('nan')))
    assert results.is_done(job)


@pytest.fixture
def one_idle(tmp_path, monkeypatch):
    """Yield outcomes, those so far, and a switch; until it is on, no worker gets a second job.

    One worker has done its job in the hall then, and waits; the other is at the yard.
    """

    class Reluctant(JobOrder):
        helps = False

        def take(self, last, others=()):
            if self.helps and self.pending:
                return self.pending.pop(0)
            return super().take(last, others) if last is None else None

    monkeypatch.setattr(job_workers, 'JobOrder', Reluctant)
    (hall, *_), yard = halls_and_yards(plan(tmp_path).jobs())
    outcomes = job_workers.run_in_processes([hall, *yard], replayed, 2)
    done = [next(outcomes)]
    while done[-1].job is not hall:
        done.append(next(outcomes))
    return outcomes, done, Reluctant


def workers_of(folder, bag):
    return {int(line.split()[1]) for line in notes(folder) if line.startswith(bag)}


def test_a_worker_that_had_nothing_to_do_helps_when_it_is_worth_while(tmp_path, one_idle):
    outcomes, done, order = one_idle
    order.helps = True
    done += outcomes
    assert len(done) == 7 and all(outcome.summary for outcome in done)
    assert workers_of(tmp_path, 'hall') < workers_of(tmp_path, 'yard')


def test_a_worker_that_died_while_it_had_nothing_to_do_costs_no_job(tmp_path, one_idle):
    outcomes, done, order = one_idle
    children = {child.pid: child for child in multiprocessing.active_children()}
    (idle,) = workers_of(tmp_path, 'hall')
    children[idle].kill()
    children[idle].join()
    order.helps = True
    done += outcomes
    assert len(done) == 7 and all(outcome.summary for outcome in done)
    assert len(workers_of(tmp_path, 'yard') - {*children}) == 1  # another one in its place


def test_no_process_is_left_behind(tmp_path):
    outcomes = job_workers.run_in_processes(plan(tmp_path).jobs(), replayed, 2)
    next(outcomes)
    outcomes.close()
    assert multiprocessing.active_children() == []


def test_the_same_plan_runs_on_ray(tmp_path, monkeypatch):
    pytest.importorskip('ray', reason='the extra `ray` is not installed')
    monkeypatch.setenv('RAY_USAGE_STATS_ENABLED', '0')
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(sys.path))  # as if installed everywhere
    from ray.cluster_utils import Cluster

    # On the loopback, but not 127.0.0.1: that Ray would replace by the machine's own address.
    head = {'num_cpus': 2, 'node_ip_address': '127.0.0.2', 'include_dashboard': False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        records = run(tmp_path, fails_in_the_yard, ray_address=cluster.address)
    finally:
        cluster.shutdown()
    assert Counter(record['status'] for record in records) == {'done': 6, 'failed': 6}
    assert {'there is no bag yard', 'ValueError: torn'} <= {r['error'] for r in records}


def test_a_cluster_that_is_not_there_is_said(tmp_path):
    pytest.importorskip('ray', reason='the extra `ray` is not installed')
    with pytest.raises(CrodinoError, match='no Ray cluster at 127'):
        run(tmp_path, replayed, ray_address='127.0.0.1:1')


def test_without_ray_the_way_to_install_it_is_said(tmp_path, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(CrodinoError, match='pip install'):
        run(tmp_path, replayed, ray_address='auto')

"""Which job a free worker takes next; times are made up."""

from __future__ import annotations

import pytest
from test_failure_plan import plan

from crodino_core.evaluation.job_order import JobOrder, kind_of


@pytest.fixture
def jobs(tmp_path):
    """Return six jobs on the bag 'hall' and six on 'yard'."""
    return plan(tmp_path).jobs()


def halls_and_yards(jobs):
    return [[job for job in jobs if job.bag.name == name] for name in ('hall', 'yard')]


def done(order, job, before=None, seconds=1.0):
    order.note(job, before, seconds)
    return job


def test_a_worker_stays_with_its_bag(jobs):
    hall, yard = halls_and_yards(jobs)
    order = JobOrder(jobs)
    first = order.take(None)
    second = order.take(None, [first])
    assert (first, second) == (hall[0], yard[0])
    assert order.take(second, [first]) == yard[1]
    assert order.take(first, [second]) == hall[1]


def test_every_job_is_taken_once(jobs):
    order, taken = JobOrder(list(jobs)), []
    while order.pending:
        taken.append(order.take(taken[-1] if taken else None))
    assert sorted(map(id, taken)) == sorted(map(id, jobs))
    assert order.take(None) is None


def test_a_worker_changes_to_a_bag_that_nobody_is_at(jobs):
    hall, yard = halls_and_yards(jobs)
    order = JobOrder(yard)
    assert order.take(hall[-1], [hall[-2]]) == yard[0]


@pytest.mark.parametrize(('left', 'helps'), [(4, True), (3, False)])
def test_a_worker_helps_only_where_that_is_sooner_than_its_first_job_there(jobs, left, helps):
    """A first job of 3.5 s against jobs of 1 s, one after the other, in the worker at it."""
    hall, yard = halls_and_yards(jobs)
    order = JobOrder(yard[-left:])
    done(order, yard[0], None, 3.5)
    done(order, yard[1], yard[0], 1.0)
    assert (order.take(hall[-1], [yard[1]]) is not None) == helps


def test_two_workers_at_a_bag_need_less_help_than_one(jobs):
    hall, yard = halls_and_yards(jobs)
    order = JobOrder(yard[-4:])
    done(order, yard[0], None, 3.5)
    done(order, yard[1], yard[0], 1.0)
    assert order.take(hall[-1], [yard[0], yard[1]]) is None


def test_a_worker_helps_where_nothing_is_known_yet(jobs):
    hall, yard = halls_and_yards(jobs)
    order = JobOrder(yard[1:])
    assert order.take(None, [yard[0]]) == yard[1]
    assert order.take(hall[0], [yard[0]]) == yard[2]


def test_a_worker_helps_the_bag_with_most_left(jobs):
    hall, yard = halls_and_yards(jobs)
    order = JobOrder([*yard[2:], *hall[2:]])
    for kind, seconds in ((hall, 9.0), (yard, 1.0)):
        done(order, kind[0], None, seconds)
        done(order, kind[1], kind[0], seconds)
    taken = order.take(None, [hall[1], yard[1]])
    assert taken is not None and kind_of(taken) == kind_of(hall[0])

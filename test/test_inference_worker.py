"""The thread that infers: the newest work only, and nothing ends it but its owner."""

from __future__ import annotations

import queue
import threading

import numpy as np
import pytest
from streams import depth, rgb

from crodino_core.runtime.selector import Selection
from crodino_ros.inference_worker import InferenceWorker, RecentDurations, RecentRate

PATIENCE = 20.0


class Bench:
    """A worker whose work waits for permission and is written down."""

    def __init__(self) -> None:
        self.begun: queue.Queue[Selection] = queue.Queue()
        self.go_on = threading.Semaphore(0)
        self.errors: queue.Queue[Exception] = queue.Queue()
        self.worker = InferenceWorker(self.work, self.errors.put)

    def work(self, selection: Selection) -> None:
        self.begun.put(selection)
        assert self.go_on.acquire(timeout=PATIENCE)
        if selection.void:
            raise RuntimeError('no memory')


@pytest.fixture
def bench():
    made = Bench()
    yield made
    for _ in range(10):
        made.go_on.release()
    made.worker.stop()


def selections(count: int) -> list[Selection]:
    return [Selection(rgb(0.1 * index)) for index in range(count)]


def test_only_the_newest_of_the_waiting_selections_is_worked_on(bench):
    first, *skipped, newest = selections(4)
    bench.worker.submit(first)
    assert bench.begun.get(timeout=PATIENCE) is first
    for selection in (*skipped, newest):
        bench.worker.submit(selection)
    bench.go_on.release()
    assert bench.begun.get(timeout=PATIENCE) is newest
    assert bench.worker.dropped == 2


def test_an_error_is_handed_on_and_the_next_selection_is_worked_on(bench):
    bad, good = Selection(depth(0.0), void=True), Selection(rgb(0.1))
    bench.worker.submit(bad)
    bench.go_on.release()
    assert 'no memory' in str(bench.errors.get(timeout=PATIENCE))
    bench.worker.submit(good)
    while bench.begun.get(timeout=PATIENCE) is not good:
        pass


def test_a_preparation_goes_before_the_selection_that_waits(bench):
    first, second = selections(2)
    order: list[object] = []
    bench.worker.submit(first)
    bench.begun.get(timeout=PATIENCE)
    bench.worker.submit(second)
    bench.worker.prepare('rgb', lambda: order.append(bench.begun.empty()))
    bench.go_on.release()
    bench.begun.get(timeout=PATIENCE)
    assert order == [True]


def test_preparations_that_never_end_do_not_end_the_masks(bench):
    first, second = selections(2)
    prepared: list[int] = []
    bench.worker.submit(first)
    bench.begun.get(timeout=PATIENCE)
    for size in range(5):
        bench.worker.prepare('rgb', lambda size=size: prepared.append(size))
    bench.worker.prepare('depth', lambda: prepared.append(-1))
    bench.worker.submit(second)
    bench.go_on.release()
    bench.begun.get(timeout=PATIENCE)
    assert prepared == [4]  # the newest of its sensor; the other one waits its turn


def test_percentiles_are_in_milliseconds():
    durations = RecentDurations()
    assert durations.percentiles_ms() == {}
    for index in range(1, 101):
        durations.add(index / 1000)
    assert durations.percentiles_ms()['p50'] == pytest.approx(50.5)
    assert set(durations.percentiles_ms()) == {'p50', 'p95', 'p99'}


def test_a_rate_needs_two_events():
    rate = RecentRate()
    rate.add(10.0)
    assert rate.per_second(10.0) == 0.0
    rate.add(10.1)
    assert rate.per_second(10.1) == pytest.approx(10.0)


def test_a_rate_is_that_of_the_last_seconds_and_ends_with_the_events():
    rate = RecentRate()
    times = [*np.arange(0.0, 10.0, 0.2), *np.arange(10.0, 15.0, 0.05)]
    for now in times:
        rate.add(float(now))
    assert rate.per_second(15.0) == pytest.approx(20.0)
    assert rate.per_second(17.0) == 0.0


def test_a_rate_begins_anew_when_time_goes_back():
    rate = RecentRate()
    for now in (100.0, 100.1, 100.2, 5.0):
        rate.add(now)
    assert rate.per_second(5.0) == 0.0
    rate.add(5.5)
    assert rate.per_second(5.5) == pytest.approx(2.0)


def test_events_at_one_instant_have_no_rate():
    rate = RecentRate()
    for _ in range(3):
        rate.add(7.0)  # simulated time stands still
    assert rate.per_second(7.0) == 0.0

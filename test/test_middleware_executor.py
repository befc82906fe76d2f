"""Spinning, waking, shutting down: the executor and the context of the embedded middleware."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from embedded_world import PATIENCE, World, world  # noqa: F401

from crodino_ros.middleware.embedded.context import Context
from crodino_ros.middleware.embedded.exceptions import (
    ExternalShutdownException,
    NotInitializedException,
    NotOfferedError,
)
from crodino_ros.middleware.embedded.executors import MultiThreadedExecutor
from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.node import Node
from crodino_ros.middleware.embedded.task import Future

String = interface('std_msgs/msg/String')

SPINNING = """
from crodino_ros.middleware.embedded import init, spin, try_shutdown
from crodino_ros.middleware.embedded.node import Node
from crodino_ros.middleware.embedded.exceptions import ExternalShutdownException
init(args=[])
node = Node('spinning')
node.create_guard_condition(lambda: print('ready', flush=True)).trigger()
try:
    spin(node)
    print('ended')
except (KeyboardInterrupt, ExternalShutdownException) as reason:
    print('ended')
node.destroy_node()
try_shutdown()
"""


def test_spin_once_gives_up_when_its_time_is_over(world: World):  # noqa: F811
    world.node()
    start = time.monotonic()
    world.executor.spin_once(0.0)
    world.executor.spin_once(0.02)
    assert time.monotonic() - start < PATIENCE


def test_spin_once_runs_one_callback(world: World):  # noqa: F811
    node, calls = world.node(), []
    guards = [node.create_guard_condition(lambda n=n: calls.append(n)) for n in range(2)]
    for guard in guards:
        guard.trigger()
    world.executor.spin_once(PATIENCE)
    assert len(calls) == 1
    world.executor.spin_once(PATIENCE)
    assert sorted(calls) == [0, 1]


def test_another_thread_can_wake_the_executor(world: World):  # noqa: F811
    node, seen = world.node(), []
    guard = node.create_guard_condition(lambda: seen.append(threading.current_thread()))
    thread = threading.Thread(target=guard.trigger)
    thread.start()
    world.until(lambda: seen)
    thread.join()
    assert seen == [threading.current_thread()]


def test_a_subscription_made_in_a_callback_is_served(world: World):  # noqa: F811
    node, seen = world.node(), []
    publisher = node.create_publisher(String, 'x', 10)
    guard = node.create_guard_condition(
        lambda: node.create_subscription(String, 'x', seen.append, 10)
    )
    guard.trigger()
    world.until(publisher.get_subscription_count)
    publisher.publish(String())
    world.until(lambda: seen)


def test_a_subscription_may_destroy_itself(world: World):  # noqa: F811
    node, seen = world.node(), []

    def callback(message) -> None:
        seen.append(message)
        node.destroy_subscription(subscription)

    subscription = node.create_subscription(String, 'x', callback, 10)
    publisher = node.create_publisher(String, 'x', 10)
    world.until(publisher.get_subscription_count)
    publisher.publish(String())
    publisher.publish(String())
    world.until(lambda: not publisher.get_subscription_count())
    assert len(seen) == 1


def test_a_timer_calls_back_every_period(world: World):  # noqa: F811
    node, ticks = world.node(), []
    timer = node.create_timer(0.005, lambda: ticks.append(time.monotonic()))
    world.until(lambda: len(ticks) == 3)
    assert ticks[2] - ticks[0] >= 0.005
    node.destroy_timer(timer)
    assert list(node.timers) == []


def test_an_exception_in_a_callback_comes_out_of_spin(world: World):  # noqa: F811
    def callback() -> None:
        raise ZeroDivisionError

    world.node().create_guard_condition(callback).trigger()
    with pytest.raises(ZeroDivisionError):
        world.executor.spin_once(PATIENCE)


def test_spinning_stops_when_the_future_is_done(world: World):  # noqa: F811
    future = Future()
    world.node().create_guard_condition(lambda: future.set_result(7)).trigger()
    world.executor.spin_until_future_complete(future, PATIENCE)
    assert future.result() == 7


def test_a_shutdown_in_a_callback_ends_spinning(world: World):  # noqa: F811
    node = world.node()
    node.create_guard_condition(world.context.shutdown).trigger()
    world.executor.spin()
    assert not world.context.ok()
    with pytest.raises(NotInitializedException):
        _ = world.context.participant


def test_a_shutdown_from_another_thread_ends_waiting(world: World):  # noqa: F811
    world.node()
    thread = threading.Thread(target=world.context.shutdown)
    with pytest.raises(ExternalShutdownException):
        thread.start()
        world.executor.spin_once()
    thread.join()


def test_a_context_can_be_opened_again(world: World):  # noqa: F811
    context = Context()
    for _ in range(2):
        context.init([], domain_id=world.domain_id)
        Node('again', context=context).create_publisher(String, 'x', 1)
        context.shutdown()
    with pytest.raises(RuntimeError, match='already shut down'):
        context.shutdown()
    with pytest.raises(NotInitializedException):
        Node('late', context=context)


def test_a_destroyed_node_can_be_destroyed_again(world: World):  # noqa: F811
    node = world.node()
    node.create_publisher(String, 'x', 1)
    node.destroy_node()
    node.destroy_node()
    assert node not in world.executor.get_nodes()
    assert node.get_name() not in world.node('other').get_node_names()


def test_what_is_not_offered_says_so(world: World):  # noqa: F811
    for call in (MultiThreadedExecutor, world.node().create_rate, world.executor.create_task):
        with pytest.raises(NotOfferedError, match='install ROS 2'):
            call()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_node(world: World, number):  # noqa: F811
    process = subprocess.Popen(
        [sys.executable, '-c', SPINNING],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == 'ready\n'
        process.send_signal(number)
        out, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert out == 'ended\n'
    assert process.returncode == 0

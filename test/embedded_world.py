"""A ROS graph inside the test process: nodes on the embedded middleware, and an executor.

Discovery is off (every process has its own DDS tag), so tests never hear each other.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip('cyclonedds')

from crodino_ros.middleware.embedded.context import Context
from crodino_ros.middleware.embedded.executors import SingleThreadedExecutor
from crodino_ros.middleware.embedded.lifecycle import LifecycleNode
from crodino_ros.middleware.embedded.node import Node

PATIENCE = 20.0
_domains = itertools.count(1)


class World:
    """One context with its nodes; what DDS delivers is awaited, never slept for."""

    def __init__(self, domain_id: int | None = None) -> None:
        self.domain_id = next(_domains) % 100 if domain_id is None else domain_id
        self.contexts: list[Context] = []
        self.context = self.join()
        self.executor = SingleThreadedExecutor(context=self.context)

    def join(self, args: list[str] | None = None) -> Context:
        """Return another participant in this graph, as another process would be."""
        context = Context()
        context.init(args or [], domain_id=self.domain_id)
        self.contexts.append(context)
        return context

    def node(
        self, name: str = 'node', *, args: str = '', lifecycle: bool = False, **how: Any
    ) -> Any:
        """Return a node that is being spun; `args` as after --ros-args."""
        kind = LifecycleNode if lifecycle else Node
        node = kind(name, context=self.context, cli_args=args.split(), **how)
        self.executor.add_node(node)
        return node

    def until(self, condition: Callable[[], object]) -> None:
        """Spin until the condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, 'it did not happen in time'
            self.executor.spin_once(0.01)

    def call(self, client: Any, request: Any) -> Any:
        """Return the response of a service."""
        self.until(client.service_is_ready)
        future = client.call_async(request)
        self.until(future.done)
        return future.result()

    def close(self) -> None:
        self.executor.shutdown()
        for context in self.contexts:
            context.try_shutdown()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Return a new graph of its own."""
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'OFF')
    for name in ('ROS_DOMAIN_ID', 'ROS_STATIC_PEERS', 'CYCLONEDDS_URI'):
        monkeypatch.delenv(name, raising=False)
    made = World()
    yield made
    made.close()

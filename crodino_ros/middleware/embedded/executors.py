"""One thread that waits for messages, timers and requests, and calls the callbacks."""

from __future__ import annotations

import ctypes
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from cyclonedds.core import DDSException, WaitSet

from crodino_ros.middleware.embedded.context import Context, get_default_context
from crodino_ros.middleware.embedded.exceptions import ExternalShutdownException, NotOfferedError
from crodino_ros.middleware.embedded.participant import delete
from crodino_ros.middleware.embedded.task import Future
from crodino_ros.middleware.embedded.time import ClockType
from crodino_ros.middleware.embedded.timer import Timer
from crodino_ros.middleware.embedded.waitable import GuardCondition, Waitable

if TYPE_CHECKING:
    from crodino_ros.middleware.embedded.node import Node

_SLICE_NS = 100_000_000
"""Longest wait in one piece: Python handles signals only in between."""


class SingleThreadedExecutor:
    """Runs the callbacks of its nodes, one at a time, in the thread that spins it."""

    def __init__(self, *, context: Context | None = None) -> None:
        self._context = context or get_default_context()
        self._nodes: list[Node] = []
        self._ready: deque[Waitable | Timer] = deque()
        self._attached: dict[int, Waitable] = {}
        self._tokens = 0
        self._is_shutdown = False
        self._lock = threading.Lock()
        participant = self._context.participant
        self._wait_set = WaitSet(participant.entity)
        self._wake = GuardCondition(participant, lambda: None)
        self._attach(self._wake)
        self._context.add_waker(self.wake)

    @property
    def context(self) -> Context:
        return self._context

    def add_node(self, node: Node) -> bool:
        """Serve this node too; False if it is already served."""
        if node in self._nodes:
            return False
        self._nodes.append(node)
        node.executor = self
        self.wake()
        return True

    def remove_node(self, node: Node) -> None:
        """Serve this node no longer."""
        if node in self._nodes:
            self._nodes.remove(node)
            node.executor = None
            self.wake()

    def get_nodes(self) -> list[Node]:
        return list(self._nodes)

    def wake(self) -> None:
        """End the current wait, to look at the nodes again; from any thread."""
        self._wake.trigger()

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Spin no more; the nodes live on."""
        if not self._is_shutdown:
            self._is_shutdown = True
            self.wake()
            self._context.remove_waker(self.wake)
            with self._lock:  # not while another thread waits
                for node in self.get_nodes():
                    self.remove_node(node)
                self._wake.destroy()
                delete(self._wait_set)
        return True

    def spin(self) -> None:
        """Run callbacks until shutdown."""
        while self._context.ok() and not self._is_shutdown:
            self.spin_once()

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Run one callback; wait for it up to `timeout_sec` (None or negative: for ever).

        Raises ExternalShutdownException where the context is shut down meanwhile.
        """
        deadline = None
        if timeout_sec is not None and timeout_sec >= 0:
            deadline = time.monotonic_ns() + int(timeout_sec * 1e9)
        with self._context.in_use():
            work = self._next(deadline)
            if work is not None:
                work.execute()

    def spin_until_future_complete(self, future: Future, timeout_sec: float | None = None) -> None:
        """Run callbacks until the future is done, the time is up or the context is shut down."""
        future.add_done_callback(lambda _: self.wake())
        end = None
        if timeout_sec is not None and timeout_sec >= 0:
            end = time.monotonic() + timeout_sec
        while self._context.ok() and not future.done() and not self._is_shutdown:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return
            self.spin_once(left)

    def create_task(self, *_: Any, **__: Any) -> Future:
        raise NotOfferedError('Executor.create_task (use a guard condition)')

    def _next(self, deadline_ns: int | None) -> Waitable | Timer | None:
        """The next piece of work, or None when the time is up."""
        while True:
            while self._ready:
                work = self._ready.popleft()
                if not work.destroyed and self._is_served(work):
                    return work
            if self._is_shutdown:
                return None
            if not self._context.ok():
                raise ExternalShutdownException()
            timeout = self._timeout(deadline_ns)
            with self._lock:
                if self._is_shutdown:
                    return None
                self._follow_nodes()
                woken = self._wait(timeout)
            self._ready.extend(t for node in self._nodes for t in node.timers if t.is_ready())
            self._ready.extend(woken)
            late = deadline_ns is not None and time.monotonic_ns() >= deadline_ns
            if late and not self._ready:
                return None
            if self._wake in self._ready:
                self._ready.remove(self._wake)
                self._wake.execute()

    def _is_served(self, work: Waitable | Timer) -> bool:
        return not isinstance(work, Timer) or not work.is_canceled()

    def _timeout(self, deadline_ns: int | None) -> int:
        """How long to wait for DDS, in nanoseconds."""
        ends = [_SLICE_NS]
        if deadline_ns is not None:
            ends.append(deadline_ns - time.monotonic_ns())
        for node in self._nodes:
            for timer in node.timers:
                left = timer.time_until_next_call()
                simulated = (
                    timer.clock.clock_type is ClockType.ROS_TIME and timer.clock.ros_time_is_active  # type: ignore[attr-defined]
                )
                if left is not None and not simulated:
                    ends.append(left)
        return max(0, min(ends))

    def _follow_nodes(self) -> None:
        """Attach what the nodes have gained, forget what they have lost."""
        wanted = {id(w): w for node in self._nodes for w in node.waitables()}
        wanted[id(self._wake)] = self._wake
        for token, waitable in list(self._attached.items()):
            if wanted.pop(id(waitable), None) is None or waitable.destroyed:
                del self._attached[token]
                if not waitable.destroyed:  # DDS itself detaches what is deleted
                    self._wait_set._waitset_detach(self._wait_set._ref, waitable.condition._ref)
        for waitable in wanted.values():
            if not waitable.destroyed:
                self._attach(waitable)

    def _attach(self, waitable: Waitable) -> None:
        self._tokens += 1
        code = self._wait_set._waitset_attach(
            self._wait_set._ref, waitable.condition._ref, self._tokens
        )
        if code < 0:
            raise DDSException(code, f'while attaching {waitable!r}')
        self._attached[self._tokens] = waitable

    def _wait(self, timeout_ns: int) -> list[Waitable]:
        """What woke the wait set, oldest attachment first."""
        room = len(self._attached)
        tokens = (ctypes.c_void_p * room)()
        found = self._wait_set._waitset_wait(
            self._wait_set._ref,
            ctypes.cast(tokens, ctypes.POINTER(ctypes.c_void_p)),
            room,
            timeout_ns,
        )
        if found < 0:
            raise DDSException(found, 'while waiting')
        woken = sorted(token for token in tokens[: min(found, room)] if token)
        return [self._attached[token] for token in woken if token in self._attached]


Executor = SingleThreadedExecutor


class MultiThreadedExecutor:
    """Not offered: our callbacks run one at a time."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise NotOfferedError('MultiThreadedExecutor')

"""What one `rclpy.init()` opens: arguments, DDS participant, graph, nodes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from crodino_ros.middleware.embedded import logging
from crodino_ros.middleware.embedded.arguments import Arguments, parse
from crodino_ros.middleware.embedded.exceptions import NotInitializedException, ROSArgumentsError
from crodino_ros.middleware.embedded.graph import Graph
from crodino_ros.middleware.embedded.participant import Participant, domain_id_from_environment

if TYPE_CHECKING:
    from crodino_ros.middleware.embedded.node import Node


class Context:
    """Open from `init` to `shutdown`; may be opened again.

    A shutdown that comes while an executor is at work (a signal, another thread, a callback)
    says so at once and takes things apart when the executor lets go.
    """

    def __init__(self) -> None:
        self.arguments = Arguments()
        self.nodes: list[Node] = []
        self._participant: Participant | None = None
        self._graph: Graph | None = None
        self._ok = False
        self._busy = 0
        self._closing = False
        self._lock = threading.RLock()
        self._wakers: list[Callable[[], None]] = []
        self._on_shutdown: list[Callable[[], Any]] = []

    def init(self, args: Sequence[str] | None = None, *, domain_id: int | None = None) -> None:
        """Join the ROS graph; `args` as `sys.argv` has them, None for those of the process."""
        with self._lock:
            if self._ok:
                raise RuntimeError('rclpy.init() must only be called once per context')
            self._close()
            self.arguments = parse(args)
            for name, level in self.arguments.log_levels:
                try:
                    severity = logging.get_logging_severity_from_string(level)
                except ValueError as error:
                    raise ROSArgumentsError(f'--log-level: {error}') from error
                logging.set_logger_level(name or '', severity)
            if domain_id is None:
                domain_id = domain_id_from_environment()
            self._participant = Participant(domain_id)
            self._graph = Graph(self._participant)
            self._ok, self._closing = True, False

    @property
    def participant(self) -> Participant:
        if self._participant is None:
            raise NotInitializedException()
        return self._participant

    @property
    def graph(self) -> Graph:
        if self._graph is None:
            raise NotInitializedException()
        return self._graph

    def ok(self) -> bool:
        """Whether it is open and nobody has asked to shut down."""
        return self._ok

    def on_shutdown(self, callback: Callable[[], Any]) -> None:
        """Call back once at shutdown."""
        self._on_shutdown.append(callback)

    def request_shutdown(self) -> None:
        """Say that it is over and wake every executor, but take nothing apart yet."""
        if not self._ok:
            return
        self._ok = False
        for wake in list(self._wakers):
            wake()
        callbacks, self._on_shutdown = self._on_shutdown, []
        for callback in callbacks:
            callback()

    def shutdown(self) -> None:
        """Leave the graph; RuntimeError if `init` was never called or all is done already."""
        if self._participant is None:
            raise RuntimeError('the context is not initialised, or already shut down')
        self.try_shutdown()

    def try_shutdown(self) -> None:
        """Leave the graph if we are in it."""
        self.request_shutdown()
        with self._lock:
            self._closing = True
            if not self._busy:
                self._close()

    def add_waker(self, wake: Callable[[], None]) -> None:
        """Have an executor woken at shutdown."""
        self._wakers.append(wake)

    def remove_waker(self, wake: Callable[[], None]) -> None:
        """Undo `add_waker`."""
        if wake in self._wakers:
            self._wakers.remove(wake)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While inside, nothing is taken apart."""
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1
                if self._closing and not self._busy:
                    self._close()

    def _close(self) -> None:
        for node in list(self.nodes):
            node.destroy_node()
        self._graph = None
        participant, self._participant = self._participant, None
        self._closing = False
        if participant is not None:
            participant.close()

    def __enter__(self) -> Context:
        if not self._ok:
            self.init()
        return self

    def __exit__(self, *_: object) -> None:
        self.try_shutdown()


_default = Context()


def get_default_context() -> Context:
    """The context of `rclpy.init()` without one."""
    return _default

"""A node as a process beside us: for the live demonstration and for the bench of the node."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from crodino_core.errors import CrodinoError
from crodino_ros.middleware import ExternalShutdownException, rclpy

NAMESPACE = f'/crodino_demo_{os.getpid()}'
"""Of our own nodes and of those beside us; two demonstrations in one domain do not mix."""
STOP_PATIENCE = 10.0
"""Seconds for a process to stop when it is told to."""
DEAF = ('/bin/sh', '-c', 'trap "" INT; exec "$@"', 'sh')
"""Runs a command that a Ctrl-C does not reach until its own handler is there: Python would print a
traceback from the middle of its imports."""


@contextmanager
def in_graph() -> Iterator[None]:
    """Join the ROS graph, and leave it with the block.

    :raises ExternalShutdownException: we were told to stop, by SIGINT or SIGTERM.
    :raises KeyboardInterrupt: the same, where the middleware was not at work.

    A Ctrl-C shuts the middleware down, and whoever spins is told. rclpy besides lets Python raise
    `KeyboardInterrupt` wherever it is: in the middle of `Popen.poll` that leaves a lock held for
    good, and the process would never be waited for. So that one is raised at the ends only.
    """
    noted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: noted.append(number))
    try:
        rclpy.init(args=[])  # after `signal`: it calls the handler that it finds
        try:
            if noted:
                raise KeyboardInterrupt
            yield
        except Exception as error:
            if rclpy.ok() and not noted:
                raise
            # rclpy stumbles over whatever it was doing when the middleware went away.
            raise ExternalShutdownException from error
        finally:
            rclpy.try_shutdown()
            # rclpy leaves them in place, and would not notice that `signal` takes them away below.
            rclpy.uninstall_signal_handlers()
        if noted:
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def node_process(module: str, arguments: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a node beside us; it is gone when the block is left."""
    command = [*DEAF, sys.executable, '-m', f'crodino_ros.{module}', '--ros-args']
    command += ['-r', f'__ns:={NAMESPACE}', '--log-level', 'error', *arguments]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def check_running(**processes: subprocess.Popen[bytes]) -> None:
    """Check, by module name, that nodes are still there.

    :raises CrodinoError: one has ended; its own words are on stderr.
    :raises KeyboardInterrupt: it was interrupted before it was deaf to that, and so were we.
    """
    for module, process in processes.items():
        if process.poll() == -signal.SIGINT:
            raise KeyboardInterrupt
        if process.poll() is not None:
            raise CrodinoError(
                f'{module} ended too early, with exit code {process.returncode}; '
                'what it said is above'
            )

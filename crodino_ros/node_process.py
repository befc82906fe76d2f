"""A node as a process beside us: for the live demonstration and for the bench of the node."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from crodino_core.errors import CrodinoError

NAMESPACE = f'/crodino_demo_{os.getpid()}'
"""Of our own nodes and of those beside us; two demonstrations in one domain do not mix."""
STOP_PATIENCE = 10.0
"""Seconds for a process to stop when it is told to."""
DEAF = ('/bin/sh', '-c', 'trap "" INT; exec "$@"', 'sh')
"""Runs a command that a Ctrl-C does not reach until its own handler is there: Python would print a
traceback from the middle of its imports."""


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

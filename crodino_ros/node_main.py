"""Running one node as a process: until it is interrupted, with one line for what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from crodino_core.errors import CrodinoError, UsageError
from crodino_ros.middleware import (
    ExternalShutdownException,
    InvalidParameterTypeException,
    InvalidParameterValueException,
    SingleThreadedExecutor,
    get_logger,
    rclpy,
)


def run_node(
    make: Callable[[], Any],
    args: Sequence[str] | None = None,
    until: Callable[[Any], bool] = lambda node: False,
) -> int:
    """Make a node and serve it until SIGINT, SIGTERM, or `until(node)`; return the exit code.

    :param args: the command line, None for that of the process.
    """
    try:
        rclpy.init(args=args)
    except (CrodinoError, RuntimeError) as error:  # the command line or a parameter file
        get_logger('crodino').fatal(' '.join(str(error).split()))
        return UsageError.exit_code
    node = None
    try:
        node = make()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while rclpy.ok() and not until(node):
            executor.spin_once()
    except CrodinoError as error:
        get_logger('crodino').fatal(str(error))
        return error.exit_code
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        get_logger('crodino').fatal(' '.join(str(error).split()))
        return UsageError.exit_code
    except RuntimeError as error:  # rclpy's RCLError is one
        if node is None and rclpy.ok():  # the domain, the name: what the node was started with
            get_logger('crodino').fatal(' '.join(str(error).split()))
            return UsageError.exit_code
        if rclpy.ok():  # else a callback was interrupted, and could publish no more
            raise
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        with suppress(KeyboardInterrupt):  # an impatient second one
            if node is not None:
                node.destroy_node()
            rclpy.try_shutdown()
    return 0

"""The small part of rclpy that our nodes use, over Cyclone DDS, for hosts without ROS 2.

Wire-compatible with ROS 2 Jazzy and rmw_cyclonedds; modules and names are rclpy's. What is not
offered raises NotOfferedError with a sentence. Discovery stays on this host unless
ROS_AUTOMATIC_DISCOVERY_RANGE says otherwise; ROS_DOMAIN_ID and CYCLONEDDS_URI are honoured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crodino_ros.middleware.embedded import logging as logging
from crodino_ros.middleware.embedded.context import Context, get_default_context
from crodino_ros.middleware.embedded.executors import SingleThreadedExecutor
from crodino_ros.middleware.embedded.node import Node
from crodino_ros.middleware.embedded.signals import (
    SignalHandlerOptions,
    install_signal_handlers,
    uninstall_signal_handlers,
)
from crodino_ros.middleware.embedded.task import Future

_executor: SingleThreadedExecutor | None = None


def init(
    *,
    args: Sequence[str] | None = None,
    context: Context | None = None,
    domain_id: int | None = None,
    signal_handler_options: SignalHandlerOptions | None = None,
) -> None:
    """Join the ROS graph. `args` None reads `sys.argv`; signals shut the default context down."""
    chosen = context or get_default_context()
    chosen.init(args, domain_id=domain_id)
    if signal_handler_options is None:
        is_default = chosen is get_default_context()
        signal_handler_options = (
            SignalHandlerOptions.ALL if is_default else SignalHandlerOptions.NO
        )
    if signal_handler_options:
        install_signal_handlers(signal_handler_options, chosen)


def ok(*, context: Context | None = None) -> bool:
    """Whether the context is open and nobody has asked to shut down."""
    return (context or get_default_context()).ok()


def shutdown(*, context: Context | None = None, uninstall_handlers: bool | None = None) -> None:
    """Leave the graph; RuntimeError if that is already done."""
    (context or get_default_context()).shutdown()
    _after_shutdown(context, uninstall_handlers)


def try_shutdown(
    *, context: Context | None = None, uninstall_handlers: bool | None = None
) -> None:
    """Leave the graph if we are in it."""
    (context or get_default_context()).try_shutdown()
    _after_shutdown(context, uninstall_handlers)


def create_node(node_name: str, **kwargs: Any) -> Node:
    """`Node(node_name, ...)`."""
    return Node(node_name, **kwargs)


def spin_once(
    node: Node,
    *,
    executor: SingleThreadedExecutor | None = None,
    timeout_sec: float | None = None,
) -> None:
    """Run one callback of `node`, waiting up to `timeout_sec` for it."""
    executor = executor or get_global_executor()
    added = executor.add_node(node)
    try:
        executor.spin_once(timeout_sec)
    finally:
        if added:
            executor.remove_node(node)


def spin(node: Node, executor: SingleThreadedExecutor | None = None) -> None:
    """Run the callbacks of `node` until shutdown."""
    executor = executor or get_global_executor()
    added = executor.add_node(node)
    try:
        executor.spin()
    finally:
        if added:
            executor.remove_node(node)


def spin_until_future_complete(
    node: Node,
    future: Future,
    executor: SingleThreadedExecutor | None = None,
    timeout_sec: float | None = None,
) -> None:
    """Run the callbacks of `node` until the future is done or the time is up."""
    executor = executor or get_global_executor()
    added = executor.add_node(node)
    try:
        executor.spin_until_future_complete(future, timeout_sec)
    finally:
        if added:
            executor.remove_node(node)


def get_global_executor() -> SingleThreadedExecutor:
    """The executor of `spin` without one."""
    global _executor
    if _executor is None:
        _executor = SingleThreadedExecutor()
        get_default_context().on_shutdown(_forget_executor)
    return _executor


def _forget_executor() -> None:
    global _executor
    _executor = None


def _after_shutdown(context: Context | None, uninstall_handlers: bool | None) -> None:
    if uninstall_handlers or (uninstall_handlers is None and context is None):
        uninstall_signal_handlers()


__all__ = [
    'Context',
    'Future',
    'Node',
    'SignalHandlerOptions',
    'create_node',
    'get_default_context',
    'get_global_executor',
    'init',
    'logging',
    'ok',
    'shutdown',
    'spin',
    'spin_once',
    'spin_until_future_complete',
    'try_shutdown',
]

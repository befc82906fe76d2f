"""SIGINT and SIGTERM shut the contexts down.

Python runs signal handlers between bytecodes of the main thread; the executor therefore never
waits longer than 0.1 s at a time.
"""

from __future__ import annotations

import signal
import threading
import weakref
from enum import IntEnum
from typing import Any

from crodino_ros.middleware.embedded.context import Context


class SignalHandlerOptions(IntEnum):
    NO = 0
    SIGINT = 1
    SIGTERM = 2
    ALL = 3


_contexts: weakref.WeakSet[Context] = weakref.WeakSet()
_previous: dict[int, Any] = {}


def install_signal_handlers(
    options: SignalHandlerOptions = SignalHandlerOptions.ALL, context: Context | None = None
) -> None:
    """Shut `context` down on the signals; where there is no main thread, do nothing."""
    if context is not None:
        _contexts.add(context)
    if threading.current_thread() is not threading.main_thread():
        return
    for bit, number in ((1, signal.SIGINT), (2, signal.SIGTERM)):
        if options & bit and number not in _previous:
            _previous[number] = signal.signal(number, _handle)


def uninstall_signal_handlers() -> None:
    """Put back the handlers that were there before."""
    if threading.current_thread() is threading.main_thread():
        while _previous:
            number, handler = _previous.popitem()
            signal.signal(number, handler)


def _handle(number: int, frame: Any) -> None:
    for context in list(_contexts):
        context.request_shutdown()
    previous = _previous.get(number)
    # Python's own would raise KeyboardInterrupt wherever the thread is, which inside a callback of
    # Cyclone's C code comes out as another exception; the spinning ends by the shutdown anyway.
    if callable(previous) and previous is not signal.default_int_handler:
        previous(number, frame)

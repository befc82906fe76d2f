"""What TensorRT says, kept for error messages: its calls return None and log the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crodino_core.errors import CrodinoError


def make_log(trt: Any) -> Any:
    """Return a logger for TensorRT that keeps its last error and its last warning."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.last_error = self.last_warning = ''

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.last_error = ' '.join(msg.split())
            elif severity == trt.ILogger.WARNING:
                self.last_warning = ' '.join(msg.split())

    return Log()


def reason(log: Any) -> str:
    """Return the last error, for the end of a sentence."""
    return f': {log.last_error}' if log.last_error else ''


def start(trt: Any, factory: Callable[[Any], Any], log: Any) -> Any:
    """Make a builder or a runtime.

    :raises CrodinoError: the library was imported, but cannot use the device or its CUDA. Then
        TensorRT returns nothing, which its bindings report as a TypeError, and only warns why.
    """
    try:
        return factory(log)
    except TypeError as error:
        why = log.last_error or log.last_warning or str(error)
        raise CrodinoError(
            f'TensorRT {trt.__version__} was imported but cannot start: {why}'
        ) from error

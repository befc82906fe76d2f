"""The result of a service call that has not come yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Future:
    """Holds a result or an exception once there is one; awaiting it is not offered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done = False
        self._cancelled = False
        self._result: Any = None
        self._exception: BaseException | None = None
        self._callbacks: list[Callable[[Future], Any]] = []

    def done(self) -> bool:
        return self._done

    def cancelled(self) -> bool:
        return self._cancelled

    def result(self) -> Any:
        """The result (None while there is none); raises the exception if that came instead."""
        if self._exception is not None:
            raise self._exception
        return self._result

    def exception(self) -> BaseException | None:
        return self._exception

    def set_result(self, result: Any) -> None:
        self._result = result
        self._finish()

    def set_exception(self, exception: BaseException) -> None:
        self._exception = exception
        self._finish()

    def cancel(self) -> None:
        if not self._done:
            self._cancelled = True
            self._finish()

    def add_done_callback(self, callback: Callable[[Future], Any]) -> None:
        """Call `callback(self)` when done: at once if it is already, else where it finishes."""
        with self._lock:
            if not self._done:
                self._callbacks.append(callback)
                return
        callback(self)

    def _finish(self) -> None:
        with self._lock:
            self._done = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

"""What an executor waits for, and runs when it is ready."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any, Protocol

from cyclonedds.core import DDSException
from cyclonedds.core import GuardCondition as DDSGuardCondition

from crodino_ros.middleware.embedded.exceptions import NotOfferedError
from crodino_ros.middleware.embedded.participant import Participant, delete


class Waitable(Protocol):
    """`condition` is the DDS entity that wakes the wait set; `execute` handles one event."""

    condition: Any
    destroyed: bool

    def execute(self) -> None:
        """Take what is there and call back."""


class GuardCondition:
    """Calls back in the executor's thread after `trigger()` from any thread."""

    def __init__(self, participant: Participant, callback: Any) -> None:
        self.condition: DDSGuardCondition = participant.guard()
        self.callback = plain_callback(callback)
        self.destroyed = False

    def trigger(self) -> None:
        """Have the callback called once, soon."""
        if not self.destroyed:
            with suppress(DDSException):  # after the end of the context there is nobody to wake
                self.condition.set(True)

    def execute(self) -> None:
        self.condition.take()
        self.callback()

    def destroy(self) -> None:
        if not self.destroyed:
            self.destroyed = True
            delete(self.condition)


def plain_callback(callback: Any) -> Any:
    """`callback`, unless it is something that we cannot call and be done with."""
    if inspect.iscoroutinefunction(callback):
        raise NotOfferedError('an `async def` callback')
    if not callable(callback):
        raise TypeError(f'the callback must be callable, not {callback!r}')
    return callback

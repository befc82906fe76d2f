"""Loggers with rclpy's calls (`once`, `throttle_duration_sec`, `skip_first`), on stderr.

One line each, as rcutils writes it: `[WARN] [1700000000.123456789] [node]: text`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any

Location = tuple[str, int]
Sink = Callable[[str, 'LoggingSeverity', str, int, Location], None]


class LoggingSeverity(IntEnum):
    UNSET = 0
    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40
    FATAL = 50


_COLOURS = {
    LoggingSeverity.DEBUG: '\033[32m',
    LoggingSeverity.WARN: '\033[33m',
    LoggingSeverity.ERROR: '\033[31m',
    LoggingSeverity.FATAL: '\033[31m',
}
_levels: dict[str, LoggingSeverity] = {'': LoggingSeverity.INFO}
_loggers: dict[str, Logger] = {}
_sinks: dict[str, Sink] = {}


def get_logger(name: str) -> Logger:
    """The logger of that name, the same object every time."""
    if name not in _loggers:
        _loggers[name] = Logger(name)
    return _loggers[name]


def set_logger_level(name: str, level: LoggingSeverity | int) -> None:
    """Lowest severity that this logger and those below it write; '' is the root."""
    _levels[name] = LoggingSeverity(level)


def get_logger_effective_level(name: str) -> LoggingSeverity:
    """The level set for this logger, or else for the nearest one above it."""
    while name:
        if _levels.get(name):
            return _levels[name]
        name = name.rpartition('.')[0]
    return _levels['']


def get_logging_severity_from_string(name: str) -> LoggingSeverity:
    """`info` -> INFO; ValueError lists the levels."""
    try:
        return LoggingSeverity[name.upper()]
    except KeyError:
        levels = ', '.join(level.name.lower() for level in LoggingSeverity)
        raise ValueError(f'{name!r} is no log level; say one of {levels}') from None


def add_sink(name: str, sink: Sink) -> None:
    """Also give every line of this logger, and of those below it, to `sink` (for /rosout)."""
    _sinks[name] = sink


def remove_sink(name: str) -> None:
    """Undo `add_sink`."""
    _sinks.pop(name, None)


class Logger:
    """Writes lines of at least its level; every call returns whether it wrote."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._calls: dict[Location, int] = {}
        self._last_ns: dict[Location, int] = {}

    def get_child(self, name: str) -> Logger:
        return get_logger(f'{self.name}.{name}' if self.name else name)

    def set_level(self, level: LoggingSeverity | int) -> None:
        set_logger_level(self.name, level)

    def get_effective_level(self) -> LoggingSeverity:
        return get_logger_effective_level(self.name)

    def is_enabled_for(self, severity: LoggingSeverity | int) -> bool:
        return severity >= self.get_effective_level()

    def debug(self, message: object, **how: Any) -> bool:
        return self._log(LoggingSeverity.DEBUG, message, **how)

    def info(self, message: object, **how: Any) -> bool:
        return self._log(LoggingSeverity.INFO, message, **how)

    def warning(self, message: object, **how: Any) -> bool:
        return self._log(LoggingSeverity.WARN, message, **how)

    warn = warning

    def error(self, message: object, **how: Any) -> bool:
        return self._log(LoggingSeverity.ERROR, message, **how)

    def fatal(self, message: object, **how: Any) -> bool:
        return self._log(LoggingSeverity.FATAL, message, **how)

    def _log(
        self,
        severity: LoggingSeverity,
        message: object,
        *,
        once: bool = False,
        skip_first: bool = False,
        throttle_duration_sec: float | None = None,
        throttle_time_source_type: Any = None,
    ) -> bool:
        """`once`, `skip_first` and the throttle count per calling line.

        The throttle runs on `throttle_time_source_type` (a Clock), by default the steady clock.
        """
        if not self.is_enabled_for(severity):
            return False
        caller = sys._getframe(2)
        where = (caller.f_code.co_filename, caller.f_lineno)
        if once or skip_first:
            self._calls[where] = self._calls.get(where, 0) + 1
            if (once and self._calls[where] > 1) or (skip_first and self._calls[where] == 1):
                return False
        if throttle_duration_sec is not None:
            clock = throttle_time_source_type
            now = time.monotonic_ns() if clock is None else clock.now().nanoseconds
            last = self._last_ns.get(where)
            if last is not None and 0 <= now - last < throttle_duration_sec * 1e9:
                return False
            self._last_ns[where] = now
        _write(self.name, severity, str(message), where)
        return True


def _write(name: str, severity: LoggingSeverity, text: str, where: Location) -> None:
    stamp = time.time_ns()
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    line = f'[{severity.name}] [{seconds}.{nanoseconds:09d}] [{name}]: {text}'
    colour = _COLOURS.get(severity) if sys.stderr.isatty() else None
    print(f'{colour}{line}\033[0m' if colour else line, file=sys.stderr, flush=True)
    owner = name
    while owner and owner not in _sinks:
        owner = owner.rpartition('.')[0]
    if owner:
        _sinks[owner](name, severity, text, stamp, where)

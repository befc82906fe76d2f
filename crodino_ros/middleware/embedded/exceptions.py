"""The exceptions of rclpy that our nodes and their callers meet."""

from __future__ import annotations

from typing import Any

from crodino_core.errors import CrodinoError


class NotOfferedError(CrodinoError, NotImplementedError):
    """Asked of the embedded middleware what only ROS 2 itself offers."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f'{what} is not offered by the embedded middleware; install ROS 2 (rclpy) for it'
        )


class ExternalShutdownException(Exception):
    """The context was shut down from outside (SIGTERM, another thread) while spinning."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*(args or ('the context was shut down from outside',)))


class NotInitializedException(Exception):
    """`rclpy.init()` has not been called, or the context is already shut down."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*(args or ('rclpy.init() has not been called, or after shutdown',)))


class NameValidationException(Exception):
    """A node, topic, service, namespace or parameter name breaks the naming rules."""

    def __init__(self, kind: str, name: str, reason: str) -> None:
        super().__init__(f'invalid {kind} {name!r}: {reason}')


class ROSArgumentsError(CrodinoError):
    """Something after --ros-args cannot be understood."""

    exit_code = 2


class ParameterException(Exception):
    """Base of the parameter errors."""

    def __init__(self, message: str, parameters: Any, *args: Any) -> None:
        super().__init__(message, parameters, *args)

    def __str__(self) -> str:
        return ': '.join(str(part) for part in self.args)


class ParameterNotDeclaredException(ParameterException):
    def __init__(self, parameters: Any) -> None:
        super().__init__('the parameter has not been declared', parameters)


class ParameterAlreadyDeclaredException(ParameterException):
    def __init__(self, parameters: Any) -> None:
        super().__init__('the parameter has already been declared', parameters)


class ParameterUninitializedException(ParameterException):
    def __init__(self, parameters: Any) -> None:
        super().__init__('the parameter has no value yet', parameters)


class ParameterImmutableException(ParameterException):
    def __init__(self, parameters: Any) -> None:
        super().__init__('the parameter is read-only', parameters)


class InvalidParameterTypeException(ParameterException):
    def __init__(self, parameter: Any, expected: str) -> None:
        super().__init__(
            f'the parameter {parameter.name} must be {expected}, not {parameter.type_.name}',
            parameter.name,
        )


class InvalidParameterValueException(ParameterException):
    def __init__(self, parameter: str, value: Any, reason: str) -> None:
        super().__init__(f'{value!r} is no valid value', parameter, reason)

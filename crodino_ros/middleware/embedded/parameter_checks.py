"""Whether a descriptor allows a value."""

from __future__ import annotations

import math
from typing import Any

from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.parameter import Parameter

_NOT_SET = Parameter.Type.NOT_SET
_REL_TOL = 1e-6


def objection(parameter: Parameter, descriptor: Any, *, declaring: bool, declared: bool) -> str:
    """Why the descriptor forbids this value; '' if it does not.

    `declaring` may write a read-only parameter; `declared` is whether it exists already.
    """
    if descriptor is None:
        return ''
    descriptor.name = parameter.name
    if descriptor.read_only and not declaring:
        return f'Trying to set a read-only parameter: {parameter.name}.'
    if descriptor.dynamic_typing:
        descriptor.type = parameter.type_.value
    elif parameter.type_ is _NOT_SET and declared:
        return 'Static parameter cannot be undeclared'
    elif parameter.type_ is not _NOT_SET and parameter.type_.value != descriptor.type:
        expected = Parameter.Type(descriptor.type).name
        return f'Wrong parameter type, expected {expected} got {parameter.type_.name}'
    if parameter.type_ is Parameter.Type.INTEGER and descriptor.integer_range:
        return _out_of_range(parameter, descriptor.integer_range[0])
    if parameter.type_ is Parameter.Type.DOUBLE and descriptor.floating_point_range:
        return _out_of_range(parameter, descriptor.floating_point_range[0])
    return ''


def set_result(reason: str = '') -> Any:
    """rcl_interfaces/msg/SetParametersResult: successful where there is no reason against."""
    return interface('rcl_interfaces/msg/SetParametersResult')(
        successful=not reason, reason=reason
    )


def _out_of_range(parameter: Parameter, limits: Any) -> str:
    """Why an IntegerRange or FloatingPointRange excludes the value; '' if it does not."""
    value = parameter.value
    low, high = sorted((limits.from_value, limits.to_value))
    if _close(value, low) or _close(value, high):
        return ''
    bounds = f'Min: {low}, Max: {high}, value: {value}'
    if not low < value < high:  # NaN is out of range too
        return f'Parameter {parameter.name} out of range. {bounds}'
    if limits.step:
        nearest = low + round((value - low) / limits.step) * limits.step
        if not _close(value, nearest):
            return (
                f'The parameter value for {parameter.name} is not a valid step. '
                f'{bounds}, step: {limits.step}'
            )
    return ''


def _close(a: float, b: float) -> bool:
    return a == b if isinstance(a, int) else math.isclose(a, b, rel_tol=_REL_TOL)

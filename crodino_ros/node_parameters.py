"""Parameters of a node as a table: declared with descriptors, checked, read as a mapping."""

from __future__ import annotations

import difflib
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crodino_core.errors import UsageError
from crodino_ros.middleware import Node
from crodino_ros.middleware.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

QOS_OVERRIDES = 'qos_overrides'
OF_THE_CLIENT_LIBRARY = ('use_sim_time', 'start_type_description_service', f'{QOS_OVERRIDES}.')
"""Parameters, or beginnings of their names, that rclpy itself declares."""


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter: what it means and which values it takes."""

    name: str
    default: Any
    description: str
    choices: tuple[str, ...] = ()
    limits: tuple[float, float] | None = None
    """Least and greatest value."""
    at_configure: bool = False
    """Read when the node is configured; another value is refused while it is."""
    read_only: bool = False

    def descriptor(self) -> Any:
        """The rcl_interfaces/msg/ParameterDescriptor."""
        described = ParameterDescriptor(
            name=self.name, description=self.description, read_only=self.read_only
        )
        if self.choices:
            described.additional_constraints = f'one of: {", ".join(self.choices)}'
        if self.limits is not None:
            low, high = self.limits
            if isinstance(self.default, float):
                described.floating_point_range = [
                    FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)
                ]
            else:
                described.integer_range = [
                    IntegerRange(from_value=int(low), to_value=int(high), step=0)
                ]
        return described


def declare(node: Node, specs: Iterable[ParameterSpec]) -> list[str]:
    """Declare every parameter; those of the command line and of files that fit none are named.

    rclpy raises where a given value has the wrong type or is out of range.

    :return: the names that fit none; each was logged.
    """
    known, unknown = [], []
    for spec in specs:
        node.declare_parameter(spec.name, spec.default, spec.descriptor())
        known.append(spec.name)
    for name in sorted(_given(node)):
        if name not in known and not name.startswith(OF_THE_CLIENT_LIBRARY):
            _warn_of_unknown(node, name, known)
            unknown.append(name)
    return unknown


def unused_qos_overrides(node: Node, known_before: Collection[str] = ()) -> list[str]:
    """Return the given QoS overrides that none of the node's topics has taken; each is logged.

    rclpy declares those of a topic when it makes the topic, and says nothing of the others; so
    this is for a node that has all its topics.

    :param known_before: those that were logged already.
    """
    known = [f'{QOS_OVERRIDES}.{name}' for name in node.get_parameters_by_prefix(QOS_OVERRIDES)]
    given = [name for name in _given(node) if name.startswith(f'{QOS_OVERRIDES}.')]
    unused = sorted(set(given) - set(known))
    for name in sorted(set(unused) - set(known_before)):
        _warn_of_unknown(node, name, known)
    return unused


def _given(node: Node) -> Collection[str]:
    """Return the names of all parameters that were given, on the command line or in files.

    rclpy has no public way to them; this attribute is there in Jazzy (7.1). Where a later one is
    without, parameters work as before, and those that are unknown go unnoticed, which is logged.
    """
    given: Collection[str] | None = getattr(node, '_parameter_overrides', None)
    if given is None:
        node.get_logger().warning(
            'this rclpy does not tell which parameters were given: unknown ones go unnoticed',
            once=True,
        )
        return ()
    return given


def _warn_of_unknown(node: Node, name: str, known: Sequence[str]) -> None:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean {close[0]!r}?' if close else f'known are: {", ".join(known)}'
    node.get_logger().warning(f'the parameter {name!r} is unknown and ignored; {hint}')


def values(node: Node, specs: Iterable[ParameterSpec]) -> dict[str, Any]:
    """The present value of every parameter."""
    return {spec.name: node.get_parameter(spec.name).value for spec in specs}


def same(first: Any, second: Any) -> bool:
    """Whether two values of a parameter are equal; sequences may be lists, tuples or arrays."""
    if isinstance(first, (list, tuple, array)) and isinstance(second, (list, tuple, array)):
        return list(first) == list(second)
    return bool(first == second)


def check_choices(specs: Iterable[ParameterSpec], given: Mapping[str, Any]) -> None:
    """Refuse a value that is none of the choices.

    :raises UsageError: names the choices.
    """
    for spec in specs:
        value = given.get(spec.name, spec.default)
        if spec.choices and value not in spec.choices:
            raise UsageError(
                f'{spec.name} is {value!r}; one of {", ".join(spec.choices)} was expected'
            )

"""One parameter: a name, a type and a value."""

from __future__ import annotations

import array
from enum import Enum
from typing import Any

from crodino_ros.middleware.embedded.interfaces import interface

PARAMETER_SEPARATOR_STRING = '.'
_FIELDS = {
    1: 'bool_value',
    2: 'integer_value',
    3: 'double_value',
    4: 'string_value',
    5: 'byte_array_value',
    6: 'bool_array_value',
    7: 'integer_array_value',
    8: 'double_array_value',
    9: 'string_array_value',
}
_SCALARS = {1: bool, 2: int, 3: float, 4: str}
_ELEMENTS = {5: bytes, 6: bool, 7: int, 8: float, 9: str}


class ParameterType(Enum):
    """Reached as `Parameter.Type`; values as in rcl_interfaces/msg/ParameterType."""

    NOT_SET = 0
    BOOL = 1
    INTEGER = 2
    DOUBLE = 3
    STRING = 4
    BYTE_ARRAY = 5
    BOOL_ARRAY = 6
    INTEGER_ARRAY = 7
    DOUBLE_ARRAY = 8
    STRING_ARRAY = 9

    @classmethod
    def from_parameter_value(cls, value: Any) -> ParameterType:
        """The type that holds `value`; TypeError if none does."""
        if value is None:
            return cls.NOT_SET
        for number, kind in _SCALARS.items():
            if isinstance(value, kind):
                return cls(number)
        if isinstance(value, (list, tuple, array.array)):
            for number, kind in _ELEMENTS.items():
                if all(isinstance(element, kind) for element in value):
                    return cls(number)
        raise TypeError(
            f'{value!r} is no parameter value; allowed are bool, int, float, str and lists of one'
        )

    def check(self, value: Any) -> bool:
        """Whether a parameter of this type can have `value`."""
        if self is ParameterType.NOT_SET:
            return value is None
        if self.value in _SCALARS:
            return isinstance(value, _SCALARS[self.value])
        return isinstance(value, (list, tuple, array.array)) and all(
            isinstance(element, _ELEMENTS[self.value]) for element in value
        )


class Parameter:
    """`Parameter('rate', value=10.0)`; the type follows from the value unless it is given."""

    Type = ParameterType

    def __init__(self, name: str, type_: ParameterType | None = None, value: Any = None) -> None:
        if type_ is None:
            type_ = ParameterType.from_parameter_value(value)
        if not type_.check(value):
            raise ValueError(f'the value {value!r} of {name} is not of type {type_.name}')
        self._name = name
        self._type = type_
        self._value = value

    @property
    def name(self) -> str:
        return self._name

    @property
    def type_(self) -> ParameterType:
        return self._type

    @property
    def value(self) -> Any:
        return self._value

    def __repr__(self) -> str:
        return f'Parameter({self.name!r}, {self.type_.name}, {self.value!r})'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parameter) and (self.name, self.type_, self.value) == (
            other.name,
            other.type_,
            other.value,
        )

    __hash__ = None  # type: ignore[assignment]

    def get_parameter_value(self) -> Any:
        """As rcl_interfaces/msg/ParameterValue."""
        message = interface('rcl_interfaces/msg/ParameterValue')(type=self.type_.value)
        if self.type_ is ParameterType.BYTE_ARRAY:
            message.byte_array_value = b''.join(self.value)
        elif self.type_ is not ParameterType.NOT_SET:
            setattr(message, _FIELDS[self.type_.value], self.value)
        return message

    def to_parameter_msg(self) -> Any:
        """As rcl_interfaces/msg/Parameter."""
        return interface('rcl_interfaces/msg/Parameter')(
            name=self.name, value=self.get_parameter_value()
        )

    @classmethod
    def from_parameter_msg(cls, message: Any) -> Parameter:
        """From rcl_interfaces/msg/Parameter."""
        return cls(
            message.name,
            ParameterType(message.value.type),
            parameter_value_to_python(message.value),
        )


def parameter_value_to_python(message: Any) -> Any:
    """The Python value in rcl_interfaces/msg/ParameterValue."""
    if message.type == ParameterType.NOT_SET.value:
        return None
    value = getattr(message, _FIELDS[message.type])
    if message.type == ParameterType.BYTE_ARRAY.value:
        return [bytes([byte & 0xFF]) for byte in value.tolist()]
    return value.tolist() if hasattr(value, 'tolist') else value

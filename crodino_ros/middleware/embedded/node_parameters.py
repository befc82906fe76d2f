"""The parameters of a node: declaring, checking, setting, listing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from crodino_ros.middleware.embedded.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    NameValidationException,
    ParameterAlreadyDeclaredException,
    ParameterNotDeclaredException,
    ParameterUninitializedException,
)
from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.parameter import (
    PARAMETER_SEPARATOR_STRING,
    Parameter,
    ParameterType,
)
from crodino_ros.middleware.embedded.parameter_checks import objection, set_result

_NAME = re.compile(r'[^\s.]+(\.[^\s.]+)*')
_NOT_SET = Parameter.Type.NOT_SET

OnSet = Callable[[list[Parameter]], Any]


class NodeParameters:
    """The part of `Node` that is about parameters; methods as in rclpy."""

    _parameter_overrides: dict[str, Parameter]
    _allow_undeclared_parameters: bool

    def _init_parameters(self, overrides: dict[str, Any], allow_undeclared: bool) -> None:
        self._parameters: dict[str, Parameter] = {}
        self._descriptors: dict[str, Any] = {}
        self._parameter_overrides = {n: Parameter(n, value=v) for n, v in overrides.items()}
        self._allow_undeclared_parameters = allow_undeclared
        self._on_callbacks: list[OnSet] = []
        self._post_callbacks: list[OnSet] = []

    def _publish_parameter_event(self, **changes: list[Any]) -> None:
        raise NotImplementedError

    # Declaring

    def declare_parameter(
        self,
        name: str,
        value: Any = None,
        descriptor: Any = None,
        ignore_override: bool = False,
    ) -> Parameter:
        """Declare a parameter with a default value, or with a `Parameter.Type` and no value.

        The command line and parameter files override the default. Raises
        ParameterAlreadyDeclaredException, InvalidParameterTypeException (an override of another
        type) or InvalidParameterValueException (out of range, or refused by a callback).
        """
        if not _NAME.fullmatch(name):
            raise NameValidationException('parameter name', name, 'no blanks, single dots')
        if name in self._parameters:
            raise ParameterAlreadyDeclaredException([name])
        descriptor = descriptor or interface('rcl_interfaces/msg/ParameterDescriptor')()
        if isinstance(value, Parameter.Type):
            declared, value = value, None
        else:
            declared = Parameter.Type.from_parameter_value(value)
        if not descriptor.dynamic_typing:
            if declared is _NOT_SET:
                raise ValueError(
                    f'the parameter {name} needs a default value, a Parameter.Type, or a '
                    'descriptor with dynamic_typing'
                )
            descriptor.type = declared.value
        if not ignore_override and name in self._parameter_overrides:
            value = self._parameter_overrides[name].value
            if isinstance(value, (list, tuple)) and not value:
                declared_array = declared.value >= Parameter.Type.BYTE_ARRAY.value
                parameter = Parameter(name, declared if declared_array else None, value)
            else:
                parameter = Parameter(name, value=value)
        else:
            parameter = Parameter(name, None if value is None else declared, value)
        result = self._store([parameter], {name: descriptor})
        if not result.successful:
            if result.reason.startswith('Wrong parameter type'):
                raise InvalidParameterTypeException(parameter, declared.name)
            raise InvalidParameterValueException(name, parameter.value, result.reason)
        return self._parameters[name]

    def declare_parameters(
        self,
        namespace: str,
        parameters: Sequence[tuple[Any, ...]],
        ignore_override: bool = False,
    ) -> list[Parameter]:
        """Declare (name, value or type[, descriptor]) tuples below a namespace."""
        prefix = f'{namespace}.' if namespace else ''
        return [
            self.declare_parameter(
                f'{prefix}{entry[0]}',
                entry[1] if len(entry) > 1 else None,
                entry[2] if len(entry) > 2 else None,
                ignore_override,
            )
            for entry in parameters
        ]

    # Reading

    def has_parameter(self, name: str) -> bool:
        return name in self._parameters

    def get_parameter(self, name: str) -> Parameter:
        """The parameter; raises where it is not declared, or has a type and no value yet."""
        if name not in self._parameters and self._allow_undeclared_parameters:
            return Parameter(name)
        self._require(name)
        parameter = self._parameters[name]
        if parameter.type_ is _NOT_SET and not self._descriptors[name].dynamic_typing:
            raise ParameterUninitializedException(name)
        return parameter

    def get_parameters(self, names: Sequence[str]) -> list[Parameter]:
        return [self.get_parameter(name) for name in names]

    def get_parameter_or(self, name: str, alternative_value: Any = None) -> Parameter:
        """The parameter if it has a value, else the alternative."""
        parameter = self._parameters.get(name)
        if parameter is not None and parameter.type_ is not _NOT_SET:
            return parameter
        return alternative_value or Parameter(name)

    def get_parameters_by_prefix(self, prefix: str) -> dict[str, Parameter]:
        """Parameters below `prefix.`, by the rest of their names."""
        start = f'{prefix}{PARAMETER_SEPARATOR_STRING}' if prefix else ''
        return {n[len(start) :]: p for n, p in self._parameters.items() if n.startswith(start)}

    def get_parameter_type(self, name: str) -> ParameterType:
        if name not in self._parameters and self._allow_undeclared_parameters:
            return _NOT_SET
        self._require(name)
        return self._parameters[name].type_

    def get_parameter_types(self, names: Sequence[str]) -> list[ParameterType]:
        return [self.get_parameter_type(name) for name in names]

    def describe_parameter(self, name: str) -> Any:
        """The rcl_interfaces/msg/ParameterDescriptor."""
        if name not in self._descriptors and self._allow_undeclared_parameters:
            return interface('rcl_interfaces/msg/ParameterDescriptor')()
        self._require(name)
        return self._descriptors[name]

    def describe_parameters(self, names: Sequence[str]) -> list[Any]:
        return [self.describe_parameter(name) for name in names]

    def list_parameters(self, prefixes: Sequence[str], depth: int) -> Any:
        """rcl_interfaces/msg/ListParametersResult; `depth` 0 lists all levels."""
        result = interface('rcl_interfaces/msg/ListParametersResult')()
        for name in self._parameters:
            below = [
                name[len(prefix) + 1 :]
                for prefix in prefixes
                if name == prefix or name.startswith(f'{prefix}.')
            ]
            if prefixes and not below:
                continue
            rests = below or [name]
            if depth and all(rest.count('.') >= depth for rest in rests):
                continue
            result.names.append(name)
            parent = name.rpartition('.')[0]
            if parent and parent not in result.prefixes:
                result.prefixes.append(parent)
        return result

    # Setting

    def set_parameters(self, parameter_list: Sequence[Parameter]) -> list[Any]:
        """Set each on its own; one rcl_interfaces/msg/SetParametersResult for each."""
        return [self.set_parameters_atomically([parameter]) for parameter in parameter_list]

    def set_parameters_atomically(self, parameter_list: Sequence[Parameter]) -> Any:
        """Set all of them or none; rcl_interfaces/msg/SetParametersResult."""
        parameters = list(parameter_list)
        if not parameters:
            return set_result('the parameter list is empty')
        if not self._allow_undeclared_parameters:
            for parameter in parameters:
                self._require(parameter.name)
        return self._store(parameters, None)

    def add_on_set_parameters_callback(self, callback: OnSet) -> None:
        """`callback(parameters) -> SetParametersResult` may refuse, with the reason."""
        self._on_callbacks.insert(0, callback)

    def add_post_set_parameters_callback(self, callback: OnSet) -> None:
        """`callback(parameters)` after they are set."""
        self._post_callbacks.insert(0, callback)

    def _require(self, name: str) -> None:
        if name not in self._parameters:
            raise ParameterNotDeclaredException(name)

    def _store(self, parameters: list[Parameter], descriptors: dict[str, Any] | None) -> Any:
        """Check and set; `descriptors` come with a declaration, which may write read-only."""
        for parameter in parameters:
            descriptor = (descriptors or self._descriptors).get(parameter.name)
            reason = objection(
                parameter,
                descriptor,
                declaring=descriptors is not None,
                declared=parameter.name in self._parameters,
            )
            if reason:
                return set_result(reason)
        for callback in self._on_callbacks:
            result = callback(parameters)
            if not result.successful:
                return result
        changes: dict[str, list[Any]] = {'new': [], 'changed': [], 'deleted': []}
        for parameter in parameters:
            self._store_one(parameter, descriptors, changes)
        self._publish_parameter_event(**changes)
        for callback in self._post_callbacks:
            callback(parameters)
        return set_result()

    def _store_one(
        self,
        parameter: Parameter,
        descriptors: dict[str, Any] | None,
        changes: dict[str, list[Any]],
    ) -> None:
        name = parameter.name
        if descriptors is None and parameter.type_ is _NOT_SET:
            self._parameters.pop(name, None)
            self._descriptors.pop(name, None)
            changes['deleted'].append(parameter.to_parameter_msg())
            return
        if descriptors is not None:
            self._descriptors[name] = descriptors[name]
        elif name not in self._descriptors:
            self._descriptors[name] = interface('rcl_interfaces/msg/ParameterDescriptor')(
                name=name, type=parameter.type_.value, dynamic_typing=True
            )
        known = self.get_parameter_or(name).type_ is not _NOT_SET
        changes['changed' if known else 'new'].append(parameter.to_parameter_msg())
        self._parameters[name] = parameter

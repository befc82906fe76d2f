"""The services behind `ros2 param`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crodino_ros.middleware.embedded.exceptions import ParameterException
from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.parameter import Parameter
from crodino_ros.middleware.embedded.qos import qos_profile_parameters

if TYPE_CHECKING:
    from crodino_ros.middleware.embedded.node import Node


class ParameterService:
    """Answers for the parameters of one node; a name that is not declared empties the answer."""

    def __init__(self, node: Node) -> None:
        self._node = node
        for service, callback in (
            ('DescribeParameters', self._describe),
            ('GetParameters', self._get),
            ('GetParameterTypes', self._get_types),
            ('ListParameters', self._list),
            ('SetParameters', self._set),
            ('SetParametersAtomically', self._set_atomically),
        ):
            name = ''.join(f'_{c.lower()}' if c.isupper() else c for c in service).lstrip('_')
            node.create_service(
                interface(f'rcl_interfaces/srv/{service}'),
                f'~/{name}',
                callback,
                qos_profile=qos_profile_parameters,
            )

    def _describe(self, request: Any, response: Any) -> Any:
        try:
            response.descriptors = self._node.describe_parameters(request.names)
        except ParameterException:
            response.descriptors = []
        return response

    def _get(self, request: Any, response: Any) -> Any:
        try:
            parameters = self._node.get_parameters(request.names)
            response.values = [p.get_parameter_value() for p in parameters]
        except ParameterException:
            response.values = []
        return response

    def _get_types(self, request: Any, response: Any) -> Any:
        try:
            response.types = [t.value for t in self._node.get_parameter_types(request.names)]
        except ParameterException:
            response.types = []
        return response

    def _list(self, request: Any, response: Any) -> Any:
        response.result = self._node.list_parameters(request.prefixes, request.depth)
        return response

    def _set(self, request: Any, response: Any) -> Any:
        response.results = [self._try_to_set([message]) for message in request.parameters]
        return response

    def _set_atomically(self, request: Any, response: Any) -> Any:
        response.result = self._try_to_set(request.parameters)
        return response

    def _try_to_set(self, messages: list[Any]) -> Any:
        try:
            parameters = [Parameter.from_parameter_msg(message) for message in messages]
            return self._node.set_parameters_atomically(parameters)
        except (ParameterException, ValueError) as error:
            return interface('rcl_interfaces/msg/SetParametersResult')(
                successful=False, reason=str(error)
            )

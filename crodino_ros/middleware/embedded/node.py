"""A node: the owner of publishers, subscriptions, services, timers and parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from crodino_ros.middleware.embedded import logging
from crodino_ros.middleware.embedded.arguments import Arguments, parse
from crodino_ros.middleware.embedded.callback_groups import (
    CallbackGroup,
    MutuallyExclusiveCallbackGroup,
)
from crodino_ros.middleware.embedded.clock import Clock, ROSClock
from crodino_ros.middleware.embedded.context import Context, get_default_context
from crodino_ros.middleware.embedded.event_handler import (
    PublisherEventCallbacks,
    SubscriptionEventCallbacks,
)
from crodino_ros.middleware.embedded.exceptions import (
    NotInitializedException,
    NotOfferedError,
    ROSArgumentsError,
)
from crodino_ros.middleware.embedded.graph import TopicEndpointInfo
from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.names import Remapper
from crodino_ros.middleware.embedded.node_parameters import NodeParameters
from crodino_ros.middleware.embedded.parameter import Parameter
from crodino_ros.middleware.embedded.parameter_service import ParameterService
from crodino_ros.middleware.embedded.publisher import Publisher
from crodino_ros.middleware.embedded.qos import (
    QoSProfile,
    as_profile,
    qos_profile_parameter_events,
    qos_profile_services_default,
)
from crodino_ros.middleware.embedded.qos_overriding_options import (
    QoSOverridingOptions,
    overridden,
)
from crodino_ros.middleware.embedded.rosout import Rosout
from crodino_ros.middleware.embedded.service import Client, Service
from crodino_ros.middleware.embedded.subscription import Subscription
from crodino_ros.middleware.embedded.time_source import TimeSource
from crodino_ros.middleware.embedded.timer import Timer
from crodino_ros.middleware.embedded.waitable import GuardCondition, Waitable

if TYPE_CHECKING:
    from crodino_ros.middleware.embedded.executors import SingleThreadedExecutor


class Node(NodeParameters):
    """`Node('name')` joins the graph; arguments and methods as in rclpy."""

    def __init__(
        self,
        node_name: str,
        *,
        context: Context | None = None,
        cli_args: list[str] | None = None,
        namespace: str | None = None,
        use_global_arguments: bool = True,
        enable_rosout: bool = True,
        start_parameter_services: bool = True,
        parameter_overrides: list[Parameter] | None = None,
        allow_undeclared_parameters: bool = False,
        automatically_declare_parameters_from_overrides: bool = False,
        enable_logger_service: bool = False,
    ) -> None:
        if enable_logger_service:
            raise NotOfferedError('enable_logger_service')
        self.context = context or get_default_context()
        if not self.context.ok():
            raise NotInitializedException()
        arguments = _arguments(self.context, cli_args, use_global_arguments)
        namespace = '/' + (namespace or '').strip('/')
        self._names = Remapper(arguments.remaps, node_name, namespace)
        self.key = (self._names.node_name, self._names.namespace)
        self.executor: SingleThreadedExecutor | None = None
        self.default_callback_group: CallbackGroup = MutuallyExclusiveCallbackGroup()
        self._publishers: list[Publisher] = []
        self._subscriptions: list[Subscription] = []
        self._services: list[Service] = []
        self._clients: list[Client] = []
        self._timers: list[Timer] = []
        self._guards: list[GuardCondition] = []
        self._destroyed = False
        self._clock = ROSClock()
        self._logger = logging.get_logger(self.get_fully_qualified_name()[1:].replace('/', '.'))
        overrides = _checked(arguments.overrides(*self.key))
        overrides.update({p.name: p.value for p in parameter_overrides or []})
        self._init_parameters(overrides, allow_undeclared_parameters)

        self.context.nodes.append(self)
        self.context.graph.add_node(*self.key)
        self._rosout = Rosout(self) if enable_rosout else None
        self._parameter_events = self.create_publisher(
            interface('rcl_interfaces/msg/ParameterEvent'),
            '/parameter_events',
            qos_profile_parameter_events,
        )
        if automatically_declare_parameters_from_overrides:
            for name, parameter in list(self._parameter_overrides.items()):
                self.declare_parameter(name, parameter.value)
        self._time_source = TimeSource(self, self._clock)
        if start_parameter_services:
            self._parameter_service = ParameterService(self)

    # Who it is

    def get_name(self) -> str:
        return self._names.node_name

    def get_namespace(self) -> str:
        return self._names.namespace

    def get_fully_qualified_name(self) -> str:
        return f'{self.get_namespace().rstrip("/")}/{self.get_name()}'

    def get_logger(self) -> logging.Logger:
        return self._logger

    def get_clock(self) -> Clock:
        return self._clock

    def resolve_topic_name(self, topic: str, *, only_expand: bool = False) -> str:
        """The absolute name after expansion and (unless `only_expand`) remapping."""
        return self._names.resolve(topic, only_expand)

    def resolve_service_name(self, service: str, *, only_expand: bool = False) -> str:
        """The absolute name after expansion and (unless `only_expand`) remapping."""
        return self._names.resolve(service, only_expand)

    # What it owns

    def create_publisher(
        self,
        msg_type: Any,
        topic: str,
        qos_profile: QoSProfile | int,
        *,
        callback_group: CallbackGroup | None = None,
        event_callbacks: PublisherEventCallbacks | None = None,
        qos_overriding_options: QoSOverridingOptions | None = None,
        publisher_class: Any = Publisher,
    ) -> Any:
        """Publish `msg_type` on `topic`."""
        name = self.resolve_topic_name(topic)
        profile = as_profile(qos_profile)
        if qos_overriding_options is not None:
            profile = overridden(self, profile, name, 'publisher', qos_overriding_options)
        publisher = publisher_class(self, msg_type, name, profile, event_callbacks)
        return self._own(self._publishers, publisher)

    def create_subscription(
        self,
        msg_type: Any,
        topic: str,
        callback: Callable[..., Any],
        qos_profile: QoSProfile | int,
        *,
        callback_group: CallbackGroup | None = None,
        event_callbacks: SubscriptionEventCallbacks | None = None,
        qos_overriding_options: QoSOverridingOptions | None = None,
        raw: bool = False,
    ) -> Subscription:
        """Call `callback(message)` for what is published on `topic`."""
        name = self.resolve_topic_name(topic)
        profile = as_profile(qos_profile)
        if qos_overriding_options is not None:
            profile = overridden(self, profile, name, 'subscription', qos_overriding_options)
        subscription = Subscription(self, msg_type, name, callback, profile, event_callbacks, raw)
        return self._own(self._subscriptions, subscription)

    def create_service(
        self,
        srv_type: Any,
        srv_name: str,
        callback: Callable[[Any, Any], Any],
        *,
        qos_profile: QoSProfile = qos_profile_services_default,
        callback_group: CallbackGroup | None = None,
    ) -> Service:
        """Answer `srv_type` requests with `callback(request, response) -> response`."""
        name = self.resolve_service_name(srv_name)
        return self._own(self._services, Service(self, srv_type, name, callback, qos_profile))

    def create_client(
        self,
        srv_type: Any,
        srv_name: str,
        *,
        qos_profile: QoSProfile = qos_profile_services_default,
        callback_group: CallbackGroup | None = None,
    ) -> Client:
        """Call a service."""
        name = self.resolve_service_name(srv_name)
        return self._own(self._clients, Client(self, srv_type, name, qos_profile))

    def create_timer(
        self,
        timer_period_sec: float,
        callback: Callable[[], Any],
        callback_group: CallbackGroup | None = None,
        clock: Clock | None = None,
        autostart: bool = True,
    ) -> Timer:
        """Call back every period of `clock`, by default this node's (ROS time)."""
        period_ns = int(timer_period_sec * 1e9)
        return self._own(self._timers, Timer(callback, period_ns, clock or self._clock, autostart))

    def create_guard_condition(
        self, callback: Callable[[], Any], callback_group: CallbackGroup | None = None
    ) -> GuardCondition:
        """Have another thread trigger `callback` in the executor's thread."""
        return self._own(self._guards, GuardCondition(self.context.participant, callback))

    def create_rate(self, *_: Any, **__: Any) -> Any:
        raise NotOfferedError('Node.create_rate (it blocks; use a timer)')

    def destroy_publisher(self, publisher: Publisher) -> bool:
        return self._disown(self._publishers, publisher)

    def destroy_subscription(self, subscription: Subscription) -> bool:
        return self._disown(self._subscriptions, subscription)

    def destroy_service(self, service: Service) -> bool:
        return self._disown(self._services, service)

    def destroy_timer(self, timer: Timer) -> bool:
        return self._disown(self._timers, timer)

    def destroy_node(self) -> None:
        """Leave the graph with all that it owns; safe to call again."""
        if self._destroyed:
            return
        self._destroyed = True
        if self.executor is not None:
            self.executor.remove_node(self)
        if self._rosout is not None:
            self._rosout.close()
        self.context.nodes.remove(self)
        for kind in (
            *(self._timers, self._guards, self._subscriptions, self._services),
            *(self._clients, self._publishers),
        ):
            while kind:
                kind.pop().destroy()  # type: ignore[attr-defined]
        self.context.graph.remove_node(*self.key)

    @property
    def timers(self) -> Iterator[Timer]:
        return iter(list(self._timers))

    def waitables(self) -> Iterator[Waitable]:
        """Everything but the timers that an executor waits for."""
        for subscription in list(self._subscriptions):
            yield subscription.events
            yield subscription
        for publisher in list(self._publishers):
            yield publisher.events
        yield from list(self._guards)
        yield from list(self._clients)
        yield from list(self._services)

    # The graph around it

    def get_node_names(self) -> list[str]:
        return [name for name, _ in self.context.graph.node_names()]

    def get_node_names_and_namespaces(self) -> list[tuple[str, str]]:
        return self.context.graph.node_names()

    def get_topic_names_and_types(self) -> list[tuple[str, list[str]]]:
        topics = self.context.graph.topics()
        return [(name, sorted(types)) for name, types in sorted(topics.items())]

    def get_publishers_info_by_topic(self, topic_name: str) -> list[TopicEndpointInfo]:
        """Every publisher on a topic, whatever its type: for explaining silence."""
        return self.context.graph.publishers(self.resolve_topic_name(topic_name))

    def get_subscriptions_info_by_topic(self, topic_name: str) -> list[TopicEndpointInfo]:
        return self.context.graph.subscriptions(self.resolve_topic_name(topic_name))

    def count_publishers(self, topic_name: str) -> int:
        return len(self.get_publishers_info_by_topic(topic_name))

    def count_subscribers(self, topic_name: str) -> int:
        return len(self.get_subscriptions_info_by_topic(topic_name))

    def _own(self, kind: list[Any], entity: Any) -> Any:
        kind.append(entity)
        if self.executor is not None:
            self.executor.wake()
        return entity

    def _disown(self, kind: list[Any], entity: Any) -> bool:
        if entity not in kind:
            return False
        kind.remove(entity)
        entity.destroy()
        if self.executor is not None:
            self.executor.wake()
        return True

    def _publish_parameter_event(self, **changes: list[Any]) -> None:
        event = interface('rcl_interfaces/msg/ParameterEvent')(
            stamp=self._clock.now().to_msg(),
            node=self.get_fully_qualified_name(),
            new_parameters=changes['new'],
            changed_parameters=changes['changed'],
            deleted_parameters=changes['deleted'],
        )
        self._parameter_events.publish(event)


def _arguments(context: Context, cli_args: list[str] | None, use_global: bool) -> Arguments:
    """The node's own arguments and those of the process; the node's own come first."""
    own = parse(['--ros-args', *(a for a in cli_args or [] if a != '--ros-args')])
    if use_global:
        own.remaps += context.arguments.remaps
        own.parameters = context.arguments.parameters + own.parameters
    return own


def _checked(overrides: dict[str, Any]) -> dict[str, Any]:
    """Refuse what the command line or a file gives and no parameter can be."""
    for name, value in overrides.items():
        if value is None:
            raise ROSArgumentsError(f'the parameter {name} is given without a value')
        try:
            Parameter(name, value=value)
        except TypeError as error:
            raise ROSArgumentsError(f'the parameter {name} cannot be set: {error}') from error
    return overrides

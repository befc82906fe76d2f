"""QoS that a parameter may override: `qos_overrides./topic.subscription.reliability`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from crodino_ros.middleware.embedded.duration import Duration
from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
)

if TYPE_CHECKING:
    from crodino_ros.middleware.embedded.node import Node

_ENUMS: dict[QoSPolicyKind, Any] = {
    QoSPolicyKind.DURABILITY: DurabilityPolicy,
    QoSPolicyKind.HISTORY: HistoryPolicy,
    QoSPolicyKind.LIVELINESS: LivelinessPolicy,
    QoSPolicyKind.RELIABILITY: ReliabilityPolicy,
}
_DURATIONS = (
    QoSPolicyKind.DEADLINE,
    QoSPolicyKind.LIFESPAN,
    QoSPolicyKind.LIVELINESS_LEASE_DURATION,
)


class InvalidQosOverridesError(Exception):
    """The overriding parameters give a profile that the callback, or the policy, refuses."""


class QoSOverridingOptions:
    """Which policies may be overridden; `callback(profile)` may refuse the outcome."""

    def __init__(
        self,
        policy_kinds: Iterable[QoSPolicyKind],
        *,
        callback: Callable[[QoSProfile], Any] | None = None,
        entity_id: str | None = None,
    ) -> None:
        self.policy_kinds = tuple(policy_kinds)
        self.callback = callback
        self.entity_id = entity_id

    @classmethod
    def with_default_policies(
        cls,
        *,
        callback: Callable[[QoSProfile], Any] | None = None,
        entity_id: str | None = None,
    ) -> QoSOverridingOptions:
        """History, depth and reliability."""
        kinds = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY)
        return cls(kinds, callback=callback, entity_id=entity_id)


def overridden(
    node: Node, profile: QoSProfile, topic: str, entity: str, options: QoSOverridingOptions
) -> QoSProfile:
    """The profile after the node's overriding parameters, which this declares.

    `entity` is 'publisher' or 'subscription', `topic` the resolved name.
    """
    profile = copy.copy(profile)
    suffix = f'_{options.entity_id}' if options.entity_id else ''
    for kind in options.policy_kinds:
        if kind is QoSPolicyKind.LIFESPAN and entity == 'subscription':
            continue
        policy = kind.name.lower()
        name = f'qos_overrides.{topic}.{entity}{suffix}.{policy}'
        if not node.has_parameter(name):
            descriptor = interface('rcl_interfaces/msg/ParameterDescriptor')(
                description=f'{policy} for {entity} `{topic}` with id `{options.entity_id}`',
                read_only=True,
            )
            node.declare_parameter(name, _as_parameter(getattr(profile, policy)), descriptor)
        setattr(profile, policy, _from_parameter(kind, node.get_parameter(name).value, name))
    if options.callback is not None:
        result = options.callback(profile)
        if not result.successful:
            raise InvalidQosOverridesError(
                f'the QoS overrides for the {entity} on {topic} are refused: {result.reason}'
            )
    return profile


def _as_parameter(value: Any) -> Any:
    if isinstance(value, Duration):
        return value.nanoseconds
    return value.name.lower() if hasattr(value, 'name') else value


def _from_parameter(kind: QoSPolicyKind, value: Any, name: str) -> Any:
    if kind in _DURATIONS:
        return Duration(nanoseconds=value)
    if kind not in _ENUMS:
        return value
    try:
        return _ENUMS[kind][value.upper()]
    except KeyError:
        names = ', '.join(member.name.lower() for member in _ENUMS[kind])
        raise InvalidQosOverridesError(f'{name} is {value!r}; say one of {names}') from None

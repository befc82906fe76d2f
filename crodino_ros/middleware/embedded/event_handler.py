"""Callbacks for what happens to a publisher or subscription: a match, incompatible QoS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cyclonedds.core import DDSStatus

from crodino_ros.middleware.embedded.logging import Logger
from crodino_ros.middleware.embedded.qos import (
    QoSPolicyKind,
    policy_kind,
    qos_policy_name_from_kind,
)


class UnsupportedEventTypeError(Exception):
    """This middleware does not report such events."""


@dataclass(frozen=True)
class MatchedInfo:
    """How many endpoints match: ever and now, and the change since the last callback."""

    total_count: int
    total_count_change: int
    current_count: int
    current_count_change: int


@dataclass(frozen=True)
class IncompatibleQoSInfo:
    """How many endpoints could not match, and the last policy that stood in the way."""

    total_count: int
    total_count_change: int
    last_policy_kind: QoSPolicyKind


MatchedCallback = Callable[[MatchedInfo], Any]
IncompatibleCallback = Callable[[IncompatibleQoSInfo], Any]


class _EventCallbacks:
    def __init__(
        self,
        *,
        incompatible_qos: IncompatibleCallback | None = None,
        matched: MatchedCallback | None = None,
        use_default_callbacks: bool = True,
        **others: Any,
    ) -> None:
        for name, callback in others.items():
            if name not in ('deadline', 'liveliness', 'message_lost', 'incompatible_type'):
                raise TypeError(f'there is no event {name!r}')
            if callback is not None:
                raise UnsupportedEventTypeError(
                    f'{name} events are not offered by the embedded middleware'
                )
        self.incompatible_qos = incompatible_qos
        self.matched = matched
        self.use_default_callbacks = use_default_callbacks


class SubscriptionEventCallbacks(_EventCallbacks):
    """`incompatible_qos` and `matched`; without the former a warning is logged by default."""


class PublisherEventCallbacks(_EventCallbacks):
    """`incompatible_qos` and `matched`; without the former a warning is logged by default."""


class EventHandler:
    """The waitable that reports the events of one DDS reader or writer."""

    def __init__(
        self, entity: Any, is_reader: bool, callbacks: _EventCallbacks, topic: str, logger: Logger
    ) -> None:
        self.condition = entity
        self.destroyed = False
        self._is_reader = is_reader
        self._matched = callbacks.matched
        self._incompatible = callbacks.incompatible_qos
        if self._incompatible is None and callbacks.use_default_callbacks:
            self._incompatible = _warning(is_reader, topic, logger)
        mask = 0
        if self._matched is not None:
            mask |= DDSStatus.SubscriptionMatched if is_reader else DDSStatus.PublicationMatched
        if self._incompatible is not None:
            mask |= (
                DDSStatus.RequestedIncompatibleQos
                if is_reader
                else DDSStatus.OfferedIncompatibleQos
            )
        entity.set_status_mask(mask)

    def execute(self) -> None:
        entity = self.condition
        if self._incompatible is not None:
            status = (
                entity.get_requested_incompatible_qos_status()
                if self._is_reader
                else entity.get_offered_incompatible_qos_status()
            )
            if status.total_count_change:
                self._incompatible(
                    IncompatibleQoSInfo(
                        status.total_count,
                        status.total_count_change,
                        policy_kind(status.last_policy_id),
                    )
                )
        if self._matched is not None and not self.destroyed:
            status = (
                entity.get_subscription_matched_status()
                if self._is_reader
                else entity.get_publication_matched_status()
            )
            if status.total_count_change or status.current_count_change:
                self._matched(
                    MatchedInfo(
                        status.total_count,
                        status.total_count_change,
                        status.current_count,
                        status.current_count_change,
                    )
                )


def _warning(is_reader: bool, topic: str, logger: Logger) -> IncompatibleCallback:
    def warn(event: IncompatibleQoSInfo) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        if is_reader:
            logger.warning(
                f"New publisher discovered on topic '{topic}', offering incompatible QoS. "
                f'No messages will be received from it. Last incompatible policy: {policy}'
            )
        else:
            logger.warning(
                f"New subscription discovered on topic '{topic}', requesting incompatible QoS. "
                f'No messages will be sent to it. Last incompatible policy: {policy}'
            )

    return warn

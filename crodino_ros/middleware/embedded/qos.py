"""QoS profiles with rclpy's names, and their translation for Cyclone DDS."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from cyclonedds.qos import Policy, Qos

from crodino_ros.middleware.embedded.duration import Duration, Infinite
from crodino_ros.middleware.embedded.exceptions import NotOfferedError


class QoSPolicyKind(IntEnum):
    """Which policy (values as in rmw's `rmw_qos_policy_kind_e`)."""

    INVALID = 1
    DURABILITY = 2
    DEADLINE = 4
    LIVELINESS = 8
    RELIABILITY = 16
    HISTORY = 32
    LIFESPAN = 64
    DEPTH = 128
    LIVELINESS_LEASE_DURATION = 256
    AVOID_ROS_NAMESPACE_CONVENTIONS = 512


class HistoryPolicy(IntEnum):
    SYSTEM_DEFAULT = 0
    KEEP_LAST = 1
    KEEP_ALL = 2
    UNKNOWN = 3


class ReliabilityPolicy(IntEnum):
    SYSTEM_DEFAULT = 0
    RELIABLE = 1
    BEST_EFFORT = 2
    UNKNOWN = 3
    BEST_AVAILABLE = 4


class DurabilityPolicy(IntEnum):
    SYSTEM_DEFAULT = 0
    TRANSIENT_LOCAL = 1
    VOLATILE = 2
    UNKNOWN = 3
    BEST_AVAILABLE = 4


class LivelinessPolicy(IntEnum):
    SYSTEM_DEFAULT = 0
    AUTOMATIC = 1
    MANUAL_BY_TOPIC = 3
    UNKNOWN = 4
    BEST_AVAILABLE = 5


_DDS_POLICY_KINDS = {
    2: QoSPolicyKind.DURABILITY,
    4: QoSPolicyKind.DEADLINE,
    8: QoSPolicyKind.LIVELINESS,
    11: QoSPolicyKind.RELIABILITY,
    13: QoSPolicyKind.HISTORY,
    21: QoSPolicyKind.LIFESPAN,
}


class QoSProfile:
    """History, reliability, durability, deadline and lifespan of a publisher or subscription.

    A depth alone keeps the last `depth` messages; `deadline` and `lifespan` of zero mean none.
    """

    def __init__(
        self,
        *,
        depth: int | None = None,
        history: HistoryPolicy | None = None,
        reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE,
        durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
        lifespan: Duration | None = None,
        deadline: Duration | None = None,
        liveliness: LivelinessPolicy = LivelinessPolicy.SYSTEM_DEFAULT,
        liveliness_lease_duration: Duration | None = None,
        avoid_ros_namespace_conventions: bool = False,
    ) -> None:
        if history is None:
            if depth is None:
                raise ValueError('a QoSProfile needs a depth, or history=KEEP_ALL')
            history = HistoryPolicy.KEEP_LAST
        elif history == HistoryPolicy.KEEP_LAST and depth is None:
            raise ValueError('history KEEP_LAST needs a depth')
        self.history = HistoryPolicy(history)
        self.depth = depth or 0
        self.reliability = ReliabilityPolicy(reliability)
        self.durability = DurabilityPolicy(durability)
        self.lifespan = lifespan or Duration()
        self.deadline = deadline or Duration()
        self.liveliness = LivelinessPolicy(liveliness)
        self.liveliness_lease_duration = liveliness_lease_duration or Duration()
        self.avoid_ros_namespace_conventions = avoid_ros_namespace_conventions

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QoSProfile) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        parts = ', '.join(f'{k}={getattr(v, "name", v)}' for k, v in vars(self).items())
        return f'QoSProfile({parts})'

    def get_c_qos_profile(self) -> Any:
        raise NotOfferedError('QoSProfile.get_c_qos_profile')


def as_profile(qos: QoSProfile | int) -> QoSProfile:
    """A profile from a profile or a history depth."""
    if isinstance(qos, QoSProfile):
        return qos
    if isinstance(qos, bool) or not isinstance(qos, int) or qos < 0:
        raise TypeError(f'expected a QoSProfile or a depth of at least 0, got {qos!r}')
    return QoSProfile(depth=qos)


def to_dds(profile: QoSProfile, user_data: str = '', ignore_own: bool = False) -> Qos:
    """The endpoint QoS that rmw_cyclonedds makes of `profile`.

    `ignore_own` drops what this same participant publishes.
    """
    if profile.liveliness not in (LivelinessPolicy.SYSTEM_DEFAULT, LivelinessPolicy.AUTOMATIC):
        raise NotOfferedError(f'liveliness {profile.liveliness.name}')
    history: Any = Policy.History.KeepLast(max(profile.depth, 1))
    if profile.history == HistoryPolicy.KEEP_ALL:
        history = Policy.History.KeepAll
    policies: list[Any] = [
        history,
        Policy.DataRepresentation(use_cdrv0_representation=True),
        Policy.WriterDataLifecycle(autodispose=False),
        Policy.Userdata(user_data.encode()),
    ]
    if _best_effort(profile):
        policies.append(Policy.Reliability.BestEffort)
    else:
        policies.append(Policy.Reliability.Reliable(Infinite.nanoseconds))
    if profile.durability == DurabilityPolicy.TRANSIENT_LOCAL:
        policies += [
            Policy.Durability.TransientLocal,
            Policy.DurabilityService(0, history, -1, -1, -1),
        ]
    else:
        policies.append(Policy.Durability.Volatile)
    if profile.deadline.nanoseconds:
        policies.append(Policy.Deadline(profile.deadline.nanoseconds))
    if profile.lifespan.nanoseconds:
        policies.append(Policy.Lifespan(profile.lifespan.nanoseconds))
    if ignore_own:
        policies.append(Policy.IgnoreLocal.Participant)
    return Qos(*policies)


def _best_effort(profile: QoSProfile) -> bool:
    if profile.reliability in (ReliabilityPolicy.UNKNOWN, ReliabilityPolicy.BEST_AVAILABLE):
        raise NotOfferedError(f'reliability {profile.reliability.name}')
    if profile.durability in (DurabilityPolicy.UNKNOWN, DurabilityPolicy.BEST_AVAILABLE):
        raise NotOfferedError(f'durability {profile.durability.name}')
    return profile.reliability == ReliabilityPolicy.BEST_EFFORT


def from_dds(qos: Qos) -> QoSProfile:
    """The profile of a discovered endpoint."""
    history = qos[Policy.History]
    keep_all = history is None or history == Policy.History.KeepAll
    reliable = qos[Policy.Reliability] != Policy.Reliability.BestEffort
    latched = qos[Policy.Durability] == Policy.Durability.TransientLocal
    return QoSProfile(
        history=HistoryPolicy.KEEP_ALL if keep_all else HistoryPolicy.KEEP_LAST,
        depth=0 if keep_all else history.depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        liveliness=LivelinessPolicy.AUTOMATIC,
    )


def policy_kind(dds_policy_id: int) -> QoSPolicyKind:
    """The kind behind the policy id of an incompatible-QoS status."""
    return _DDS_POLICY_KINDS.get(dds_policy_id, QoSPolicyKind.INVALID)


def qos_policy_name_from_kind(kind: QoSPolicyKind | int) -> str:
    """`DURABILITY`, `RELIABILITY`, ..."""
    return QoSPolicyKind(kind).name


qos_profile_sensor_data = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
qos_profile_services_default = QoSProfile(depth=10)
qos_profile_parameters = QoSProfile(depth=1000)
qos_profile_parameter_events = QoSProfile(depth=1000)

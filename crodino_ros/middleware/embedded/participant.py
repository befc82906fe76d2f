"""The DDS participant of a process, with the discovery settings of rmw_cyclonedds."""

from __future__ import annotations

import os
import threading
from importlib.metadata import version
from typing import Any

from cyclonedds.core import DDSException, Entity, GuardCondition
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic

from crodino_core.errors import CrodinoError
from crodino_ros.middleware.embedded.dds_types import dds_type, type_hash
from crodino_ros.middleware.embedded.qos import QoSProfile, to_dds

MAX_DOMAIN_ID = 232
_MODERN = int(version('cyclonedds').partition('.')[0]) >= 11
# Cyclone 0.10, which ROS 2 Jazzy uses, does all of this unasked. Cyclone 11 announces itself to
# a peer that does not answer every 30 s only, and not at all after 30 s: a ROS tool in the SUBNET
# range started later would not see us.
_PEER = ' PruneDelay="inf"' if _MODERN else ''
# And it drops discovery packets that come in by an interface it does not use for data, as those
# from this host do: by `lo`, where `eth0` is used.
_INTERNAL = (
    '<Internal><ExtendedPacketInfo>false</ExtendedPacketInfo></Internal>' if _MODERN else ''
)
_RANGES = ('SUBNET', 'LOCALHOST', 'OFF', 'SYSTEM_DEFAULT')
_lock = threading.Lock()
_domains: dict[int, tuple[Domain, int]] = {}


def domain_id_from_environment() -> int:
    """`ROS_DOMAIN_ID`, 0 where it is not set."""
    text = os.environ.get('ROS_DOMAIN_ID') or '0'
    if not text.isdecimal() or int(text) > MAX_DOMAIN_ID:
        raise CrodinoError(
            f'ROS_DOMAIN_ID is {text!r}; it must be a number from 0 to {MAX_DOMAIN_ID}'
        )
    return int(text)


def discovery_range_from_environment() -> str:
    """`ROS_AUTOMATIC_DISCOVERY_RANGE`; where it is not set LOCALHOST, so that nothing leaves
    this host unasked (ROS 2 itself would take SUBNET)."""
    text = os.environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE') or 'LOCALHOST'
    if text not in _RANGES:
        raise CrodinoError(
            f'ROS_AUTOMATIC_DISCOVERY_RANGE is {text!r}; it must be one of {", ".join(_RANGES)}'
        )
    return text


def discovery_config(discovery_range: str, static_peers: list[str], pid: int) -> str:
    """Cyclone DDS's configuration for a discovery range, as rmw_cyclonedds writes it."""
    if discovery_range == 'SYSTEM_DEFAULT':
        return ''
    if discovery_range == 'OFF':
        discovery = f'<ParticipantIndex>none</ParticipantIndex><Tag>ros_discovery_off_{pid}</Tag>'
    else:
        hosts = ['localhost'] if discovery_range == 'LOCALHOST' else []
        peers = ''.join(f'<Peer address="{host}"{_PEER}/>' for host in hosts + static_peers)
        discovery = (
            '<ParticipantIndex>auto</ParticipantIndex>'
            '<MaxAutoParticipantIndex>32</MaxAutoParticipantIndex>'
            + (f'<SPDPInterval>{"2s" if hosts else "8s"}</SPDPInterval>' if _MODERN else '')
            + (f'<Peers>{peers}</Peers>' if peers else '')
        )
    general = '' if discovery_range == 'SUBNET' else '<AllowMulticast>false</AllowMulticast>'
    return (
        f'<CycloneDDS><Domain><General>{general}</General>{_INTERNAL}'
        f'<Discovery>{discovery}</Discovery></Domain></CycloneDDS>'
    )


def delete(entity: Any) -> None:
    """Delete a DDS entity now, not when Python collects it."""
    entity.__del__()


class Participant:
    """One DDS participant; makes its topics, writers and readers.

    Entities are deleted by `delete` or with the participant.
    """

    def __init__(self, domain_id: int) -> None:
        self.domain_id = domain_id
        _acquire_domain(domain_id)
        try:
            self.entity = DomainParticipant(domain_id, Qos(Policy.Userdata(b'enclave=/;')))
        except DDSException as error:
            _release_domain(domain_id)
            raise CrodinoError(
                f'no DDS participant could be made in domain {domain_id}: {error} '
                '(more than 33 ROS processes on this host, or no network interface?)'
            ) from error
        self.guid: bytes = self.entity.guid.bytes
        self._topics: dict[tuple[str, str, bool], Topic[Any]] = {}
        self._service_count = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        """Delete the participant and everything it made."""
        self._topics.clear()
        delete(self.entity)
        _release_domain(self.domain_id)

    def writer(
        self, topic: str, typename: str, qos: QoSProfile, extra: str = '', service: bool = False
    ) -> DataWriter[Any]:
        """A writer of `typename` on the DDS topic `topic`; `extra` goes into its user data."""
        dds_qos = to_dds(qos, _user_data(typename, extra))
        return DataWriter(self.entity, self._topic(topic, typename, service), dds_qos)

    def reader(
        self,
        topic: str,
        typename: str,
        qos: QoSProfile,
        extra: str = '',
        service: bool = False,
        ignore_own: bool = False,
    ) -> DataReader[Any]:
        """A reader of `typename` on the DDS topic `topic`; `extra` goes into its user data."""
        dds_qos = to_dds(qos, _user_data(typename, extra), ignore_own)
        return DataReader(self.entity, self._topic(topic, typename, service), dds_qos)

    def guard(self) -> GuardCondition:
        """A condition that our own code can trigger to wake a wait set."""
        return GuardCondition(self.entity)

    def next_service_id(self) -> str:
        """A new id that ties the reader and the writer of one service or client together."""
        with self._lock:
            self._service_count += 1
            raw = self.guid[:12] + self._service_count.to_bytes(4, 'big')
        return '.'.join(f'{byte:x}' for byte in raw)

    def _topic(self, name: str, typename: str, service: bool) -> Topic[Any]:
        with self._lock:
            key = (name, typename, service)
            if key not in self._topics:
                self._topics[key] = Topic(self.entity, name, dds_type(typename, service))
            return self._topics[key]


def gid(entity: Entity) -> bytes:
    """The 16 bytes by which the ROS graph knows an endpoint."""
    return entity.guid.bytes


def _user_data(typename: str, extra: str) -> str:
    return f'{extra}typehash={type_hash(typename)};'


def _acquire_domain(domain_id: int) -> None:
    with _lock:
        domain, users = _domains.get(domain_id, (None, 0))
        if domain is None:
            peers = [p for p in os.environ.get('ROS_STATIC_PEERS', '').split(';') if p]
            config = discovery_config(discovery_range_from_environment(), peers, os.getpid())
            parts = [part for part in (config, os.environ.get('CYCLONEDDS_URI', '')) if part]
            try:
                domain = Domain(domain_id, ','.join(parts))
            except DDSException as error:
                raise CrodinoError(
                    f'DDS domain {domain_id} could not be set up: {error} '
                    '(is CYCLONEDDS_URI valid?)'
                ) from error
        _domains[domain_id] = (domain, users + 1)


def _release_domain(domain_id: int) -> None:
    with _lock:
        domain, users = _domains[domain_id]
        if users > 1:
            _domains[domain_id] = (domain, users - 1)
            return
        del _domains[domain_id]
        delete(domain)

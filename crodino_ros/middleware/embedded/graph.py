"""Who is in the ROS graph: what we tell about our nodes, and what others told us.

DDS knows participants and endpoints; ROS adds which node owns which endpoint, on the topic
`ros_discovery_info` (rmw_dds_common/msg/ParticipantEntitiesInfo, latched).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from cyclonedds.builtin import (
    BuiltinTopicDcpsParticipant,
    BuiltinTopicDcpsPublication,
    BuiltinTopicDcpsSubscription,
)

from crodino_ros.middleware.embedded import cdr
from crodino_ros.middleware.embedded.dds_types import ros_type
from crodino_ros.middleware.embedded.discovery import Discovered
from crodino_ros.middleware.embedded.interfaces import deserialize, interface
from crodino_ros.middleware.embedded.participant import Participant
from crodino_ros.middleware.embedded.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    from_dds,
)

_TYPE = 'rmw_dds_common/msg/ParticipantEntitiesInfo'
_MANY = 10_000


@dataclass(frozen=True)
class TopicEndpointInfo:
    """One publisher or subscription anywhere in the graph."""

    node_name: str
    node_namespace: str
    topic_type: str
    endpoint_gid: bytes
    qos_profile: QoSProfile


class Graph:
    """The graph as one participant sees it."""

    def __init__(self, participant: Participant) -> None:
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        every = QoSProfile(
            history=HistoryPolicy.KEEP_ALL, durability=DurabilityPolicy.TRANSIENT_LOCAL
        )
        self._guid = participant.guid
        self._writer = participant.writer('ros_discovery_info', _TYPE, latched)
        self._reader = participant.reader('ros_discovery_info', _TYPE, every, ignore_own=True)
        self._participants = Discovered(participant, BuiltinTopicDcpsParticipant)
        self._publications = Discovered(participant, BuiltinTopicDcpsPublication)
        self._subscriptions = Discovered(participant, BuiltinTopicDcpsSubscription)
        self._own: dict[tuple[str, str], tuple[set[bytes], set[bytes]]] = {}
        self._others: dict[bytes, Any] = {}
        self._lock = threading.Lock()

    def add_node(self, name: str, namespace: str) -> None:
        """Announce a node."""
        with self._lock:
            self._own[name, namespace] = (set(), set())
            self._announce()

    def remove_node(self, name: str, namespace: str) -> None:
        """Say that a node is gone."""
        with self._lock:
            self._own.pop((name, namespace), None)
            self._announce()

    def change(
        self,
        node: tuple[str, str],
        add: bool,
        readers: tuple[bytes, ...] = (),
        writers: tuple[bytes, ...] = (),
    ) -> None:
        """Announce that `node` (name, namespace) gained or lost endpoints."""
        with self._lock:
            if node not in self._own:
                return
            own_readers, own_writers = self._own[node]
            if add:
                own_readers.update(readers)
                own_writers.update(writers)
            else:
                own_readers.difference_update(readers)
                own_writers.difference_update(writers)
            self._announce()

    def node_names(self) -> list[tuple[str, str]]:
        """(name, namespace) of every node, ours first."""
        names = list(self._own)
        for info in self._alive():
            names += [(n.node_name, n.node_namespace) for n in info.node_entities_info_seq]
        return names

    def topics(self) -> dict[str, set[str]]:
        """Types by topic name."""
        found: dict[str, set[str]] = {}
        for endpoint in self._publications.alive() + self._subscriptions.alive():
            if endpoint.topic_name.startswith('rt/'):
                types = found.setdefault(endpoint.topic_name[2:], set())
                types.add(ros_type(endpoint.type_name))
        return found

    def publishers(self, topic: str) -> list[TopicEndpointInfo]:
        """Every publisher on an absolute topic name, of whatever type."""
        return self._infos(self._publications, topic)

    def subscriptions(self, topic: str) -> list[TopicEndpointInfo]:
        """Every subscription to an absolute topic name, of whatever type."""
        return self._infos(self._subscriptions, topic)

    def _infos(self, known: Discovered, topic: str) -> list[TopicEndpointInfo]:
        owners = self._owners()
        infos = []
        for endpoint in known.alive():
            if endpoint.topic_name == f'rt{topic}':
                name, namespace = owners.get(endpoint.key.bytes, ('_NODE_NAME_UNKNOWN_', '/'))
                infos.append(
                    TopicEndpointInfo(
                        name,
                        namespace,
                        ros_type(endpoint.type_name),
                        endpoint.key.bytes,
                        from_dds(endpoint.qos),
                    )
                )
        return infos

    def _owners(self) -> dict[bytes, tuple[str, str]]:
        owners = {gid: node for node, both in self._own.items() for gid in both[0] | both[1]}
        for info in self._alive():
            for node in info.node_entities_info_seq:
                for gid in (*node.reader_gid_seq, *node.writer_gid_seq):
                    owners[gid.data.tobytes()] = (node.node_name, node.node_namespace)
        return owners

    def _alive(self) -> list[Any]:
        """What the participants that still exist last said about their nodes."""
        for data, _ in cdr.take(self._reader, _MANY):
            info = deserialize(data, interface(_TYPE))
            self._others[info.gid.data.tobytes()] = info
        present = {p.key.bytes for p in self._participants.alive()}
        self._others = {gid: info for gid, info in self._others.items() if gid in present}
        return list(self._others.values())

    def _announce(self) -> None:
        message = interface(_TYPE)(
            gid=_gid_message(self._guid),
            node_entities_info_seq=[
                interface('rmw_dds_common/msg/NodeEntitiesInfo')(
                    node_name=name,
                    node_namespace=namespace,
                    reader_gid_seq=[_gid_message(gid) for gid in sorted(readers)],
                    writer_gid_seq=[_gid_message(gid) for gid in sorted(writers)],
                )
                for (name, namespace), (readers, writers) in self._own.items()
            ],
        )
        cdr.write(self._writer, message)


def _gid_message(gid: bytes) -> Any:
    return interface('rmw_dds_common/msg/Gid')(data=np.frombuffer(gid, np.uint8))

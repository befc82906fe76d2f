"""Services: answering and calling them, on the wire as rmw_cyclonedds does it.

A request and its reply carry a header of 16 bytes: the client's id (uint64) and a sequence
number (int64). A client takes the replies that bear its own id.
"""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cyclonedds.core import ReadCondition
from cyclonedds.qos import Policy

from crodino_ros.middleware.embedded import cdr
from crodino_ros.middleware.embedded.exceptions import NotOfferedError
from crodino_ros.middleware.embedded.interfaces import deserialize, serialize
from crodino_ros.middleware.embedded.participant import delete, gid
from crodino_ros.middleware.embedded.qos import QoSProfile
from crodino_ros.middleware.embedded.subscription import ANY_SAMPLE
from crodino_ros.middleware.embedded.task import Future
from crodino_ros.middleware.embedded.waitable import plain_callback

if TYPE_CHECKING:
    from crodino_ros.middleware.embedded.node import Node

_HEADER = struct.Struct('<Qq')
_HEADER_OFFSET = 4
_REPLY_PATIENCE = 0.1
_U64 = 2**64 - 1


class _Endpoint:
    """The reader and writer of one service or client."""

    def __init__(self, node: Node, srv_type: Any, name: str, qos: QoSProfile, role: str) -> None:
        self._node = node
        self.srv_type = srv_type
        self.srv_name = name
        self.qos_profile = qos
        self.destroyed = False
        request = (f'rq{name}Request', f'{srv_type.typename}_Request')
        reply = (f'rr{name}Reply', f'{srv_type.typename}_Response')
        incoming, outgoing = (request, reply) if role == 'serviceid' else (reply, request)
        participant = node.context.participant
        extra = f'{role}={participant.next_service_id()};'
        self._writer = participant.writer(*outgoing, qos, extra, service=True)
        self._reader = participant.reader(*incoming, qos, extra, service=True)
        self.condition = ReadCondition(self._reader, ANY_SAMPLE)
        self._gids = (gid(self._reader), gid(self._writer))
        node.context.graph.change(node.key, True, readers=self._gids[:1], writers=self._gids[1:])

    def _send(self, header: tuple[int, int], message: Any) -> None:
        data = serialize(message, _HEADER.size)
        _HEADER.pack_into(data, _HEADER_OFFSET, *header)
        cdr.write_bytes(self._writer, data)

    def destroy(self) -> None:
        """Leave the graph; safe to call again."""
        if not self.destroyed:
            self.destroyed = True
            self._node.context.graph.change(
                self._node.key, False, readers=self._gids[:1], writers=self._gids[1:]
            )
            delete(self.condition)
            delete(self._reader)
            delete(self._writer)


class Service(_Endpoint):
    """Made by `Node.create_service`; the callback fills and returns the response."""

    def __init__(
        self,
        node: Node,
        srv_type: Any,
        name: str,
        callback: Callable[[Any, Any], Any],
        qos: QoSProfile,
    ) -> None:
        self.callback = plain_callback(callback)
        super().__init__(node, srv_type, name, qos, 'serviceid')

    def execute(self) -> None:
        for data, info in cdr.take(self._reader):
            header = _HEADER.unpack_from(data, _HEADER_OFFSET)
            request = deserialize(data, self.srv_type.Request, _HEADER.size)
            response = self.callback(request, self.srv_type.Response())
            if not isinstance(response, self.srv_type.Response):
                raise TypeError(
                    f'the callback of {self.srv_name} must return its response, '
                    f'not {type(response).__name__}'
                )
            if not self.destroyed:
                self._await_client(info.publication_handle)
                self._send(header, response)

    def _await_client(self, request_writer: int) -> None:
        """Give DDS a moment to find the caller's reply reader, else the reply is lost."""
        endpoint = self._reader.get_matched_publication_data(request_writer)
        client = _user_data(endpoint).get('clientid')
        deadline = time.monotonic() + _REPLY_PATIENCE
        while client is not None and time.monotonic() < deadline:
            for reader in self._writer.get_matched_subscriptions():
                matched = self._writer.get_matched_subscription_data(reader & _U64)
                if _user_data(matched).get('clientid') == client:
                    return
            time.sleep(0.002)


class Client(_Endpoint):
    """Made by `Node.create_client`; call with `call_async` and spin until the future is done."""

    def __init__(self, node: Node, srv_type: Any, name: str, qos: QoSProfile) -> None:
        super().__init__(node, srv_type, name, qos, 'clientid')
        self._id = self._writer.instance_handle & _U64
        self._sequence = itertools.count(1)
        self._pending: dict[int, Future] = {}

    def call_async(self, request: Any) -> Future:
        """Send a request; the future gets the response."""
        if not isinstance(request, self.srv_type.Request):
            raise TypeError(f'{self.srv_name} takes {self.srv_type.Request.__msgtype__}')
        number, future = next(self._sequence), Future()
        self._pending[number] = future
        self._send((self._id, number), request)
        return future

    def call(self, *_: Any, **__: Any) -> Any:
        raise NotOfferedError('Client.call (it blocks; use call_async)')

    def service_is_ready(self) -> bool:
        """Whether a service has both ends matched with this client."""
        readers = [
            _user_data(self._writer.get_matched_subscription_data(handle & _U64))
            for handle in self._writer.get_matched_subscriptions()
        ]
        writers = [
            _user_data(self._reader.get_matched_publication_data(handle & _U64))
            for handle in self._reader.get_matched_publications()
        ]
        ids = {data['serviceid'] for data in readers if 'serviceid' in data}
        if not ids:
            return bool(readers and writers)
        return any(data.get('serviceid') in ids for data in writers)

    def wait_for_service(self, timeout_sec: float | None = None) -> bool:
        """Wait until the service is there; False after `timeout_sec`, or at shutdown."""
        deadline = None if timeout_sec is None else time.monotonic() + timeout_sec
        while self._node.context.ok() and not self.destroyed:
            if self.service_is_ready():
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        return False

    def execute(self) -> None:
        for data, _ in cdr.take(self._reader):
            client_id, number = _HEADER.unpack_from(data, _HEADER_OFFSET)
            future = self._pending.pop(number, None) if client_id == self._id else None
            if future is not None:
                future.set_result(deserialize(data, self.srv_type.Response, _HEADER.size))


def _user_data(endpoint: Any) -> dict[str, str]:
    """The `key=value;` pairs in an endpoint's user data; none if the endpoint is gone."""
    policy = endpoint.qos[Policy.Userdata] if endpoint is not None else None
    if policy is None:
        return {}
    pairs = policy.data.decode('ascii', 'replace').split(';')
    return dict(pair.split('=', 1) for pair in pairs if '=' in pair)

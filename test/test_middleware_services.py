"""Services and clients on the embedded middleware."""

from __future__ import annotations

import pytest
from embedded_world import World, world  # noqa: F401

from crodino_ros.middleware.embedded.exceptions import NotOfferedError
from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.node import Node

SetBool = interface('std_srvs/srv/SetBool')
Trigger = interface('std_srvs/srv/Trigger')


def answer(request, response):
    response.success, response.message = request.data, 'heard'
    return response


def test_a_request_is_answered(world: World):  # noqa: F811
    node = world.node()
    node.create_service(SetBool, '~/switch', answer)
    client = node.create_client(SetBool, '/node/switch')
    assert world.call(client, SetBool.Request(data=True)).success
    assert not world.call(client, SetBool.Request(data=False)).success


def test_each_client_gets_its_own_answers(world: World):  # noqa: F811
    node, other = world.node(), Node('other', context=world.join())
    node.create_service(SetBool, 'switch', answer)
    clients = [node.create_client(SetBool, 'switch'), other.create_client(SetBool, 'switch')]
    for client in clients:
        world.until(client.service_is_ready)
    futures = [
        c.call_async(SetBool.Request(data=d)) for c, d in zip(clients, (True, False), strict=True)
    ]

    def both() -> bool:
        clients[1].execute()  # the other participant has no executor of its own
        return all(future.done() for future in futures)

    world.until(both)
    assert [future.result().success for future in futures] == [True, False]


def test_a_service_that_is_not_there_is_not_ready(world: World):  # noqa: F811
    client = world.node().create_client(Trigger, 'nowhere')
    assert not client.service_is_ready()
    assert not client.wait_for_service(timeout_sec=0.0)


def test_a_destroyed_service_is_no_longer_there(world: World):  # noqa: F811
    node = world.node()
    service = node.create_service(SetBool, 'switch', answer)
    client = node.create_client(SetBool, 'switch')
    world.until(client.service_is_ready)
    node.destroy_service(service)
    world.until(lambda: not client.service_is_ready())


def test_a_callback_that_returns_no_response_is_an_error(world: World):  # noqa: F811
    node = world.node()
    node.create_service(SetBool, 'switch', lambda request, response: None)
    client = node.create_client(SetBool, 'switch')
    world.until(client.service_is_ready)
    client.call_async(SetBool.Request())
    with pytest.raises(TypeError, match='/switch must return its response'):
        world.until(lambda: False)


def test_a_blocking_call_is_not_offered(world: World):  # noqa: F811
    client = world.node().create_client(Trigger, 'x')
    with pytest.raises(NotOfferedError, match='call_async'):
        client.call(Trigger.Request())
    with pytest.raises(TypeError, match='Trigger_Request'):
        client.call_async(SetBool.Request())

"""The bag starter: a paused bag goes on when everybody listens."""

from __future__ import annotations

import pytest
from node_world import NodeWorld, tiny_model, world  # noqa: F401

from crodino_core.errors import CrodinoError
from crodino_ros.bag_starter_node import BagStarterNode
from crodino_ros.middleware import Parameter
from crodino_ros.middleware.srv import interface

try:
    RESUME = interface('rosbag2_interfaces/srv/Resume')
except CrodinoError as error:
    pytest.skip(str(error), allow_module_level=True)


class PausedPlayer:
    """Offers the service of `ros2 bag play` and counts how often it is called."""

    def __init__(self, world: NodeWorld) -> None:  # noqa: F811
        self.resumed = 0
        world.observer.create_service(RESUME, '/rosbag2_player/resume', self._on_resume)

    def _on_resume(self, request, response):
        self.resumed += 1
        return response


def starter(world: NodeWorld, *topics: str) -> BagStarterNode:  # noqa: F811
    overrides = [Parameter('topics', value=list(topics))]
    return world.add(BagStarterNode(context=world.context, parameter_overrides=overrides))


def test_the_bag_begins_once_node_and_recorder_listen(world: NodeWorld):  # noqa: F811
    player = PausedPlayer(world)
    node = starter(world, '/color/image_raw', '/segmentation/mask')
    segment_node = world.segment_node(autostart=False)
    world.until(lambda: node._awaited is not None and 'the player' not in node._awaited)
    assert segment_node.trigger_configure().name == 'SUCCESS'
    assert segment_node.trigger_activate().name == 'SUCCESS'
    world.until(lambda: node._awaited == ['a subscriber of /segmentation/mask'])
    assert player.resumed == 0
    world.listen('/segmentation/mask')
    world.until(lambda: node.finished)
    assert player.resumed == 1


def test_it_waits_for_a_player_that_comes_last(world: NodeWorld):  # noqa: F811
    node = starter(world, '/color/image_raw')
    world.segment_node()
    world.until(lambda: node._awaited == ['the player'])
    player = PausedPlayer(world)
    world.until(lambda: node.finished)
    assert player.resumed == 1


def test_it_does_not_wait_for_a_node_that_cannot_start(world: NodeWorld):  # noqa: F811
    player, _ = PausedPlayer(world), world.segment_node(model='/nowhere', wait=False)
    starter(world, '/color/image_raw')
    with pytest.raises(CrodinoError, match='not played: /nowhere'):
        world.until(lambda: False)
    assert player.resumed == 0

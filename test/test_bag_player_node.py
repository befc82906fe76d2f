"""The bag player: a recording published as two drivers would."""

from __future__ import annotations

import itertools
import time

import pytest
from node_world import NodeWorld, tiny_model, world  # noqa: F401
from small_bag import START_NS, write_small_bag

from crodino_core.errors import CrodinoError
from crodino_ros.bag_player_node import BagPlayerNode, StampShift
from crodino_ros.messages import stamp_ns
from crodino_ros.middleware import Parameter

FRAMES = 6


def player(world: NodeWorld, bag, **parameters) -> BagPlayerNode:  # noqa: F811
    given = {'bag': str(bag), **parameters}
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    return world.add(BagPlayerNode(context=world.context, parameter_overrides=overrides))


@pytest.fixture
def bag(tmp_path):
    write_small_bag(tmp_path / 'bag', frames=FRAMES)
    return tmp_path / 'bag'


def test_every_message_goes_out_once_both_sensors_are_listened_to(world: NodeWorld, bag):  # noqa: F811
    node = player(world, bag, rate=4.0)
    colors = world.listen('color/image_raw')
    world.until(lambda: node.count_subscribers('color/image_raw'))
    turns = iter(range(20))  # of 10 ms at most where nothing happens; the player looks every 50
    world.until(lambda: next(turns, None) is None)
    assert colors == [] and node.published['rgb'] == 0
    depths = world.listen('depth/image_rect')
    before = time.time_ns()
    world.until(lambda: node.finished)
    assert len(colors) == len(depths) == FRAMES
    assert all(before - 1e9 < stamp_ns(message.header) < time.time_ns() for message in colors)


def test_stamps_can_be_kept(world: NodeWorld, bag):  # noqa: F811
    node = player(world, bag, rate=4.0, stamps='recorded')
    colors, _ = world.listen('color/image_raw'), world.listen('depth/image_rect')
    world.until(lambda: node.finished)
    assert len(colors) == FRAMES
    assert all(0 <= stamp_ns(message.header) - START_NS < 10e9 for message in colors)


def test_a_label_bears_the_stamp_of_its_image(world: NodeWorld, bag):  # noqa: F811
    node = player(world, bag, rate=2.0)
    labels = world.listen('ground_truth/label')
    world.until(lambda: node.count_subscribers('ground_truth/label'))
    colors, depths = world.listen('color/image_raw'), world.listen('depth/image_rect')
    world.until(lambda: node.finished)
    stamps, of_labels, of_depth = (
        [stamp_ns(message.header) for message in each] for each in (colors, labels, depths)
    )
    assert stamps == of_labels and len(stamps) == FRAMES
    behind = [depth - color for depth, color in zip(of_depth, stamps, strict=True)]
    assert behind == [1_500_000] * FRAMES
    steps = [later - earlier for earlier, later in itertools.pairwise(stamps)]
    assert steps == [50_000_000] * (FRAMES - 1)  # at twice the speed


def test_a_loop_goes_on_and_so_do_its_stamps(world: NodeWorld, bag):  # noqa: F811
    node = player(world, bag, rate=8.0, loop=True)
    colors, depths = world.listen('color/image_raw'), world.listen('depth/image_rect')
    world.until(lambda: len(colors) > 2 * FRAMES and len(depths) > 2 * FRAMES)
    assert not node.finished
    for messages in (colors, depths):
        stamps = [stamp_ns(message.header) for message in messages]
        assert all(earlier < later for earlier, later in itertools.pairwise(stamps))


def test_stamps_that_mean_nothing_become_now():
    shift = StampShift(10**18)
    assert shift.moved(0, 7) == 7
    assert shift.moved(5_000_000_000, 7) == 10**18
    assert shift.moved(5_000_000_001, 7) == 10**18 + 1
    assert shift.moved(0, 8) == 8
    assert shift.moved(2**31 * 10**9, 9) == 9


def test_topics_with_other_names_are_given(world: NodeWorld, tmp_path):  # noqa: F811
    names = {'rgb': '/left', 'depth': '/range'}
    bag = write_small_bag(tmp_path / 'bag', frames=FRAMES, topics=names)
    node = player(world, bag, rate=4.0, topics='rgb=/left,depth=/range,label=none')
    colors, depths = world.listen('color/image_raw'), world.listen('depth/image_rect')
    world.until(lambda: node.finished)
    assert len(colors) == len(depths) == FRAMES
    assert node.published['label'] == 0


def test_without_a_bag_it_does_not_start(world: NodeWorld):  # noqa: F811
    with pytest.raises(CrodinoError, match='there is no bag'):
        player(world, '/nowhere')

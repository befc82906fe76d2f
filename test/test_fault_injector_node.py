"""The fault injector and the bag player, on rclpy or on the embedded middleware."""

from __future__ import annotations

import numpy as np
import pytest
from node_world import (  # noqa: F401
    SIZE,
    NodeWorld,
    depth_image,
    image_message,
    tiny_model,
    world,
)

from crodino_core.errors import UsageError
from crodino_core.modality import Modality
from crodino_ros.fault_injector_node import FaultInjectorNode
from crodino_ros.middleware import Parameter
from crodino_ros.middleware.srv import Trigger

RGB, DEPTH = Modality.RGB, Modality.DEPTH
IN = {'color': 'input/color/image_raw', 'depth': 'input/depth/image_rect'}


def injector(world: NodeWorld, **parameters) -> FaultInjectorNode:  # noqa: F811
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    return world.add(FaultInjectorNode(context=world.context, parameter_overrides=overrides))


def set_parameter(node, name, value):
    return node.set_parameters([Parameter(name, value=value)])[0]


def test_without_a_fault_images_pass_byte_by_byte(world: NodeWorld):  # noqa: F811
    injector(world)
    cameras = world.cameras(**IN)
    sent = []
    make = cameras.make[RGB]
    cameras.make[RGB] = lambda: sent.append(make()) or sent[-1]
    colors, depths = world.listen('color/image_raw'), world.listen('depth/image_rect')
    world.play(cameras, lambda: colors and depths)
    found = colors.last
    [original] = [m for m in sent if m.header.stamp == found.header.stamp]
    assert bytes(found.data) == bytes(original.data)
    assert (found.encoding, found.header.frame_id) == ('rgb8', 'camera')
    assert (depths.last.encoding, depths.last.width, depths.last.height) == (
        *('32FC1',),
        *SIZE[::-1],
    )


def test_a_camera_is_cut_and_returns_by_a_parameter(world: NodeWorld):  # noqa: F811
    node = injector(world)
    cameras = world.cameras(**IN)
    colors, depths = world.listen('color/image_raw'), world.listen('depth/image_rect')
    active = world.listen_latched('/fault_injector/active_faults')
    world.play(cameras, lambda: colors)
    assert set_parameter(node, 'rgb_fault', 'drop').successful
    world.play(cameras, lambda: active and active.last.data == 'rgb drop')
    settled = len(depths) + 3
    world.play(cameras, lambda: len(depths) > settled)
    count, later = len(colors), len(depths) + 5
    world.play(cameras, lambda: len(depths) > later)
    assert len(colors) == count
    client = world.observer.create_client(Trigger, '/fault_injector/clear')
    world.until(client.service_is_ready)
    answer = client.call_async(Trigger.Request())
    world.until(answer.done)
    assert answer.result().success
    assert node.get_parameter('rgb_fault').value == 'none'
    world.play(cameras, lambda: len(colors) > count)


def test_depth_keeps_its_encoding_when_a_fault_changes_it(world: NodeWorld):  # noqa: F811
    injector(world, depth_fault='black + stamp_shift offset_s=100.0')
    cameras, depths = world.cameras(**IN), world.listen('depth/image_rect')
    cameras.make[DEPTH] = lambda: image_message(
        (depth_image() * 1000).astype(np.uint16), '16UC1', 'infra'
    )
    cameras.stamp_from = lambda: 5_000_000_000
    world.play(cameras, lambda: depths)
    found = depths.last
    assert (found.encoding, found.step, found.header.frame_id) == ('16UC1', 2 * SIZE[1], 'infra')
    assert not np.frombuffer(found.data, np.uint8).any()
    assert abs(found.header.stamp.sec - 5) >= 99


def test_a_delay_holds_images_back_but_loses_none(world: NodeWorld):  # noqa: F811
    injector(world, rgb_fault='delay delay_s=0.2')
    cameras, colors = world.cameras(**IN), world.listen('color/image_raw')
    depths = world.listen('depth/image_rect')
    world.play(cameras, lambda: len(depths) > 3)
    expected = len(depths) - 1
    assert len(colors) <= expected - 1
    world.until(lambda: len(colors) >= expected)


def test_a_scenario_plays_live(world: NodeWorld, tmp_path):  # noqa: F811
    file = tmp_path / 'cut.yaml'
    file.write_text('faults: [{sensor: rgb, kind: drop, from: 0.3, to: 0.8}]')
    injector(world, scenario=str(file))
    cameras = world.cameras(**IN)
    active = world.listen_latched('/fault_injector/active_faults')
    world.play(cameras, lambda: [m.data for m in active][-2:] == ['rgb drop', 'none'])


def test_a_scenario_whose_file_has_gone_is_not_begun_anew_and_the_node_goes_on(
    world: NodeWorld,  # noqa: F811
    tmp_path,
):
    file = tmp_path / 'cut.yaml'
    file.write_text('faults: [{sensor: rgb, kind: drop, from: 0.3, to: 0.8}]')
    injector(world, scenario=str(file))
    file.unlink()
    restart = world.observer.create_client(Trigger, '/fault_injector/restart')
    world.until(restart.service_is_ready)
    answer = restart.call_async(Trigger.Request())
    world.until(answer.done)
    assert not answer.result().success and 'cut.yaml' in answer.result().message
    cameras, colors = world.cameras(**IN), world.listen('color/image_raw')
    world.play(cameras, lambda: len(colors) > 2)


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('rgb_fault', 'dorp', "did you mean 'drop'"),
        ('depth_fault', 'fog', 'depth has no fault'),
        ('scenario', 'camera_blakout', 'camera_blackout'),
        ('scenario', 'camera_blackout', 'no duration'),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(world: NodeWorld, name, value, reason):  # noqa: F811
    node = injector(world)
    result = set_parameter(node, name, value)
    assert not result.successful
    assert reason in result.reason


def test_a_node_that_is_started_with_nonsense_does_not_start(world: NodeWorld):  # noqa: F811
    with pytest.raises(UsageError, match='did you mean'):
        injector(world, rgb_fault='dorp')


def test_the_node_survives_the_injected_cut(world: NodeWorld):  # noqa: F811
    breaker = injector(world)
    world.segment_node()
    cameras, masks = world.cameras(**IN), world.listen('segmentation/mask')
    served = world.listen_latched('segmentation/active_modality')
    world.play(cameras, lambda: served and served.last.data == 'rgb' and len(masks) > 5)
    set_parameter(breaker, 'rgb_fault', 'freeze')
    world.play(cameras, lambda: served.last.data == 'depth')
    set_parameter(breaker, 'rgb_fault', 'none')
    world.play(cameras, lambda: served.last.data == 'rgb')

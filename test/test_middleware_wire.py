"""The embedded middleware talking to another process: one of its own, and real ROS 2 if any."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from embedded_world import PATIENCE, World

from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.node import Node
from crodino_ros.middleware.embedded.parameter import Parameter
from crodino_ros.middleware.embedded.qos import (
    DurabilityPolicy,
    QoSProfile,
    qos_profile_sensor_data,
)

Image = interface('sensor_msgs/msg/Image')
DOMAIN = 1 + os.getpid() % 100
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

OTHER = """
from crodino_ros.middleware import *
from crodino_ros.middleware.msg import Image, LabelInfo, VisionClass
from crodino_ros.middleware.srv import SetBool
rclpy.init(args=[])
node = LifecycleNode('mirror')
node.declare_parameter('rate', 30.0)
latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
labels = node.create_publisher(LabelInfo, 'labels', latched)
labels.publish(LabelInfo(class_map=[VisionClass(class_id=3, class_name='chair')]))
pong = node.create_publisher(Image, 'pong', 10)
node.create_subscription(Image, 'ping', pong.publish, qos_profile_sensor_data)
def switch(request, response):
    response.success, response.message = request.data, 'heard'
    return response
node.create_service(SetBool, '~/switch', switch)
try:
    rclpy.spin(node)
except (KeyboardInterrupt, ExternalShutdownException):
    pass
"""


@pytest.fixture(scope='module', params=['embedded', 'rclpy'])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[World, Node]]:
    """Return our world and a node in it, with the `mirror` node running in another process."""
    if request.param == 'rclpy' and importlib.util.find_spec('rclpy') is None:
        pytest.skip('ROS 2 is not installed')
    if os.environ.get('RMW_IMPLEMENTATION', 'rmw_cyclonedds_cpp') != 'rmw_cyclonedds_cpp':
        pytest.skip('ROS 2 runs on another rmw implementation here')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        patch.setenv('ROS_DOMAIN_ID', str(DOMAIN))
        patch.setenv('RMW_IMPLEMENTATION', 'rmw_cyclonedds_cpp')
        patch.setenv('CRODINO_MIDDLEWARE', request.param)
        root = Path(__file__).parents[1]
        process = subprocess.Popen([sys.executable, '-c', OTHER], cwd=root)
        world = World(DOMAIN)
        try:
            yield world, world.node('ours')
        finally:
            world.close()
            process.kill()
            process.wait(PATIENCE)


def test_an_image_goes_there_and_back(pair):
    world, node = pair
    seen: list = []
    node.create_subscription(Image, 'pong', seen.append, 10)
    ping = node.create_publisher(Image, 'ping', 10)
    world.until(lambda: ping.get_subscription_count() and node.count_publishers('pong'))
    world.until(lambda: node._subscriptions[-1].get_publisher_count())
    pixels = np.random.default_rng(0).integers(0, 256, 480 * 640 * 3, np.uint8)
    image = Image(height=480, width=640, encoding='rgb8', step=1920, data=pixels)
    image.header.frame_id = 'camera'
    ping.publish(image)
    world.until(lambda: seen)
    assert seen[0] == image


def test_a_latched_message_is_still_there(pair):
    world, node = pair
    seen: list = []
    node.create_subscription(
        interface('vision_msgs/msg/LabelInfo'), 'labels', seen.append, LATCHED
    )
    world.until(lambda: seen)
    assert [(c.class_id, c.class_name) for c in seen[0].class_map] == [(3, 'chair')]


def test_services_parameters_and_lifecycle_answer(pair):
    world, node = pair

    def call(typename: str, name: str, **fields):
        kind = interface(typename)
        return world.call(node.create_client(kind, name), kind.Request(**fields))

    assert call('std_srvs/srv/SetBool', '/mirror/switch', data=True).message == 'heard'
    state = call('lifecycle_msgs/srv/GetState', '/mirror/get_state').current_state
    assert state.label == 'unconfigured'
    wanted = Parameter('rate', value=12.5).to_parameter_msg()
    call('rcl_interfaces/srv/SetParameters', '/mirror/set_parameters', parameters=[wanted])
    (value,) = call(
        'rcl_interfaces/srv/GetParameters', '/mirror/get_parameters', names=['rate']
    ).values
    assert value.double_value == 12.5


def test_the_graph_names_the_other_node(pair):
    world, node = pair
    world.until(lambda: 'mirror' in node.get_node_names())
    world.until(lambda: node.count_subscribers('ping'))
    world.until(
        lambda: 'mirror' in [i.node_name for i in node.get_subscriptions_info_by_topic('ping')]
    )
    assert qos_profile_sensor_data.reliability in [
        i.qos_profile.reliability for i in node.get_subscriptions_info_by_topic('ping')
    ]

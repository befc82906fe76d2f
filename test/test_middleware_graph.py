"""The ROS graph as the embedded middleware sees and tells it, and its discovery settings."""

from __future__ import annotations

import sys

import pytest
from embedded_world import World, world  # noqa: F401

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.evaluation.bench import resident_mb
from crodino_ros.middleware.choice import uses_rclpy
from crodino_ros.middleware.embedded.context import Context
from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.node import Node
from crodino_ros.middleware.embedded.participant import (
    discovery_config,
    discovery_range_from_environment,
    domain_id_from_environment,
)
from crodino_ros.middleware.embedded.qos import ReliabilityPolicy, qos_profile_sensor_data

Image = interface('sensor_msgs/msg/Image')
String = interface('std_msgs/msg/String')


def test_nodes_of_other_participants_are_known_by_name(world: World):  # noqa: F811
    node = world.node('here')
    other = Node('there', namespace='far', context=world.join())
    world.until(lambda: ('there', '/far') in node.get_node_names_and_namespaces())
    assert other.get_fully_qualified_name() == '/far/there'
    other.destroy_node()
    world.until(lambda: 'there' not in node.get_node_names())


def test_a_publisher_of_another_type_can_be_told_from_silence(world: World):  # noqa: F811
    node = world.node('here')
    other = Node('camera', context=world.join())
    other.create_publisher(String, 'image', qos_profile_sensor_data)
    world.until(lambda: node.count_publishers('image'))
    (info,) = node.get_publishers_info_by_topic('image')
    assert info.topic_type == 'std_msgs/msg/String'
    assert info.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    world.until(lambda: node.get_publishers_info_by_topic('image')[0].node_name == 'camera')


def test_topics_are_listed_with_their_types(world: World):  # noqa: F811
    node = world.node('here')
    node.create_subscription(Image, 'image', lambda _: None, 1)
    node.create_publisher(String, '~/chat', 1)
    topics = dict(node.get_topic_names_and_types())
    assert topics['/image'] == ['sensor_msgs/msg/Image']
    assert topics['/here/chat'] == ['std_msgs/msg/String']
    assert node.count_subscribers('/image') == 1


def test_a_node_that_looks_at_the_graph_all_the_time_does_not_grow(world: World):  # noqa: F811
    node, other = world.node('here'), Node('camera', context=world.join())
    other.create_publisher(String, 'image', 1)
    world.until(lambda: node.count_publishers('image'))
    before = resident_mb()
    for _ in range(3000):
        node.count_publishers('image')
    assert resident_mb() - before < 1  # cyclonedds loses 1.4 kB with every reading of such a graph


def test_a_publisher_that_came_and_went_unseen_is_not_counted(world: World):  # noqa: F811
    node, other = world.node('here'), Node('camera', context=world.join())
    for _ in range(5):
        other.destroy_publisher(other.create_publisher(String, 'image', 1))
    other.create_publisher(String, 'last', 1)
    world.until(lambda: node.count_publishers('last'))
    world.until(lambda: not node.count_publishers('image'))


def test_publishers_that_come_and_go_are_counted(world: World):  # noqa: F811
    node, other = world.node('here'), Node('camera', context=world.join())
    first = other.create_publisher(String, 'image', 1)
    world.until(lambda: node.count_publishers('image') == 1)
    second = other.create_publisher(String, 'image', 1)
    world.until(lambda: node.count_publishers('image') == 2)
    other.destroy_publisher(first)
    world.until(lambda: node.count_publishers('image') == 1)
    other.destroy_publisher(second)
    world.until(lambda: node.count_publishers('image') == 0)


def test_log_lines_are_published(world: World):  # noqa: F811
    node, seen = world.node('here', namespace='ns'), []
    node.create_subscription(interface('rcl_interfaces/msg/Log'), '/rosout', seen.append, 10)
    world.until(
        lambda: (
            node.count_subscribers('/rosout') and node._rosout._publisher.get_subscription_count()
        )
    )
    node.get_logger().warning('look')
    world.until(lambda: seen)
    assert (seen[0].msg, seen[0].level, seen[0].name) == ('look', 30, 'ns.here')


def test_arguments_of_the_process_reach_its_nodes(world: World):  # noqa: F811
    context = world.join(['--ros-args', '-r', '__ns:=/robot', '-r', 'image:=picture'])
    node = Node('here', context=context)
    assert node.get_fully_qualified_name() == '/robot/here'
    assert node.resolve_topic_name('image') == '/robot/picture'
    lonely = Node('here2', context=context, use_global_arguments=False)
    assert lonely.get_namespace() == '/'


def test_discovery_stays_on_this_host_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv('ROS_AUTOMATIC_DISCOVERY_RANGE', raising=False)
    assert discovery_range_from_environment() == 'LOCALHOST'
    config = discovery_config('LOCALHOST', [], 1)
    assert '<AllowMulticast>false</AllowMulticast>' in config
    assert '<Peer address="localhost"' in config
    assert 'AllowMulticast' not in discovery_config('SUBNET', [], 1)
    assert '<Peer address="10.0.0.2"' in discovery_config('SUBNET', ['10.0.0.2'], 1)
    assert 'ros_discovery_off_7' in discovery_config('OFF', [], 7)
    assert discovery_config('SYSTEM_DEFAULT', [], 1) == ''


@pytest.mark.parametrize(
    ('variable', 'value'),
    [
        ('ROS_DOMAIN_ID', '300'),
        ('ROS_DOMAIN_ID', 'x'),
        ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'NEAR'),
        ('CYCLONEDDS_URI', '<CycloneDDS><Nonsense/></CycloneDDS>'),
    ],
)
def test_a_wrong_environment_is_explained(world: World, monkeypatch, variable, value):  # noqa: F811
    monkeypatch.setenv(variable, value)
    with pytest.raises(CrodinoError, match=variable):
        if variable == 'CYCLONEDDS_URI':
            Context().init([], domain_id=world.domain_id + 100)
        domain_id_from_environment()
        discovery_range_from_environment()


def test_the_domain_follows_the_environment(monkeypatch):
    monkeypatch.delenv('ROS_DOMAIN_ID', raising=False)
    assert domain_id_from_environment() == 0
    monkeypatch.setenv('ROS_DOMAIN_ID', '42')
    assert domain_id_from_environment() == 42


def test_the_embedded_middleware_can_be_asked_for(monkeypatch):
    monkeypatch.setenv('CRODINO_MIDDLEWARE', 'embedded')
    assert uses_rclpy() is False
    monkeypatch.setenv('CRODINO_MIDDLEWARE', 'dds')
    with pytest.raises(UsageError, match='auto, rclpy or embedded'):
        uses_rclpy()


def fake_rclpy(monkeypatch, tmp_path, *modules: str) -> None:
    """Have an rclpy with these modules found before any other."""
    (tmp_path / 'rclpy').mkdir()
    for module in ('__init__', *modules):
        (tmp_path / 'rclpy' / f'{module}.py').touch()
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition('.')[0] == 'rclpy']:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delenv('CRODINO_MIDDLEWARE', raising=False)
    monkeypatch.setenv('ROS_DISTRO', 'humble')


@pytest.mark.parametrize('wanted', ['auto', 'rclpy'])
def test_an_rclpy_that_is_too_old_is_refused_with_what_to_do(monkeypatch, tmp_path, wanted):
    fake_rclpy(monkeypatch, tmp_path, 'clock', 'qos_event')
    monkeypatch.setenv('CRODINO_MIDDLEWARE', wanted)
    with pytest.raises(UsageError) as refused:
        uses_rclpy()
    for words in ('ROS 2 humble', 'no rclpy.clock_type', 'Jazzy or newer was expected'):
        assert words in str(refused.value)
    assert 'CRODINO_MIDDLEWARE=embedded' in str(refused.value)
    monkeypatch.setenv('CRODINO_MIDDLEWARE', 'embedded')
    assert uses_rclpy() is False


def test_an_rclpy_with_what_the_nodes_need_is_taken(monkeypatch, tmp_path):
    fake_rclpy(monkeypatch, tmp_path, 'clock_type', 'event_handler')
    assert uses_rclpy() is True

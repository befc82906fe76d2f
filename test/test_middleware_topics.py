"""Publishing and subscribing on the embedded middleware."""

from __future__ import annotations

import pytest
from embedded_world import World, world  # noqa: F401

from crodino_ros.middleware.embedded.event_handler import (
    PublisherEventCallbacks,
    SubscriptionEventCallbacks,
    UnsupportedEventTypeError,
)
from crodino_ros.middleware.embedded.exceptions import (
    InvalidParameterTypeException,
    NotOfferedError,
)
from crodino_ros.middleware.embedded.interfaces import deserialize, interface
from crodino_ros.middleware.embedded.node import Node
from crodino_ros.middleware.embedded.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_sensor_data,
)
from crodino_ros.middleware.embedded.qos_overriding_options import (
    InvalidQosOverridesError,
    QoSOverridingOptions,
)

Image = interface('sensor_msgs/msg/Image')
String = interface('std_msgs/msg/String')
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


def test_an_image_arrives_as_it_was_sent(world: World):  # noqa: F811
    node, seen = world.node(), []
    node.create_subscription(Image, 'image', seen.append, qos_profile_sensor_data)
    publisher = node.create_publisher(Image, '/image', 5)
    world.until(publisher.get_subscription_count)
    image = Image(height=480, width=640, encoding='rgb8', step=1920, data=bytes(921_600))
    image.header.frame_id = 'camera'
    publisher.publish(image)
    world.until(lambda: seen)
    assert seen == [image]


def test_a_message_reaches_another_participant(world: World):  # noqa: F811
    other = Node('other', context=world.join())
    publisher = other.create_publisher(String, 'chat', 10)
    seen: list = []
    world.node().create_subscription(String, 'chat', seen.append, 10)
    world.until(publisher.get_subscription_count)
    publisher.publish(String(data='hello'))
    world.until(lambda: seen)
    assert seen[0].data == 'hello'


def test_a_late_subscriber_gets_the_last_latched_message(world: World):  # noqa: F811
    node, seen = world.node(), []
    publisher = node.create_publisher(String, 'labels', LATCHED)
    for text in ('old', 'new'):
        publisher.publish(String(data=text))
    node.create_subscription(String, 'labels', lambda m: seen.append(m.data), LATCHED)
    world.until(lambda: seen)
    assert seen == ['new']


def test_depth_one_keeps_the_newest_frame(world: World):  # noqa: F811
    node, seen = world.node(), []
    node.create_subscription(String, 'x', lambda m: seen.append(m.data), BEST_EFFORT)
    publisher = node.create_publisher(String, 'x', 10)
    world.until(publisher.get_subscription_count)
    for text in ('first', 'second', 'third'):
        publisher.publish(String(data=text))
    world.until(lambda: seen)
    assert seen == ['third']


def test_a_callback_with_two_parameters_gets_the_stamps(world: World):  # noqa: F811
    node, seen = world.node(), []
    node.create_subscription(String, 'x', lambda m, info: seen.append(info), 10)
    publisher = node.create_publisher(String, 'x', 10)
    world.until(publisher.get_subscription_count)
    publisher.publish(String())
    world.until(lambda: seen)
    assert 0 < seen[0]['source_timestamp'] <= seen[0]['received_timestamp']


def test_raw_bytes_can_be_received_and_sent_on(world: World):  # noqa: F811
    node, raw, seen = world.node(), [], []
    node.create_subscription(String, 'x', raw.append, 10, raw=True)
    node.create_subscription(String, 'y', seen.append, 10)
    first, second = node.create_publisher(String, 'x', 10), node.create_publisher(String, 'y', 10)
    world.until(lambda: first.get_subscription_count() and second.get_subscription_count())
    first.publish(String(data='abc'))
    world.until(lambda: raw)
    assert deserialize(raw[0], String).data == 'abc'
    second.publish(raw[0])
    world.until(lambda: seen)
    assert seen[0].data == 'abc'


def test_matches_are_counted_and_reported(world: World):  # noqa: F811
    node, events = world.node(), []
    publisher = node.create_publisher(
        String, 'x', 10, event_callbacks=PublisherEventCallbacks(matched=events.append)
    )
    assert publisher.get_subscription_count() == 0
    subscription = node.create_subscription(String, 'x', lambda _: None, 10)
    world.until(lambda: events)
    assert (events[0].current_count, events[0].current_count_change) == (1, 1)
    assert subscription.get_publisher_count() == publisher.get_subscription_count() == 1
    node.destroy_subscription(subscription)
    world.until(lambda: len(events) == 2)
    assert (events[1].current_count, events[1].current_count_change) == (0, -1)


def test_incompatible_qos_is_reported_to_both_sides(world: World):  # noqa: F811
    node, offered, requested = world.node(), [], []
    node.create_publisher(
        String,
        'x',
        BEST_EFFORT,
        event_callbacks=PublisherEventCallbacks(incompatible_qos=offered.append),
    )
    node.create_subscription(
        String,
        'x',
        lambda _: None,
        10,
        event_callbacks=SubscriptionEventCallbacks(incompatible_qos=requested.append),
    )
    world.until(lambda: offered and requested)
    assert offered[0].last_policy_kind == QoSPolicyKind.RELIABILITY
    assert requested[0].last_policy_kind == QoSPolicyKind.RELIABILITY


def test_incompatible_qos_is_logged_where_nobody_asked(world: World, capsys):  # noqa: F811
    node, log = world.node(), []
    node.create_publisher(String, 'x', BEST_EFFORT)
    node.create_subscription(String, 'x', lambda _: None, LATCHED)

    def logged() -> bool:
        log.append(capsys.readouterr().err)
        return ''.join(log).count('incompatible QoS') == 2

    world.until(logged)
    assert "on topic '/x'" in ''.join(log)


def test_events_that_are_not_offered_say_so():
    with pytest.raises(UnsupportedEventTypeError, match='deadline'):
        SubscriptionEventCallbacks(deadline=print)
    with pytest.raises(TypeError, match='machted'):
        SubscriptionEventCallbacks(machted=print)


def test_the_wrong_message_is_refused(world: World):  # noqa: F811
    publisher = world.node().create_publisher(String, 'x', 10)
    with pytest.raises(TypeError, match='std_msgs/msg/String, not Image'):
        publisher.publish(Image())


def test_a_destroyed_publisher_says_so(world: World):  # noqa: F811
    node = world.node()
    publisher = node.create_publisher(String, 'x', 10)
    assert node.destroy_publisher(publisher)
    assert not node.destroy_publisher(publisher)
    with pytest.raises(RuntimeError, match='/x has been destroyed'):
        publisher.publish(String())


def test_an_async_callback_is_not_offered(world: World):  # noqa: F811
    async def callback(_):
        pass

    with pytest.raises(NotOfferedError, match='async def'):
        world.node().create_subscription(String, 'x', callback, 10)


def test_qos_can_be_overridden_by_parameters(world: World):  # noqa: F811
    node = world.node(
        args='-p qos_overrides./x.subscription.reliability:=reliable '
        '-p qos_overrides./x.subscription.depth:=7'
    )
    subscription = node.create_subscription(
        String,
        'x',
        lambda _: None,
        BEST_EFFORT,
        qos_overriding_options=QoSOverridingOptions.with_default_policies(),
    )
    assert subscription.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    assert subscription.qos_profile.depth == 7
    assert BEST_EFFORT.reliability == ReliabilityPolicy.BEST_EFFORT
    assert node.get_parameter('qos_overrides./x.subscription.history').value == 'keep_last'


@pytest.mark.parametrize(
    ('value', 'error'),
    [('sometimes', InvalidQosOverridesError), ('3', InvalidParameterTypeException)],
)
def test_a_wrong_qos_override_is_refused(world: World, value, error):  # noqa: F811
    node = world.node(args=f'-p qos_overrides./x.publisher.reliability:={value}')
    with pytest.raises(error, match='reliability'):
        node.create_publisher(
            String, 'x', 1, qos_overriding_options=QoSOverridingOptions.with_default_policies()
        )


def test_a_profile_needs_a_depth_or_keeps_all():
    with pytest.raises(ValueError, match='depth'):
        QoSProfile()
    assert QoSProfile(history=HistoryPolicy.KEEP_ALL).depth == 0


def test_qos_that_is_not_offered_says_so(world: World):  # noqa: F811
    manual = QoSProfile(depth=1, liveliness=LivelinessPolicy.MANUAL_BY_TOPIC)
    with pytest.raises(NotOfferedError, match='MANUAL_BY_TOPIC'):
        world.node().create_publisher(String, 'x', manual)

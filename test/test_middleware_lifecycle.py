"""Managed nodes on the embedded middleware."""

from __future__ import annotations

import pytest
from embedded_world import World, world  # noqa: F401

from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.lifecycle import TransitionCallbackReturn

SUCCESS, FAILURE, ERROR = TransitionCallbackReturn
String = interface('std_msgs/msg/String')


def state(node) -> str:
    return node._state_machine.current_state[1]


def test_a_node_goes_through_its_life(world: World):  # noqa: F811
    node = world.node(lifecycle=True)
    assert state(node) == 'unconfigured'
    for trigger, reached in (
        (node.trigger_configure, 'inactive'),
        (node.trigger_activate, 'active'),
        (node.trigger_deactivate, 'inactive'),
        (node.trigger_cleanup, 'unconfigured'),
        (node.trigger_shutdown, 'finalized'),
    ):
        assert trigger() is SUCCESS
        assert state(node) == reached


def test_a_transition_that_is_not_possible_lists_those_that_are(world: World):  # noqa: F811
    node = world.node(lifecycle=True)
    with pytest.raises(RuntimeError, match='unconfigured; possible: configure, shutdown'):
        node.trigger_activate()
    assert state(node) == 'unconfigured'


@pytest.mark.parametrize(
    ('outcome', 'reached'), [(FAILURE, 'unconfigured'), (ERROR, 'unconfigured')]
)
def test_a_failed_configure_leaves_the_node_unconfigured(world: World, outcome, reached):  # noqa: F811
    node = world.node(lifecycle=True)
    node.on_configure = lambda _: outcome
    assert node.trigger_configure() is outcome
    assert state(node) == reached


def test_an_exception_is_an_error_and_is_logged(world: World, capsys):  # noqa: F811
    node = world.node(lifecycle=True)

    def on_configure(_):
        raise ValueError('no model')

    node.on_configure = on_configure
    assert node.trigger_configure() is ERROR
    assert state(node) == 'unconfigured'
    assert 'on_configure failed: ValueError: no model' in capsys.readouterr().err


def test_an_error_that_cannot_be_handled_ends_the_node(world: World):  # noqa: F811
    node = world.node(lifecycle=True)
    node.on_configure = lambda _: ERROR
    node.on_error = lambda _: FAILURE
    node.trigger_configure()
    assert state(node) == 'finalized'


def test_the_callback_is_told_the_state_it_leaves(world: World):  # noqa: F811
    node, left = world.node(lifecycle=True), []
    node.on_configure = lambda previous: left.append(previous) or SUCCESS
    node.trigger_configure()
    assert (left[0].label, left[0].state_id) == ('unconfigured', 1)


def test_a_lifecycle_publisher_is_silent_unless_active(world: World):  # noqa: F811
    node, seen = world.node(lifecycle=True), []
    publisher = node.create_lifecycle_publisher(String, 'x', 10)
    node.create_subscription(String, 'x', lambda m: seen.append(m.data), 10)
    world.until(publisher.get_subscription_count)
    node.trigger_configure()
    publisher.publish(String(data='too early'))
    node.trigger_activate()
    publisher.publish(String(data='now'))
    world.until(lambda: seen)
    assert seen == ['now']


def test_the_services_tell_and_change_the_state(world: World):  # noqa: F811
    node, events = world.node('eyes', lifecycle=True), []
    node.create_subscription(
        interface('lifecycle_msgs/msg/TransitionEvent'),
        '/eyes/transition_event',
        lambda e: events.append(f'{e.start_state.label} > {e.goal_state.label}'),
        10,
    )

    def call(name: str, topic: str, **fields):
        kind = interface(f'lifecycle_msgs/srv/{name}')
        request = kind.Request()
        for field, value in fields.items():
            setattr(request.transition, field, value)
        return world.call(node.create_client(kind, f'/eyes/{topic}'), request)

    assert call('GetState', 'get_state').current_state.label == 'unconfigured'
    available = call('GetAvailableTransitions', 'get_available_transitions')
    labels = [t.transition.label for t in available.available_transitions]
    assert labels == ['configure', 'shutdown']
    assert len(call('GetAvailableStates', 'get_available_states').available_states) == 11
    graph = call('GetAvailableTransitions', 'get_transition_graph').available_transitions
    assert len(graph) == 25
    assert call('ChangeState', 'change_state', id=1).success
    assert call('ChangeState', 'change_state', label='activate').success
    assert not call('ChangeState', 'change_state', id=1).success
    assert call('GetState', 'get_state').current_state.label == 'active'
    assert events == [
        'unconfigured > configuring',
        'configuring > inactive',
        'inactive > activating',
        'activating > active',
    ]

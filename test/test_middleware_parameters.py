"""Parameters of a node on the embedded middleware, from inside and through its services."""

from __future__ import annotations

import pytest
from embedded_world import World, world  # noqa: F401

from crodino_core.errors import CrodinoError
from crodino_ros.middleware.embedded.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    NameValidationException,
    ParameterAlreadyDeclaredException,
    ParameterNotDeclaredException,
    ParameterUninitializedException,
)
from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.parameter import Parameter

Descriptor = interface('rcl_interfaces/msg/ParameterDescriptor')
FloatRange = interface('rcl_interfaces/msg/FloatingPointRange')
IntRange = interface('rcl_interfaces/msg/IntegerRange')
Result = interface('rcl_interfaces/msg/SetParametersResult')
RATE = Descriptor(floating_point_range=[FloatRange(from_value=1.0, to_value=60.0)])
EVEN = Descriptor(integer_range=[IntRange(from_value=0, to_value=10, step=2)])


@pytest.mark.parametrize(
    'value', [True, 3, 0.5, 'rgb', [True], [1, 2], [0.5], ['a', 'b'], [b'\x01', b'\xff']]
)
def test_a_value_of_every_type_is_kept_and_becomes_a_message_and_back(world: World, value):  # noqa: F811
    node = world.node()
    node.declare_parameter('x', value)
    parameter = node.get_parameter('x')
    assert parameter.value == value
    assert Parameter.from_parameter_msg(parameter.to_parameter_msg()) == parameter


def test_the_command_line_overrides_the_default(world: World):  # noqa: F811
    node = world.node(args='-p rate:=20.0 -p unknown:=1')
    assert node.declare_parameter('rate', 30.0).value == 20.0
    assert node.declare_parameter('other', 30.0).value == 30.0
    assert set(node._parameter_overrides) == {'rate', 'unknown'}


def test_an_override_of_another_type_is_refused(world: World):  # noqa: F811
    node = world.node(args='-p rate:=fast')
    with pytest.raises(InvalidParameterTypeException, match='rate must be DOUBLE, not STRING'):
        node.declare_parameter('rate', 30.0)


def test_an_override_out_of_range_is_refused(world: World):  # noqa: F811
    node = world.node(args='-p rate:=90.0')
    with pytest.raises(InvalidParameterValueException, match='out of range'):
        node.declare_parameter('rate', 30.0, RATE)


def test_an_override_that_is_no_parameter_value_is_refused(world: World):  # noqa: F811
    with pytest.raises(CrodinoError, match='mixed'):
        world.node(args='-p mixed:=[1,a]')


def test_an_empty_list_takes_the_declared_type(world: World):  # noqa: F811
    node = world.node(args='-p names:=[]')
    assert node.declare_parameter('names', ['a']).type_ is Parameter.Type.STRING_ARRAY


def test_a_parameter_is_declared_once_and_by_a_good_name(world: World):  # noqa: F811
    node = world.node()
    node.declare_parameters('health', [('timeout', 0.5), ('frames', 3, EVEN_OR_NOT)])
    assert node.get_parameter('health.timeout').value == 0.5
    assert set(node.get_parameters_by_prefix('health')) == {'timeout', 'frames'}
    with pytest.raises(ParameterAlreadyDeclaredException):
        node.declare_parameter('health.timeout', 1.0)
    with pytest.raises(NameValidationException):
        node.declare_parameter('health..x', 1.0)


EVEN_OR_NOT = Descriptor(description='frames')


def test_a_parameter_may_have_a_type_and_no_value_yet(world: World):  # noqa: F811
    node = world.node()
    node.declare_parameter('model', Parameter.Type.STRING)
    with pytest.raises(ParameterUninitializedException):
        node.get_parameter('model')
    assert node.get_parameter_or('model', Parameter('model', value='x')).value == 'x'
    assert node.set_parameters([Parameter('model', value='y')])[0].successful
    assert node.get_parameter('model').value == 'y'


def test_what_is_not_declared_cannot_be_read_or_set(world: World):  # noqa: F811
    node = world.node()
    with pytest.raises(ParameterNotDeclaredException):
        node.get_parameter('x')
    with pytest.raises(ParameterNotDeclaredException):
        node.set_parameters([Parameter('x', value=1)])


@pytest.mark.parametrize(
    ('value', 'reason'),
    [
        (90.0, 'out of range'),
        (float('nan'), 'out of range'),
        ('fast', 'expected DOUBLE got STRING'),
        (13.0, 'unlucky'),
        (None, 'cannot be undeclared'),
    ],
)
def test_a_bad_value_is_refused_with_the_reason(world: World, value, reason):  # noqa: F811
    node = world.node()
    node.declare_parameter('rate', 30.0, RATE)
    node.add_on_set_parameters_callback(
        lambda parameters: Result(successful=parameters[0].value != 13.0, reason='13 is unlucky')
    )
    (result,) = node.set_parameters([Parameter('rate', value=value)])
    assert not result.successful
    assert reason in result.reason
    assert node.get_parameter('rate').value == 30.0


@pytest.mark.parametrize(('value', 'fits'), [(4, True), (5, False), (10, True), (12, False)])
def test_an_integer_range_has_steps(world: World, value, fits):  # noqa: F811
    node = world.node()
    node.declare_parameter('n', 2, EVEN)
    assert node.set_parameters([Parameter('n', value=value)])[0].successful is fits


def test_read_only_may_be_overridden_but_not_set(world: World):  # noqa: F811
    node = world.node(args='-p model:=b')
    node.declare_parameter('model', 'a', Descriptor(read_only=True))
    assert node.get_parameter('model').value == 'b'
    (result,) = node.set_parameters([Parameter('model', value='c')])
    assert 'read-only' in result.reason


def test_all_or_none_are_set_together(world: World):  # noqa: F811
    node = world.node()
    node.declare_parameter('a', 1)
    node.declare_parameter('n', 2, EVEN)
    result = node.set_parameters_atomically([Parameter('a', value=9), Parameter('n', value=3)])
    assert not result.successful
    assert node.get_parameter('a').value == 1


def test_a_change_is_announced_on_parameter_events(world: World):  # noqa: F811
    node, events = world.node('rated'), []
    node.create_subscription(
        interface('rcl_interfaces/msg/ParameterEvent'), '/parameter_events', events.append, 10
    )
    node.declare_parameter('rate', 30.0)
    node.set_parameters([Parameter('rate', value=20.0)])
    world.until(lambda: len(events) == 2)
    assert [p.name for p in events[0].new_parameters] == ['rate']
    assert events[1].changed_parameters[0].value.double_value == 20.0
    assert events[1].node == '/rated'


def test_the_services_list_get_describe_and_set(world: World):  # noqa: F811
    node = world.node('rated')
    node.declare_parameter('rate', 30.0, RATE)
    node.declare_parameter('deep.down', 'x')

    def call(name: str, topic: str, **request):
        kind = interface(f'rcl_interfaces/srv/{name}')
        client = node.create_client(kind, f'/rated/{topic}')
        return world.call(client, kind.Request(**request))

    listed = call('ListParameters', 'list_parameters').result
    assert {'rate', 'deep.down', 'use_sim_time'} <= set(listed.names)
    assert listed.prefixes == ['deep']
    assert call('ListParameters', 'list_parameters', prefixes=['deep']).result.names == [
        'deep.down'
    ]
    (value,) = call('GetParameters', 'get_parameters', names=['rate']).values
    assert value.double_value == 30.0
    assert call('GetParameters', 'get_parameters', names=['rate', 'no']).values == []
    assert call('GetParameterTypes', 'get_parameter_types', names=['rate']).types.tolist() == [3]
    (descriptor,) = call('DescribeParameters', 'describe_parameters', names=['rate']).descriptors
    assert descriptor.floating_point_range[0].to_value == 60.0
    wanted = [Parameter(n, value=v).to_parameter_msg() for n, v in (('rate', 9.0), ('no', 1))]
    good, bad = call('SetParameters', 'set_parameters', parameters=wanted).results
    assert good.successful
    assert 'not been declared' in bad.reason
    assert node.get_parameter('rate').value == 9.0
    result = call('SetParametersAtomically', 'set_parameters_atomically', parameters=wanted[:1])
    assert result.result.successful


def test_simulated_time_follows_the_clock_topic(world: World):  # noqa: F811
    node, ticks = world.node(args='-p use_sim_time:=true'), []
    node.create_timer(1.0, lambda: ticks.append(node.get_clock().now().nanoseconds))
    Clock = interface('rosgraph_msgs/msg/Clock')
    publisher = node.create_publisher(Clock, '/clock', 10)
    world.until(publisher.get_subscription_count)
    assert node.get_clock().now().nanoseconds == 0
    for second in (5, 6):
        message = Clock()
        message.clock.sec = second
        publisher.publish(message)
        world.until(lambda: node.get_clock().now().nanoseconds == second * 10**9)  # noqa: B023
    world.until(lambda: ticks)
    node.set_parameters([Parameter('use_sim_time', value=False)])
    assert node.get_clock().now().nanoseconds > 10**18
    world.until(lambda: not publisher.get_subscription_count())

"""ROS 2 for our nodes: rclpy where it is installed, else the embedded middleware.

The only place that knows which. Node sources import from here, and messages from
`crodino_ros.middleware.msg`, once for both worlds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crodino_ros.middleware.choice import uses_rclpy

NATIVE = uses_rclpy()
"""Whether these are rclpy's own classes."""

if TYPE_CHECKING or not NATIVE:
    from crodino_ros.middleware import embedded as rclpy
    from crodino_ros.middleware.embedded.callback_groups import (
        MutuallyExclusiveCallbackGroup,
        ReentrantCallbackGroup,
    )
    from crodino_ros.middleware.embedded.clock import (
        Clock,
        ClockChange,
        JumpThreshold,
        ROSClock,
        TimeJump,
    )
    from crodino_ros.middleware.embedded.context import Context
    from crodino_ros.middleware.embedded.duration import Duration
    from crodino_ros.middleware.embedded.event_handler import (
        PublisherEventCallbacks,
        SubscriptionEventCallbacks,
    )
    from crodino_ros.middleware.embedded.exceptions import (
        ExternalShutdownException,
        InvalidParameterTypeException,
        InvalidParameterValueException,
        ParameterAlreadyDeclaredException,
        ParameterNotDeclaredException,
    )
    from crodino_ros.middleware.embedded.executors import SingleThreadedExecutor
    from crodino_ros.middleware.embedded.lifecycle import (
        LifecycleNode,
        LifecyclePublisher,
        LifecycleState,
        TransitionCallbackReturn,
    )
    from crodino_ros.middleware.embedded.logging import LoggingSeverity, get_logger
    from crodino_ros.middleware.embedded.node import Node
    from crodino_ros.middleware.embedded.parameter import Parameter
    from crodino_ros.middleware.embedded.publisher import Publisher
    from crodino_ros.middleware.embedded.qos import (
        DurabilityPolicy,
        HistoryPolicy,
        QoSPolicyKind,
        QoSProfile,
        ReliabilityPolicy,
        qos_policy_name_from_kind,
        qos_profile_sensor_data,
    )
    from crodino_ros.middleware.embedded.qos_overriding_options import QoSOverridingOptions
    from crodino_ros.middleware.embedded.service import Client, Service
    from crodino_ros.middleware.embedded.subscription import Subscription
    from crodino_ros.middleware.embedded.task import Future
    from crodino_ros.middleware.embedded.time import ClockType, Time
    from crodino_ros.middleware.embedded.timer import Timer
else:
    import rclpy
    from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
    from rclpy.client import Client
    from rclpy.clock import Clock, ClockChange, JumpThreshold, ROSClock, TimeJump
    from rclpy.clock_type import ClockType
    from rclpy.context import Context
    from rclpy.duration import Duration
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
    from rclpy.exceptions import (
        InvalidParameterTypeException,
        InvalidParameterValueException,
        ParameterAlreadyDeclaredException,
        ParameterNotDeclaredException,
    )
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.lifecycle import (
        LifecycleNode,
        LifecyclePublisher,
        LifecycleState,
        TransitionCallbackReturn,
    )
    from rclpy.logging import LoggingSeverity, get_logger
    from rclpy.node import Node
    from rclpy.parameter import Parameter
    from rclpy.publisher import Publisher
    from rclpy.qos import (
        DurabilityPolicy,
        HistoryPolicy,
        QoSPolicyKind,
        QoSProfile,
        ReliabilityPolicy,
        qos_policy_name_from_kind,
        qos_profile_sensor_data,
    )
    from rclpy.qos_overriding_options import QoSOverridingOptions
    from rclpy.service import Service
    from rclpy.subscription import Subscription
    from rclpy.task import Future
    from rclpy.time import Time
    from rclpy.timer import Timer

__all__ = [
    'NATIVE',
    'Client',
    'Clock',
    'ClockChange',
    'ClockType',
    'Context',
    'DurabilityPolicy',
    'Duration',
    'ExternalShutdownException',
    'Future',
    'HistoryPolicy',
    'InvalidParameterTypeException',
    'InvalidParameterValueException',
    'JumpThreshold',
    'LifecycleNode',
    'LifecyclePublisher',
    'LifecycleState',
    'LoggingSeverity',
    'MutuallyExclusiveCallbackGroup',
    'Node',
    'Parameter',
    'ParameterAlreadyDeclaredException',
    'ParameterNotDeclaredException',
    'Publisher',
    'PublisherEventCallbacks',
    'QoSOverridingOptions',
    'QoSPolicyKind',
    'QoSProfile',
    'ROSClock',
    'ReentrantCallbackGroup',
    'ReliabilityPolicy',
    'Service',
    'SingleThreadedExecutor',
    'Subscription',
    'SubscriptionEventCallbacks',
    'Time',
    'TimeJump',
    'Timer',
    'TransitionCallbackReturn',
    'get_logger',
    'qos_policy_name_from_kind',
    'qos_profile_sensor_data',
    'rclpy',
]

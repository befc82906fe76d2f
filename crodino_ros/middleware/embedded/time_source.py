"""`use_sim_time`: a node's clock follows `/clock`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crodino_ros.middleware.embedded.clock import ROSClock
from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.parameter import Parameter
from crodino_ros.middleware.embedded.qos import QoSProfile, ReliabilityPolicy
from crodino_ros.middleware.embedded.time import Time

if TYPE_CHECKING:
    from crodino_ros.middleware.embedded.node import Node
    from crodino_ros.middleware.embedded.subscription import Subscription

USE_SIM_TIME = 'use_sim_time'


class TimeSource:
    """Declares `use_sim_time` on a node and drives its clock."""

    def __init__(self, node: Node, clock: ROSClock) -> None:
        self._node = node
        self._clock = clock
        self._subscription: Subscription | None = None
        if not node.has_parameter(USE_SIM_TIME):
            node.declare_parameter(USE_SIM_TIME, False)
        self._use(node.get_parameter(USE_SIM_TIME).value)
        node.add_post_set_parameters_callback(self._on_set)

    def _on_set(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name == USE_SIM_TIME:
                self._use(bool(parameter.value))

    def _use(self, simulated: bool) -> None:
        self._clock._set_ros_time_is_active(simulated)
        if simulated and self._subscription is None:
            self._subscription = self._node.create_subscription(
                interface('rosgraph_msgs/msg/Clock'),
                '/clock',
                self._on_clock,
                QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT),
            )
        elif not simulated and self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _on_clock(self, message: Any) -> None:
        self._clock.set_ros_time_override(Time.from_msg(message.clock))

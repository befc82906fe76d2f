"""Lets a `ros2 bag play --start-paused` go on as soon as everybody listens; then it ends.

What a bag holds is published once: what comes before the subscribers is lost, and no fixed delay
suits every machine. `launch/replay.launch.py` starts this node beside the others.
"""

from __future__ import annotations

from typing import Any

from crodino_core.errors import CrodinoError
from crodino_ros.mask_outputs import LATCHED
from crodino_ros.middleware import Clock, ClockType, Future, Node
from crodino_ros.middleware.msg import DiagnosticArray, DiagnosticStatus
from crodino_ros.middleware.srv import interface
from crodino_ros.node_main import run_node
from crodino_ros.node_parameters import ParameterSpec, declare, values

LOOK_EVERY = 0.25
"""Seconds. Everybody is there at two looks running, so that the player has heard of them too."""

PARAMETERS = (
    ParameterSpec(
        'topics',
        ['segmentation/mask'],
        'Topics that are to be subscribed to before the bag begins.',
        read_only=True,
    ),
    ParameterSpec(
        'player', 'rosbag2_player', 'Name of the node that plays the bag.', read_only=True
    ),
)


class BagStarterNode(Node):
    """Resumes the player once the segment node is active and all topics are subscribed to.

    `finished` when the player has answered. What `spin` raises is a CrodinoError: the segment
    node has said that it cannot start.
    """

    def __init__(self, node_name: str = 'bag_starter', **options: Any) -> None:
        super().__init__(node_name, **options)
        declare(self, PARAMETERS)
        given = values(self, PARAMETERS)
        self.finished = False
        self._topics = [self.resolve_topic_name(topic) for topic in given['topics']]
        self._is_active = self._was_ready = False
        self._awaited: list[str] | None = None
        self._status = self.create_subscription(
            DiagnosticArray, 'segmentation/status', self._on_status, LATCHED
        )
        self._resume_type = interface('rosbag2_interfaces/srv/Resume')
        self._resume = self.create_client(self._resume_type, f'{given["player"]}/resume')
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(LOOK_EVERY, self._look, clock=steady)

    def _on_status(self, message: Any) -> None:
        self._is_active = len(message.status) > 1  # the sensors too
        for status in message.status:
            if not self._is_active and status.level == DiagnosticStatus.ERROR:
                raise CrodinoError(f'the bag is not played: {status.message}')

    def _look(self) -> None:
        awaited = self._missing()
        if awaited != self._awaited:
            self.get_logger().info(f'waiting for {", ".join(awaited)}' if awaited else 'playing')
            self._awaited = awaited
        if not awaited and self._was_ready:
            self.destroy_timer(self._timer)
            self._resume.call_async(self._resume_type.Request()).add_done_callback(self._finish)
        self._was_ready = not awaited

    def _missing(self) -> list[str]:
        """What is not there yet, in words."""
        missing = [] if self._is_active else ['the segment node to be active']
        missing += [f'a subscriber of {t}' for t in self._topics if not self.count_subscribers(t)]
        return missing if self._resume.service_is_ready() else [*missing, 'the player']

    def _finish(self, future: Future) -> None:
        self.finished = True


def main(args: list[str] | None = None) -> int:
    """Wait until the bag is played."""
    return run_node(BagStarterNode, args, until=lambda node: node.finished)


if __name__ == '__main__':
    raise SystemExit(main())

"""Breaks sensors on purpose: sits between the drivers and the segment node.

    ros2 run crodino_ros fault_injector_node --ros-args -r input/color/image_raw:=/camera/...
    ros2 param set /fault_injector rgb_fault drop
    ros2 param set /fault_injector depth_fault "depth_noise severity=5 + delay delay_s=0.3"
    ros2 param set /fault_injector rgb_fault none
    ros2 param set /fault_injector duration 30.0
    ros2 param set /fault_injector scenario camera_blackout
    ros2 service call /fault_injector/clear std_srvs/srv/Trigger

Images come in on `input/color/image_raw` and `input/depth/image_rect` and go out on
`color/image_raw` and `depth/image_rect`, raw. `~/active_faults` (latched) says what is broken.
"""

from __future__ import annotations

import time
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_core.evaluation.faults import FAULTS
from crodino_core.evaluation.live_injection import HEALTHY, LiveInjection, parse_faults
from crodino_core.evaluation.scenario import Scenario, load_scenario, scenario_names
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame
from crodino_ros.image_relay import ImageRelay
from crodino_ros.mask_outputs import LATCHED
from crodino_ros.middleware import (
    Clock,
    ClockType,
    Node,
    Parameter,
)
from crodino_ros.middleware.msg import SetParametersResult, String
from crodino_ros.middleware.srv import Trigger
from crodino_ros.node_main import run_node
from crodino_ros.node_parameters import ParameterSpec, check_choices, declare, values
from crodino_ros.segment_settings import TRANSPORTS

SOONEST = 0.001
"""Seconds; a held frame is never waited for less."""


def _fault_parameter(sensor: Modality) -> ParameterSpec:
    fitting = sorted(name for name, kind in FAULTS.items() if sensor in kind.sensors)
    return ParameterSpec(
        f'{sensor}_fault',
        HEALTHY,
        f'Faults of the {sensor} sensor: {HEALTHY}, or kinds with parameters joined by +, as in '
        f'"delay severity=2 + black". Kinds: {", ".join(fitting)}.',
    )


PARAMETERS = (
    *(_fault_parameter(modality) for modality in Modality),
    ParameterSpec(
        'scenario',
        '',
        'Scenario to play from the next image on, a name or a YAML file; empty for none. '
        f'Names: {", ".join(scenario_names())}.',
    ),
    ParameterSpec(
        'duration',
        0.0,
        'Seconds that the percentages in a scenario refer to; 0 where unknown.',
        limits=(0.0, 1e6),
    ),
    ParameterSpec(
        'color_transport',
        'raw',
        'How colour images come in; they go out raw.',
        choices=TRANSPORTS[Modality.RGB],
        read_only=True,
    ),
    ParameterSpec(
        'depth_transport',
        'raw',
        'How depth images come in; they go out raw.',
        choices=TRANSPORTS[Modality.DEPTH],
        read_only=True,
    ),
)


class FaultInjectorNode(Node):
    """Relays both sensors and applies what the parameters ask for."""

    def __init__(self, node_name: str = 'fault_injector', **options: Any) -> None:
        super().__init__(node_name, **options)
        declare(self, PARAMETERS)
        given = values(self, PARAMETERS)
        check_choices(PARAMETERS, given)
        self._injection = LiveInjection()
        self._announced: list[str] | None = None
        self._active_faults = self.create_publisher(String, '~/active_faults', LATCHED)
        self._apply(given)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(3600.0, self._give_out, clock=steady)
        self._timer.cancel()
        self._relays = {
            modality: ImageRelay(
                self,
                modality,
                given['color_transport' if modality is Modality.RGB else 'depth_transport'],
                time.monotonic,
                self._take,
                lambda cause, modality=modality: self._take_damage(modality, cause),  # type: ignore[misc]
            )
            for modality in Modality
        }
        self.create_service(Trigger, '~/clear', self._on_clear)
        self.create_service(Trigger, '~/restart', self._on_restart)
        self._announce()

    def _take(self, frame: Frame) -> None:
        for out in self._injection.push(frame, self._scenario_time()):
            self._relays[out.modality].publish(out)
        self._wait_for_held()
        self._announce()

    def _take_damage(self, modality: Modality, cause: str) -> bool:
        self.get_logger().warning(f'{modality}: {cause}', throttle_duration_sec=5.0)
        return not self._injection.swallows(modality, self._scenario_time())

    def _give_out(self) -> None:
        for frame in self._injection.due(time.monotonic()):
            self._relays[frame.modality].publish(frame)
        self._wait_for_held()

    def _wait_for_held(self) -> None:
        due = self._injection.next_arrival
        if due is None:
            self._timer.cancel()
            return
        self._timer.timer_period_ns = int(max(due - time.monotonic(), SOONEST) * 1e9)
        self._timer.reset()

    def _scenario_time(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9

    def _announce(self) -> None:
        active = self._injection.active(self._scenario_time())
        if active != self._announced:
            text = ', '.join(active) or HEALTHY
            self.get_logger().info(f'active faults: {text}')
            self._active_faults.publish(String(data=text))
            self._announced = active

    def _on_set_parameters(self, changed: list[Parameter]) -> Any:
        try:
            self._apply({p.name: p.value for p in changed})
        except CrodinoError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._announce()
        return SetParametersResult(successful=True)

    def _apply(self, given: dict[str, Any]) -> None:
        """Read all that was given before any of it takes effect."""
        faults = {
            modality: parse_faults(given[f'{modality}_fault'], modality)
            for modality in Modality
            if f'{modality}_fault' in given
        }
        if 'scenario' in given or 'duration' in given:
            known = {**values(self, PARAMETERS), **given}
            self._injection.play(_scenario(known['scenario']), known['duration'])
        for modality, wanted in faults.items():
            self._injection.set(modality, wanted)

    def _on_clear(self, request: Any, response: Any) -> Any:
        healthy = [Parameter(f'{modality}_fault', value=HEALTHY) for modality in Modality]
        self.set_parameters([*healthy, Parameter('scenario', value='')])
        response.success, response.message = True, 'both sensors are as they come in'
        return response

    def _on_restart(self, request: Any, response: Any) -> Any:
        name = self.get_parameter('scenario').value
        try:  # the file may have changed or gone since it was named
            self._injection.play(_scenario(name), self.get_parameter('duration').value)
        except CrodinoError as error:
            response.success, response.message = False, str(error)
            return response
        response.success = bool(name)
        response.message = f'{name} begins with the next image' if name else 'no scenario is set'
        return response


def _scenario(name: str) -> Scenario | None:
    return load_scenario(name) if name else None


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted."""
    return run_node(FaultInjectorNode, args)


if __name__ == '__main__':
    raise SystemExit(main())

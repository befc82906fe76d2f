"""The live node: two image topics in, one stream of masks out.

Transitions: `configure` loads the model and warms both networks up, `activate` subscribes and
publishes, `deactivate` stops both, `cleanup` frees the networks. With the parameter `autostart`
the node does the first two by itself.

Callbacks only look: they decode an image, judge it and choose what is to be segmented. The
networks run in a thread of their own, so that a slow one never makes a sensor look dead.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_core.runtime.arbiter import FUSING
from crodino_core.runtime.quality import watch_for
from crodino_core.runtime.segmenter import FailoverSegmenter
from crodino_ros.diagnostics import report, report_inactive
from crodino_ros.mask_outputs import LATCHED, MaskOutputs
from crodino_ros.mask_stream import MaskStream
from crodino_ros.middleware import (
    Clock,
    ClockType,
    LifecycleNode,
    LifecycleState,
    Parameter,
    TransitionCallbackReturn,
)
from crodino_ros.middleware.msg import DiagnosticArray, SetParametersResult
from crodino_ros.networks import BackgroundLoad, Networks
from crodino_ros.node_main import run_node
from crodino_ros.node_parameters import declare, same, unused_qos_overrides, values
from crodino_ros.segment_settings import PARAMETERS, SegmentSettings
from crodino_ros.serving_log import NONE

BRIEFLY = 0.1
"""Seconds between two reports at least, however fast the states change."""
FIXED = {spec.name for spec in PARAMETERS if spec.at_configure}


class SegmentNode(LifecycleNode):
    """Carries parameters, transitions and diagnostics; `MaskStream` does the work."""

    def __init__(self, node_name: str = 'segment_node', **options: Any) -> None:
        # Before anything can fail: a node that was made by half is destroyed too.
        self._networks: Networks | None = None
        self._segmenter: FailoverSegmenter | None = None
        self._outputs: MaskOutputs | None = None
        self._stream: MaskStream | None = None
        self._reload: BackgroundLoad | None = None
        super().__init__(node_name, **options)
        self._reload = BackgroundLoad(self, self._take_over)
        self._state, self._problem = 'unconfigured', ''
        self._unknown = declare(self, PARAMETERS)  # raises where a value makes no sense
        self._unused: list[str] = []
        self._settings = SegmentSettings.from_parameters(values(self, PARAMETERS))
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self.add_post_set_parameters_callback(self._apply_parameters)
        self._reported_at = 0.0
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._status = self.create_publisher(DiagnosticArray, 'segmentation/status', LATCHED)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        period = self.get_parameter('diagnostics_period').value
        self._heartbeat = self.create_timer(period, self._on_heartbeat, clock=steady)
        self._soon = self.create_timer(BRIEFLY, self._report, clock=steady)
        self._soon.cancel()
        if self.get_parameter('autostart').value:
            self._start = self.create_timer(0.0, self._autostart, clock=steady)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and warm both networks up; on failure say why and stay unconfigured."""
        try:
            self._load()
        except Exception as error:  # rclpy would fail without a word
            self._release()
            return self._fail('configure', error)
        self._state, self._problem = 'inactive', ''
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to both sensors and publish masks; on failure say why and stay inactive."""
        assert self._segmenter is not None and self._outputs is not None
        try:
            outcome = super().on_activate(state)  # enables the publishers
            self._stream = MaskStream(
                self, self._segmenter, self._outputs, self._possible(), self._on_change
            )
            self._load_for_fusing()
            self._unused = unused_qos_overrides(self, self._unused)
        except Exception as error:  # as above
            self._end_stream()
            super().on_deactivate(state)
            return self._fail('activate', error)
        self._state, self._problem = 'active', ''
        return outcome

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop inference; both networks stay loaded."""
        self._end_stream()
        if self._outputs is not None:
            self._outputs.announce_modality(NONE)  # the topic is latched
        self._state = 'inactive'
        self._report()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the networks and the topics."""
        self._release()
        self._state, self._problem = 'unconfigured', ''
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End for good."""
        self._release()
        self._state = 'finalized'
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured, whatever went wrong."""
        self._release()
        self._state = 'unconfigured'
        return super().on_error(state)

    def destroy_node(self) -> None:
        """End the inference thread before the publishers it uses."""
        self._release()
        super().destroy_node()

    def _load(self) -> None:
        self._networks = networks = Networks.load(self._settings, say=self.get_logger().info)
        self._segmenter = FailoverSegmenter(networks.bundle, engines=networks.loaded.engines)
        self._outputs = MaskOutputs(self, networks.bundle.labels)
        self.get_logger().info(str(networks))

    def _fail(self, transition: str, error: Exception) -> TransitionCallbackReturn:
        """Say why a transition fails."""
        reason = ' '.join(str(error).split())
        expected = isinstance(error, CrodinoError)
        self._problem = reason if expected else f'{type(error).__name__}: {reason}'
        self.get_logger().error(f'cannot {transition}: {self._problem}')
        self._report()
        return TransitionCallbackReturn.FAILURE

    def _end_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _release(self) -> None:
        self._end_stream()
        if self._reload is not None:
            self._reload.cancel()
        if self._outputs is not None:
            self._outputs.close()
        self._outputs = self._segmenter = self._networks = None

    def _autostart(self) -> None:
        self.destroy_timer(self._start)
        if self._state != 'unconfigured':
            return
        if self.trigger_configure() is TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _on_set_parameters(self, changed: list[Parameter]) -> Any:
        """Refuse what makes no sense, with the reason; nothing is applied yet."""
        given = {p.name: p.value for p in changed}
        present = values(self, PARAMETERS)
        fixed = sorted(n for n in FIXED & given.keys() if not same(given[n], present[n]))
        if fixed and self._segmenter is not None:
            return SetParametersResult(
                successful=False,
                reason=f'{", ".join(fixed)} is read when the node is configured: deactivate and '
                'clean it up, set it, and configure it again',
            )
        try:
            settings = SegmentSettings.from_parameters({**present, **given})
            if self._networks is not None:
                watch_for(self._networks.bundle, settings.arbiter.policy)
        except CrodinoError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _apply_parameters(self, changed: list[Parameter]) -> None:
        """Take over what is set now, which no other callback has refused either."""
        self._settings = SegmentSettings.from_parameters(values(self, PARAMETERS))
        if self._stream is not None:
            self._stream.apply(self._possible())
            self._load_for_fusing()

    def _possible(self) -> SegmentSettings:
        """The settings that the networks as they are loaded can follow."""
        arbiter = self._settings.arbiter
        if arbiter.policy in FUSING and self._networks and not self._networks.can_fuse:
            return replace(self._settings, arbiter=replace(arbiter, policy='prefer'))
        return self._settings

    def _load_for_fusing(self) -> None:
        """Load the networks anew, beside those at work, if the policy asks for more of them."""
        if self._stream is not None and self._possible() is not self._settings:
            assert self._reload is not None
            self._reload.start(self._settings, self._stream.sizes)

    def _take_over(self, networks: Networks) -> None:
        """Use networks that were loaded beside, unless the node has moved on meanwhile."""
        if self._stream is not None and self._segmenter is not None:
            self._networks, self._segmenter.engines = networks, networks.loaded.engines
            self._stream.apply(self._possible())

    def _on_change(self) -> None:
        """Report at once, or, where there was a report just now, in a moment."""
        if time.monotonic() - self._reported_at >= BRIEFLY:
            self._report()
        elif self._soon.is_canceled():
            self._soon.reset()

    def _on_heartbeat(self) -> None:
        if self._stream is not None:
            self._stream.heartbeat()
        self._report()

    def _report(self) -> None:
        self._soon.cancel()
        stamp, name = self.get_clock().now().to_msg(), self.get_fully_qualified_name()
        if self._stream is None or self._networks is None:
            message = report_inactive(stamp, name, self._state, self._problem)
        else:
            ignored = [*self._unknown, *self._unused]
            output = self._stream.output_report(self._networks.facts, ignored)
            message = report(stamp, name, self._stream.sensor_reports(), output)
        self._reported_at = time.monotonic()
        self._diagnostics.publish(message)
        self._status.publish(message)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted."""
    return run_node(SegmentNode, args)


if __name__ == '__main__':
    raise SystemExit(main())

"""Managed nodes: the ROS 2 lifecycle, its services and its transition events.

https://design.ros2.org/articles/node_lifecycle.html.
"""

from __future__ import annotations

from typing import Any

from crodino_ros.middleware.embedded.interfaces import interface
from crodino_ros.middleware.embedded.lifecycle_states import (
    CALLBACKS,
    STATES,
    TRANSITIONS,
    LifecycleState,
    StateMachine,
    Transition,
    TransitionCallbackReturn,
    state_message,
    transition_message,
)
from crodino_ros.middleware.embedded.node import Node
from crodino_ros.middleware.embedded.publisher import Publisher
from crodino_ros.middleware.embedded.qos import QoSProfile


class ManagedEntity:
    """Something that follows the transitions of its node; override what matters."""

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS


class LifecyclePublisher(ManagedEntity, Publisher):
    """Publishes while its node is active, and silently not otherwise."""

    is_activated = False

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.is_activated = True
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.is_activated = False
        return TransitionCallbackReturn.SUCCESS

    def publish(self, msg: Any) -> None:
        if self.is_activated:
            super().publish(msg)


class LifecycleNode(Node):
    """A node with `on_configure`, `on_activate`, ... to override; call `super()` in them where
    managed entities should follow."""

    def __init__(
        self, node_name: str, *, enable_communication_interface: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(node_name, **kwargs)
        self._managed_entities: list[ManagedEntity] = []
        self._state_machine = StateMachine()
        self._transition_events: Publisher | None = None
        if not enable_communication_interface:
            return
        self._transition_events = self.create_publisher(
            interface('lifecycle_msgs/msg/TransitionEvent'),
            '~/transition_event',
            QoSProfile(depth=10),
        )
        for service, name, callback in (
            ('ChangeState', 'change_state', self._on_change_state),
            ('GetState', 'get_state', self._on_get_state),
            ('GetAvailableStates', 'get_available_states', self._on_get_states),
            ('GetAvailableTransitions', 'get_available_transitions', self._on_get_transitions),
            ('GetAvailableTransitions', 'get_transition_graph', self._on_get_graph),
        ):
            self.create_service(interface(f'lifecycle_msgs/srv/{service}'), f'~/{name}', callback)

    def trigger_configure(self) -> TransitionCallbackReturn:
        return self._change_state('configure')

    def trigger_cleanup(self) -> TransitionCallbackReturn:
        return self._change_state('cleanup')

    def trigger_activate(self) -> TransitionCallbackReturn:
        return self._change_state('activate')

    def trigger_deactivate(self) -> TransitionCallbackReturn:
        return self._change_state('deactivate')

    def trigger_shutdown(self) -> TransitionCallbackReturn:
        return self._change_state('shutdown')

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._managed('on_configure', state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._managed('on_cleanup', state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._managed('on_shutdown', state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._managed('on_activate', state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._managed('on_deactivate', state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._managed('on_error', state)

    def create_lifecycle_publisher(self, *args: Any, **kwargs: Any) -> LifecyclePublisher:
        """As `create_publisher`; publishes only while the node is active."""
        publisher = self.create_publisher(*args, publisher_class=LifecyclePublisher, **kwargs)
        self._managed_entities.append(publisher)
        return publisher  # type: ignore[no-any-return]

    def destroy_lifecycle_publisher(self, publisher: LifecyclePublisher) -> bool:
        if publisher in self._managed_entities:
            self._managed_entities.remove(publisher)
        return self.destroy_publisher(publisher)

    def _managed(self, callback: str, state: LifecycleState) -> TransitionCallbackReturn:
        for entity in self._managed_entities:
            outcome: TransitionCallbackReturn = getattr(entity, callback)(state)
            if outcome is not TransitionCallbackReturn.SUCCESS:
                return outcome
        return TransitionCallbackReturn.SUCCESS

    def _change_state(self, id_or_label: int | str) -> TransitionCallbackReturn:
        left = LifecycleState(
            state_id=self._state_machine.state, label=STATES[self._state_machine.state]
        )
        self._go(self._state_machine.find(id_or_label))
        outcome = self._call_back(left)
        self._go(self._state_machine.find(outcome.to_label()))
        if outcome is TransitionCallbackReturn.ERROR:
            self._go(self._state_machine.find(self._call_back(left).to_label()))
        return outcome

    def _call_back(self, left: LifecycleState) -> TransitionCallbackReturn:
        """Run the callback of the state we are in; an exception is an ERROR, and is logged."""
        name = CALLBACKS[self._state_machine.state]
        try:
            outcome = getattr(self, name)(left)
        except Exception as error:
            self.get_logger().error(f'{name} failed: {type(error).__name__}: {error}')
            return TransitionCallbackReturn.ERROR
        if isinstance(outcome, TransitionCallbackReturn):
            return outcome
        self.get_logger().error(f'{name} must return a TransitionCallbackReturn')
        return TransitionCallbackReturn.ERROR

    def _go(self, transition: Transition) -> None:
        self._state_machine.state = transition.goal
        if self._transition_events is not None and not self._transition_events.destroyed:
            self._transition_events.publish(
                interface('lifecycle_msgs/msg/TransitionEvent')(
                    start_state=state_message(transition.start),
                    goal_state=state_message(transition.goal),
                )
            )

    def _on_change_state(self, request: Any, response: Any) -> Any:
        wanted = request.transition.label or request.transition.id
        try:
            response.success = self._change_state(wanted) is TransitionCallbackReturn.SUCCESS
        except RuntimeError as error:
            self.get_logger().warning(f'change_state: {error}')
        return response

    def _on_get_state(self, _: Any, response: Any) -> Any:
        response.current_state = state_message(self._state_machine.state)
        return response

    def _on_get_states(self, _: Any, response: Any) -> Any:
        response.available_states = [state_message(number) for number in STATES]
        return response

    def _on_get_transitions(self, _: Any, response: Any) -> Any:
        response.available_transitions = [
            transition_message(t) for t in self._state_machine.available()
        ]
        return response

    def _on_get_graph(self, _: Any, response: Any) -> Any:
        response.available_transitions = [transition_message(t) for t in TRANSITIONS]
        return response


State = LifecycleState

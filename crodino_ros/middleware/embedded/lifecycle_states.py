"""The states and transitions of a managed node; ids and labels as in rcl_lifecycle."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from crodino_ros.middleware.embedded.interfaces import interface


class TransitionCallbackReturn(Enum):
    """What a transition callback found."""

    SUCCESS = 97
    FAILURE = 98
    ERROR = 99

    def to_label(self) -> str:
        return f'transition_{self.name.lower()}'


class LifecycleState(NamedTuple):
    """The state given to transition callbacks: the one being left."""

    label: str
    state_id: int


STATES = {
    0: 'unknown',
    1: 'unconfigured',
    2: 'inactive',
    3: 'active',
    4: 'finalized',
    10: 'configuring',
    11: 'cleaningup',
    12: 'shuttingdown',
    13: 'activating',
    14: 'deactivating',
    15: 'errorprocessing',
}


@dataclass(frozen=True)
class Transition:
    id: int
    label: str
    start: int
    goal: int


def _outcomes(first_id: int, start: int, success: int, failure: int) -> list[Transition]:
    return [
        Transition(first_id, 'transition_success', start, success),
        Transition(first_id + 1, 'transition_failure', start, failure),
        Transition(first_id + 2, 'transition_error', start, 4 if start == 15 else 15),
    ]


TRANSITIONS = [
    Transition(1, 'configure', 1, 10),
    *_outcomes(10, 10, success=2, failure=1),
    Transition(2, 'cleanup', 2, 11),
    *_outcomes(20, 11, success=1, failure=2),
    Transition(3, 'activate', 2, 13),
    *_outcomes(30, 13, success=3, failure=2),
    Transition(4, 'deactivate', 3, 14),
    *_outcomes(40, 14, success=2, failure=3),
    Transition(5, 'shutdown', 1, 12),
    Transition(6, 'shutdown', 2, 12),
    Transition(7, 'shutdown', 3, 12),
    *_outcomes(50, 12, success=4, failure=4),
    *_outcomes(60, 15, success=1, failure=4),
]

CALLBACKS = {
    10: 'on_configure',
    11: 'on_cleanup',
    12: 'on_shutdown',
    13: 'on_activate',
    14: 'on_deactivate',
    15: 'on_error',
}


class StateMachine:
    """Where a node is in its life, and where it may go."""

    def __init__(self) -> None:
        self.state = 1

    @property
    def current_state(self) -> tuple[int, str]:
        return self.state, STATES[self.state]

    def available(self) -> list[Transition]:
        return [t for t in TRANSITIONS if t.start == self.state]

    def find(self, id_or_label: int | str) -> Transition:
        """The transition of that id or label from here; RuntimeError says what is possible."""
        for transition in self.available():
            if id_or_label in (transition.id, transition.label):
                return transition
        possible = ', '.join(t.label for t in self.available()) or 'nothing'
        raise RuntimeError(
            f'no transition {id_or_label!r} from state {STATES[self.state]}; possible: {possible}'
        )


def state_message(number: int) -> Any:
    """lifecycle_msgs/msg/State."""
    return interface('lifecycle_msgs/msg/State')(id=number, label=STATES[number])


def transition_message(transition: Transition) -> Any:
    """lifecycle_msgs/msg/TransitionDescription."""
    return interface('lifecycle_msgs/msg/TransitionDescription')(
        transition=interface('lifecycle_msgs/msg/Transition')(
            id=transition.id, label=transition.label
        ),
        start_state=state_message(transition.start),
        goal_state=state_message(transition.goal),
    )

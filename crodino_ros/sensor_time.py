"""The time that sensors are judged by: fair to them when `/clock` pauses or this process does."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median

from crodino_ros.middleware import Clock, ClockChange, Duration, JumpThreshold, TimeJump

JUMP = 1.0
"""Seconds; `/clock` going forward by more at once is a jump, unless it usually does so."""
_UNUSUAL = 5.0
"""Times the usual tick; one may hold what several ticks that were missed would have brought."""
_TICKS = 5
"""Their median is the usual tick: one jump among them does not change it."""
_REMEMBERED = 0.9
"""Share of the past in the running means of the ticks."""
_PAUSE = 1.0
"""Seconds; a longer wait for a tick was a pause and says nothing about the rate."""
_SLACK = 0.005
"""Seconds by which a deadline may be passed before it counts as missed."""
_BEFORE = 0.001
"""Seconds before a missed deadline to which time is set back."""


class SimulatedTime:
    """ROS time between two ticks of `/clock`.

    `ros2 bag play --clock` ticks 40 times a second: measured in whole ticks, a camera at 30 Hz
    would seem to jitter by 40 %. Between the ticks time goes on at the rate of the ticks, but
    never further than one tick: when `/clock` is paused, time stands still.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the ticks: time has jumped."""
        self._tick: float | None = None
        self._ticked_at = 0.0
        self._advance = self._elapsed = 0.0
        self._latest = 0.0

    def tick(self, simulated: float, steady: float) -> None:
        """Take in a message of `/clock`; both times in seconds."""
        if self._tick is None:
            self._latest = simulated
        elif steady - self._ticked_at < _PAUSE:
            self._advance = _REMEMBERED * self._advance + simulated - self._tick
            self._elapsed = _REMEMBERED * self._elapsed + steady - self._ticked_at
        self._tick, self._ticked_at = simulated, steady

    def now(self, steady: float) -> float:
        """The simulated time at a steady time, seconds; 0 before the first tick. Never falls."""
        if self._tick is None:
            return 0.0
        rate = self._advance / self._elapsed if self._elapsed > 0 else 0.0
        one_tick = self._advance * (1 - _REMEMBERED)
        ahead = min((steady - self._ticked_at) * rate, one_tick)
        self._latest = max(self._latest, self._tick + ahead)
        return self._latest


class TickWatch:
    """Tells jumps of `/clock` from its ticks.

    A bag played 50 times as fast with 40 ticks a second goes on by 1.25 s at each of them: what a
    jump is depends on the ticks before.
    """

    def __init__(self) -> None:
        self._advances: deque[float] = deque(maxlen=_TICKS)

    def jumps(self, advance: float) -> bool:
        """Take in a step of `/clock`, seconds; say whether it is a jump, as any step back is."""
        if advance < 0:
            return True
        usual = median(self._advances) if self._advances else 0.0
        self._advances.append(advance)
        return advance > max(JUMP, _UNUSUAL * usual)


class Attention:
    """Takes out of a time what passed while nobody looked.

    Silence says something of a sensor only if somebody listened. When this process was held up
    past a deadline (a busy processor, a long callback), the images may be here already: time is
    set back to just before the deadline, once, and whatever waits is received before it passes.
    """

    def __init__(self) -> None:
        self.deadline: float | None = None
        """When somebody was to look, in the time of `attend`."""
        self._missed = 0.0
        self._forgiven = float('-inf')

    def attend(self, now: float) -> float:
        """Look, at a time in seconds; return the attended time. Never falls if `now` does not."""
        late = 0.0 if self.deadline is None else now - self._missed - self.deadline
        if self.deadline is not None and late > _SLACK and self.deadline > self._forgiven:
            self._missed += late + _BEFORE
            self._forgiven = self.deadline
        return now - self._missed

    def glance(self, now: float) -> float:
        """Return the attended time from another thread, without looking."""
        return now - self._missed


class SensorTime:
    """`now()` for a node; with `use_sim_time` it follows `/clock`.

    :param clock: the clock of the node.
    :param on_jump: called after time has jumped (a bag loops, a world is reset).
    :param on_due: called when `/clock` has reached the deadline, however fast it goes.
    """

    def __init__(
        self, clock: Clock, on_jump: Callable[[], None], on_due: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._on_jump = on_jump
        self._on_due = on_due
        self._simulated = SimulatedTime()
        self._ticks = TickWatch()
        self._attention = Attention()
        self._is_simulated = self._clock_is_simulated()
        any_step = JumpThreshold(
            min_forward=Duration(nanoseconds=1),
            min_backward=Duration(nanoseconds=-1),
            on_clock_change=True,
        )
        self._handle = clock.create_jump_callback(any_step, post_callback=self._step)

    def now(self) -> float:
        """Seconds; not the time of day. Only for the thread of the callbacks."""
        return self._attention.attend(self._raw())

    def glance(self) -> float:
        """As `now`, from any thread."""
        return self._attention.glance(self._raw())

    def expect_to_look(self, deadline: float | None) -> None:
        """Note when `now()` is to be called next; what passes after that does not count."""
        self._attention.deadline = deadline

    def close(self) -> None:
        """Listen to the clock no longer."""
        self._handle.unregister()

    def _raw(self) -> float:
        steady = time.monotonic()
        return self._simulated.now(steady) if self._is_simulated else steady

    def _clock_is_simulated(self) -> bool:
        return bool(self._clock.ros_time_is_active)  # type: ignore[attr-defined]

    def _step(self, jump: TimeJump) -> None:
        """Tell the ticks of `/clock` from its jumps."""
        changed = jump.clock_change in (
            ClockChange.ROS_TIME_ACTIVATED,
            ClockChange.ROS_TIME_DEACTIVATED,
        )
        began = self._simulated.now(0.0) > 0.0
        jumped = changed or (began and self._ticks.jumps(jump.delta.nanoseconds * 1e-9))
        if jumped:
            self._simulated.reset()
            self._attention = Attention()
        self._is_simulated = self._clock_is_simulated()
        simulated = self._clock.now().nanoseconds * 1e-9
        if self._is_simulated and simulated > 0:
            self._simulated.tick(simulated, time.monotonic())
        if jumped:
            self._on_jump()
        deadline = self._attention.deadline
        if self._is_simulated and deadline is not None and self.glance() >= deadline:
            self._on_due()

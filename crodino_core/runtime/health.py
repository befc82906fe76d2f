"""The health of one sensor, judged from its frames and from their absence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum

from crodino_core.errors import UsageError
from crodino_core.modality import Modality
from crodino_core.runtime.content import find_problem
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.period import LearnedPeriod
from crodino_core.runtime.succession import Succession, Trace, compare


class SensorState(str, Enum):
    """What is known of a sensor."""

    NOT_RECEIVED = 'not_received'
    """Nothing was heard since the start or the last time jump."""
    OK = 'ok'
    LATE = 'late'
    """Overdue against its own period; the next good frame makes it OK again."""
    LOST = 'lost'
    """Silent for `timeout` seconds."""
    FROZEN = 'frozen'
    """The same payload, or a stamp that does not advance, `frozen_frames` times running."""
    INVALID = 'invalid'
    """Frames come, but their content cannot be segmented."""
    RECOVERING = 'recovering'
    """Good frames again after LOST, FROZEN or INVALID, not yet `recovery_frames` of them."""

    def __str__(self) -> str:
        return self.value


SILENT = (SensorState.NOT_RECEIVED, SensorState.LATE, SensorState.LOST)
"""States of a sensor that has nothing to say, in contrast to one that says nonsense."""
USABLE = (SensorState.OK, SensorState.RECOVERING)
"""States in which a frame may become a mask."""


@dataclass(frozen=True)
class HealthSettings:
    """The limits of the health checks."""

    timeout: float = 0.5
    """Seconds of silence after which a sensor is LOST (never before it is LATE)."""
    late_factor: float = 1.45
    """Periods of silence after which a sensor is LATE. Between 1.4, the longest interval of a
    stream with +-20 % jitter, and 1.5, the gap promised through a dropout."""
    frozen_frames: int = 3
    """Repetitions in a row that make a sensor FROZEN."""
    recovery_frames: int = 3
    """Good frames in a row that a returning sensor must show."""
    check_frozen: bool = True
    """Off for simulated worlds that stand still and so repeat their images honestly."""
    min_valid_depth: float = 0.05
    """The least share of depth pixels that must be valid."""
    depth_range: tuple[float, float] = (0.1, 20.0)
    """Nearest and farthest depth the sensor can mean, metres."""

    def __post_init__(self) -> None:
        _expect(self.timeout > 0, f'timeout is {self.timeout}; more than 0 s was expected')
        _expect(self.late_factor > 1, f'late_factor is {self.late_factor}; it must exceed 1')
        _expect(self.frozen_frames >= 1, f'frozen_frames is {self.frozen_frames}; at least 1')
        _expect(
            self.recovery_frames >= 1, f'recovery_frames is {self.recovery_frames}; at least 1'
        )
        _expect(
            0 <= self.min_valid_depth <= 1,
            f'min_valid_depth is {self.min_valid_depth}; a share from 0 to 1 was expected',
        )
        _expect(
            0 <= self.depth_range[0] < self.depth_range[1],
            f'depth_range is {list(self.depth_range)}; [nearest, farthest] in metres was expected',
        )

    def reaching(self, depth_range: tuple[float, float]) -> HealthSettings:
        """Return the same limits with depth valid in another range too, metres.

        For the range of a bundle: what its network looks at is never called invalid. Their union
        is taken, not the bundle's alone: a sensor that sees farther than the network is healthy.
        """
        nearest, farthest = self.depth_range
        both = min(nearest, depth_range[0]), max(farthest, depth_range[1])
        return replace(self, depth_range=both)


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise UsageError(f'health settings: {message}')


@dataclass(frozen=True)
class Verdict:
    """The state after a frame or a check, why, and whether the frame may become a mask."""

    state: SensorState
    cause: str
    """Short and stable, the key of `SensorHealth.counts`; empty for an ordinary OK."""
    usable: bool
    detail: str = ''
    """What was seen, with figures."""
    advances: bool = True
    """Whether a frame shows a later instant than the one before; one that does not is never
    served, or two masks would have one stamp."""


class SensorHealth:
    """State machine of one sensor. Time comes in from the caller; not thread-safe.

    Good frame: NOT_RECEIVED, LATE -> OK; LOST, FROZEN, INVALID -> RECOVERING -> OK.
    Bad frame: any -> FROZEN or INVALID. No frame: OK, RECOVERING -> LATE; any -> LOST.
    A sensor that goes LATE while RECOVERING starts its recovery anew.
    """

    def __init__(self, modality: Modality, settings: HealthSettings | None = None) -> None:
        """Start without any knowledge of the sensor."""
        self.modality = modality
        self._settings = settings or HealthSettings()
        self.counts: Counter[str] = Counter()
        self.reset()

    @property
    def settings(self) -> HealthSettings:
        """The limits; others hold from the next frame or check on, and nothing is forgotten."""
        return self._settings

    @settings.setter
    def settings(self, settings: HealthSettings) -> None:
        self._settings = settings
        self._period.late_factor = settings.late_factor

    def reset(self) -> None:
        """Forget everything but the counts: time has jumped, which is no failure."""
        self.state = SensorState.NOT_RECEIVED
        self.cause = 'not received'
        self.detail = ''
        self.last_arrival: float | None = None
        self._period = LearnedPeriod(self.settings.late_factor)
        self._previous: Trace | None = None
        self._advanced_at: float | None = None
        self._repeats = 0
        self._proven = True
        self._good_run = 0

    @property
    def period(self) -> float | None:
        """The learned period, seconds; None while too few frames were seen."""
        return self._period.seconds

    def observe(self, frame: Frame) -> Verdict:
        """Judge a frame of this sensor."""
        self.check(frame.arrival)
        succession = self._take_in(frame)
        self._judge(frame, succession)
        note = succession.stamp_cause or succession.size_cause
        return replace(self._verdict(note), advances=succession.advances)

    def observe_undecodable(self, arrival: float, cause: str) -> Verdict:
        """Take note of a message of this sensor that could not be decoded."""
        self.check(arrival)
        self.last_arrival = arrival
        self._fail(SensorState.INVALID, 'undecodable', cause)
        return self._verdict()

    def check(self, now: float) -> Verdict:
        """Look at the clock: the sensor may have become LATE or LOST."""
        lost_at, late_at = self._lost_at(), self._late_at()
        if lost_at is not None and now >= lost_at:
            self._fail(SensorState.LOST, 'lost', self._silence(now))
        elif late_at is not None and now >= late_at:
            self._good_run = 0
            self._enter(SensorState.LATE, 'late', self._silence(now))
        return self._verdict()

    def deadline(self) -> float | None:
        """When `check` will next change the state; None if only a frame can."""
        return min((t for t in (self._late_at(), self._lost_at()) if t is not None), default=None)

    def _late_at(self) -> float | None:
        limit = self._period.longest_healthy
        if self.state not in USABLE or limit is None or self._advanced_at is None:
            return None
        return self._advanced_at + limit

    def _lost_at(self) -> float | None:
        if self.last_arrival is None or self.state is SensorState.LOST:
            return None
        return self.last_arrival + max(self.settings.timeout, self._period.longest_healthy or 0.0)

    def _silence(self, now: float) -> str:
        since = self.last_arrival if self._advanced_at is None else self._advanced_at
        silence = '' if since is None else f'no new frame for {now - since:.3f} s'
        return f'{silence}, one is due every {self.period:.3f} s' if self.period else silence

    def _take_in(self, frame: Frame) -> Succession:
        """Compare a frame with its predecessor, count the repetitions, learn the period."""
        trace = Trace.of(frame, with_payload=self.settings.check_frozen)
        succession = compare(self._previous, trace)
        self._previous, self.last_arrival = trace, frame.arrival
        self.counts.update(c for c in (succession.stamp_cause, succession.size_cause) if c)
        is_repetition = self.settings.check_frozen and succession.repetition != ''
        self._repeats = self._repeats + 1 if is_repetition else 0
        if succession.advances:
            if self._advanced_at is not None:
                self._period.learn(frame.arrival - self._advanced_at)
            self._advanced_at = frame.arrival
        return succession

    def _judge(self, frame: Frame, succession: Succession) -> None:
        problem = find_problem(frame, self.settings.depth_range, self.settings.min_valid_depth)
        if problem is not None:
            self._fail(SensorState.INVALID, problem.cause, problem.detail)
        elif self._repeats >= self.settings.frozen_frames:
            detail = f'{succession.repetition} {self._repeats} times in a row'
            self._fail(SensorState.FROZEN, 'frozen', detail)
        elif succession.advances:
            self._accept(is_news=not succession.same_image)

    def _accept(self, is_news: bool) -> None:
        """Take a good frame; a repetition does not bring a recovery forward."""
        self._good_run += is_news
        needed = self.settings.recovery_frames
        if self._proven or self._good_run >= needed:
            self._proven = True
            self._enter(SensorState.OK)
        else:
            progress = f'{self._good_run} of {needed} good frames'
            self._enter(SensorState.RECOVERING, 'recovering', progress)

    def _fail(self, state: SensorState, cause: str, detail: str) -> None:
        self._proven = False
        self._good_run = 0
        self._enter(state, cause, detail)

    def _enter(self, state: SensorState, cause: str = '', detail: str = '') -> None:
        self.state, self.cause, self.detail = state, cause, detail
        if state not in USABLE:
            self.counts[cause] += 1

    def _verdict(self, note: str = '') -> Verdict:
        return Verdict(self.state, self.cause or note, self.state in USABLE, self.detail)

"""Which frame becomes the next mask: the decision of a failover without any network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crodino_core.modality import Modality
from crodino_core.runtime.arbiter import Arbiter, Choice
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.health import SILENT, HealthSettings, SensorHealth, SensorState
from crodino_core.runtime.quality import QualityWatch
from crodino_core.runtime.stamp_clock import StampClock

SAME_INSTANT = 0.4
"""Frames of both sensors within so many periods show the same instant. It is less than
`late_factor` - 1, so that when a sensor turns LATE the other's frame for the missing instant is
either there already or due before 1.5 periods have passed."""
COMPARABLE_CLOCKS = 0.1
"""Seconds; two sensors whose stamps are this much farther ahead of, or behind, the arrivals than
each other's have clocks that disagree, and their stamps say nothing about the order of their
frames. It is more than the difference of the delays of a camera and a depth sensor, and less
than the two masks that waiting for the slower one would cost at 20 Hz."""
CLOCK_STEP = 0.5
"""Seconds; stamps of one sensor whose distance differs by more than this from that of the
arrivals lie before and after a step of its clock."""

HealthOption = HealthSettings | Mapping[Modality, HealthSettings] | None


@dataclass(frozen=True)
class Selection:
    """The frame that is to become a mask now."""

    frame: Frame
    other: Frame | None = None
    """The other sensor's frame of the same instant, to be averaged with."""
    void: bool = False
    """No sensor is usable: the mask shall be without any class."""
    standby: Frame | None = None
    """A frame of the sensor that is not served, to be segmented too, so that the policy `best`
    learns how good its masks would be."""

    @property
    def modality(self) -> Modality | None:
        """The sensor that is served; None for a void mask."""
        return None if self.void else self.frame.modality


class FailoverSelector:
    """Health of both sensors, the arbiter, and the newest unserved frame of each.

    Feed it every frame (`observe`) in the order of arrival, and call `poll` at `deadline()`, or
    as soon after as possible. Every selection shows a later instant than the one before. Time
    comes in from the caller, seconds of one monotonic clock; not thread-safe.
    """

    def __init__(
        self,
        *,
        policy: str = 'prefer',
        prefer: Modality = Modality.RGB,
        when_none: str = 'silence',
        health: HealthOption = None,
        quality: QualityWatch | None = None,
    ) -> None:
        """Wait for the first frames.

        :param policy: 'prefer', 'average' (mean of both while both are healthy) or 'best' (that
            too, but without a sensor whose masks have become much worse than the other's).
        :param prefer: the sensor to serve while it is healthy.
        :param when_none: 'silence' or 'void' while no sensor is usable.
        :param health: limits of the health checks, for both sensors or for each.
        :param quality: tells whose masks are worse; without it `best` does what `average` does.
        :raises UsageError: an option has an unknown value.
        """
        self.arbiter = Arbiter(policy, prefer, when_none)
        self.sensors = {
            m: SensorHealth(m, health.get(m) if isinstance(health, Mapping) else health)
            for m in Modality
        }
        self.quality = quality
        self.serving: Modality | None = None
        self._begin(None)

    def reset(self, now: float) -> None:
        """Time has jumped (a bag loops, simulated time restarts): begin anew, no dropout."""
        for sensor in self.sensors.values():
            sensor.reset()
        if self.quality is not None:
            self.quality.reset()
        self._begin(now)

    def _begin(self, now: float | None) -> None:
        self._started = now
        self._clocks = {m: StampClock() for m in Modality}
        self._unserved: dict[Modality, Frame] = {}
        self._last: Frame | None = None
        self._after_silence = True
        self._patience_until: float | None = None
        self._wake_at: float | None = None

    def observe(self, frame: Frame) -> Selection | None:
        """Take a frame; return what shall become a mask now, if anything."""
        self._check_sensors(frame.arrival)
        verdict = self.sensors[frame.modality].observe(frame)
        self._clocks[frame.modality].learn(frame)
        if not verdict.advances:
            return self._decide(frame.arrival)
        if verdict.usable:
            self._unserved[frame.modality] = frame
        return self._decide(frame.arrival, frame)

    def observe_undecodable(
        self, modality: Modality, arrival: float, cause: str
    ) -> Selection | None:
        """Take note of a message that could not be decoded; the other sensor may step in."""
        self._check_sensors(arrival)
        self.sensors[modality].observe_undecodable(arrival, cause)
        return self._decide(arrival)

    def poll(self, now: float) -> Selection | None:
        """Look at the clock: the other sensor's newest frame is due when one turns late."""
        self._check_sensors(now)
        return self._decide(now)

    def deadline(self) -> float | None:
        """When `poll` may next have something to do; None while only a frame can change that."""
        times = [sensor.deadline() for sensor in self.sensors.values()] + [self._wake_at]
        return min((time for time in times if time is not None), default=None)

    def _check_sensors(self, now: float) -> None:
        if self._started is None:
            self._started = now
        for sensor in self.sensors.values():
            sensor.check(now)

    def _decide(self, now: float, arrived: Frame | None = None) -> Selection | None:
        states = {m: sensor.state for m, sensor in self.sensors.items()}
        choice = self.arbiter.choose(states, self.serving, self.worse)
        self._wake_at = None
        if choice.modality is None:
            self._after_silence, self._patience_until = True, None
            if choice.void and arrived is not None and self._is_next(arrived):
                self._last = arrived
                return Selection(arrived, void=True)
            return None
        frame = self._unserved.get(choice.modality)
        if frame is None or not self._is_next(frame):
            return None
        partner = self._partner(frame) if choice.both else None
        if partner is None:
            self._wake_at = self._worth_waiting_until(choice, frame, now)
            if self._wake_at is not None:
                return None
        return self._serve(frame, partner, None if partner else self._standby(frame))

    @property
    def worse(self) -> Modality | None:
        """The sensor whose masks are much worse than the other's at present, if one's are."""
        return None if self.quality is None else self.quality.worse

    def _standby(self, frame: Frame) -> Frame | None:
        """The other sensor's newest frame, if it is time to see how good its mask would be."""
        other = frame.modality.other
        if self.arbiter.policy != 'best' or self.quality is None:
            return None
        if self.sensors[other].state is not SensorState.OK:
            return None
        wanted = self.quality.wants(other, frame.arrival)
        return self._unserved.get(other) if wanted else None

    def _serve(self, frame: Frame, partner: Frame | None, standby: Frame | None) -> Selection:
        for served in (frame, partner):
            if served is not None:
                del self._unserved[served.modality]
        self._last, self.serving = frame, frame.modality
        self._after_silence, self._patience_until = False, None
        return Selection(frame, partner, standby=standby)

    def _is_next(self, frame: Frame) -> bool:
        """Whether a frame shows a later instant than the last one served.

        It has to have arrived later and, as far as the stamps can be compared, to be stamped
        later; of the other sensor, by more than separates two frames of one instant.
        """
        last = self._last
        if last is None:
            return True
        spacing = 0.0 if frame.modality is last.modality else self._same_instant()
        arrivals = frame.arrival - last.arrival
        if arrivals <= spacing:
            return False
        stamps = (frame.stamp_ns - last.stamp_ns) * 1e-9
        return stamps > spacing or not self._have_one_clock(frame, last, arrivals - stamps)

    def _have_one_clock(self, frame: Frame, last: Frame, step: float) -> bool:
        """Whether the stamps of two frames can be compared.

        :param step: how far the stamps are closer together than the arrivals, seconds.
        """
        if 0 in (frame.stamp_ns, last.stamp_ns) or abs(step) > CLOCK_STEP:
            return False
        if frame.modality is last.modality:
            return True
        clocks = self._clocks
        return clocks[frame.modality].agrees_with(clocks[last.modality], COMPARABLE_CLOCKS)

    def _same_instant(self) -> float:
        """Seconds within which frames of both sensors show the same instant."""
        periods = [s.period for s in self.sensors.values() if s.period is not None]
        return SAME_INSTANT * min(periods, default=0.0)

    def _partner(self, frame: Frame) -> Frame | None:
        """The other sensor's frame of the same instant, if it has come."""
        other = self._unserved.get(frame.modality.other)
        if other is None or abs(other.arrival - frame.arrival) > self._same_instant():
            return None
        return other

    def _worth_waiting_until(self, choice: Choice, frame: Frame, now: float) -> float | None:
        """How long a servable frame waits for a better one; None if it does not.

        When both sensors start, or pause and return, the one that is to be served may be some
        milliseconds behind the other; that is no failover. So the first frame after a silence
        waits a little for it, at the start for its `timeout`.
        """
        incumbent = self.sensors[self.serving or self.arbiter.prefer]
        if choice.both:
            until = frame.arrival + self._same_instant()
        elif not self._after_silence or choice.modality is incumbent.modality:
            return None
        elif incumbent.state in SILENT:
            if self._patience_until is None:
                self._patience_until = self._patience(incumbent, frame)
            until = self._patience_until
        else:
            return None
        return until if now < until else None

    def _patience(self, incumbent: SensorHealth, frame: Frame) -> float:
        """Until when the sensor served before may still speak first."""
        if incumbent.state is SensorState.NOT_RECEIVED and self._started is not None:
            return self._started + incumbent.settings.timeout
        return frame.arrival + self._same_instant()

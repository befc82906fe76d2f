"""Which sensor is served, given the states of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crodino_core.errors import UsageError
from crodino_core.modality import Modality
from crodino_core.runtime.health import SensorState

POLICIES = ('prefer', 'average', 'best')
FUSING = ('average', 'best')
"""Policies that need the logits of both networks."""
WHEN_NONE = ('silence', 'void')


@dataclass(frozen=True)
class Choice:
    """The sensor to serve; None if neither is usable."""

    modality: Modality | None
    both: bool = False
    """Serve the mean of both (policies `average` and `best`)."""
    void: bool = False
    """Publish masks without any class, since neither sensor is usable."""


@dataclass(frozen=True)
class Arbiter:
    """The choice between the sensors: a pure function of their states.

    An OK sensor goes before a RECOVERING one, and among equals the preferred one goes first,
    with one exception: a RECOVERING sensor that is being served all the same, because nothing
    else was there, stays until it fails or the preferred one is OK. Changing away from it and
    back would be two switches more and no mask gained.

    `average` serves the mean of both while both are OK; `best` does so too, but leaves out a
    sensor that would spoil it, see `quality.QualityWatch`.
    """

    policy: str = 'prefer'
    prefer: Modality = Modality.RGB
    when_none: str = 'silence'

    def __post_init__(self) -> None:
        for key, value, known in (
            ('policy', self.policy, POLICIES),
            ('when_none', self.when_none, WHEN_NONE),
        ):
            if value not in known:
                raise UsageError(f'{key} is {value!r}; one of {", ".join(known)} was expected')

    def choose(
        self,
        states: Mapping[Modality, SensorState],
        serving: Modality | None = None,
        worse: Modality | None = None,
    ) -> Choice:
        """Choose the sensor to serve.

        :param states: the state of each sensor.
        :param serving: the sensor that was served last, if any.
        :param worse: the sensor whose masks are much worse than the other's, if one is.
        """
        ok = {m for m in Modality if states[m] is SensorState.OK}
        recovering = {m for m in Modality if states[m] is SensorState.RECOVERING}
        first, second = self.prefer, self.prefer.other
        if self.policy in FUSING and len(ok) == len(Modality):
            if self.policy == 'best' and worse is not None:
                return Choice(worse.other)
            return Choice(first, both=True)
        if first in ok:
            return Choice(first)
        if serving in recovering:
            return Choice(serving)
        for candidates in (ok, recovering):
            for modality in (first, second):
                if modality in candidates:
                    return Choice(modality)
        return Choice(None, void=self.when_none == 'void')

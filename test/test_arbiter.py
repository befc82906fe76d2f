"""The choice between the sensors, for every pair of states."""

from __future__ import annotations

import itertools

import pytest

from crodino_core.errors import UsageError
from crodino_core.modality import Modality
from crodino_core.runtime.arbiter import Arbiter, Choice
from crodino_core.runtime.health import SensorState

OK, RECOVERING = SensorState.OK, SensorState.RECOVERING
USELESS = [state for state in SensorState if state not in (OK, RECOVERING)]
PREFERENCES = list(Modality)


def choose(
    preferred: SensorState,
    other: SensorState,
    prefer: Modality = Modality.RGB,
    serving: Modality | None = None,
    **options: str,
) -> Choice:
    states = {prefer: preferred, prefer.other: other}
    return Arbiter(prefer=prefer, **options).choose(states, serving)


@pytest.mark.parametrize('prefer', PREFERENCES)
@pytest.mark.parametrize('other', SensorState)
def test_a_healthy_preferred_sensor_is_served_whatever_the_other_does(prefer, other):
    for serving in (None, *Modality):
        assert choose(OK, other, prefer, serving) == Choice(prefer)


@pytest.mark.parametrize('prefer', PREFERENCES)
@pytest.mark.parametrize('preferred', [*USELESS, RECOVERING])
def test_a_healthy_other_sensor_replaces_a_preferred_one_that_is_not(prefer, preferred):
    assert choose(preferred, OK, prefer) == Choice(prefer.other)
    assert choose(preferred, OK, prefer, serving=prefer.other) == Choice(prefer.other)


@pytest.mark.parametrize('prefer', PREFERENCES)
@pytest.mark.parametrize('other', [*USELESS, RECOVERING])
def test_without_a_healthy_sensor_the_recovering_preferred_one_is_served(prefer, other):
    assert choose(RECOVERING, other, prefer) == Choice(prefer)


@pytest.mark.parametrize('prefer', PREFERENCES)
@pytest.mark.parametrize('preferred', USELESS)
def test_a_recovering_other_sensor_is_better_than_none(prefer, preferred):
    assert choose(preferred, RECOVERING, prefer) == Choice(prefer.other)


@pytest.mark.parametrize('prefer', PREFERENCES)
def test_a_recovering_sensor_that_is_served_stays_until_the_preferred_one_is_ok(prefer):
    assert choose(RECOVERING, OK, prefer, serving=prefer) == Choice(prefer)
    assert choose(RECOVERING, RECOVERING, prefer, serving=prefer.other) == Choice(prefer.other)
    assert choose(OK, RECOVERING, prefer, serving=prefer.other) == Choice(prefer)


@pytest.mark.parametrize(('first', 'second'), list(itertools.product(USELESS, USELESS)))
def test_without_a_usable_sensor_nothing_is_served(first, second):
    assert choose(first, second) == Choice(None)
    assert choose(first, second, when_none='void') == Choice(None, void=True)


def test_the_average_is_taken_while_both_are_healthy_and_only_then():
    for first, second in itertools.product(SensorState, SensorState):
        averaged = choose(first, second, policy='average')
        if first is second is OK:
            assert averaged == Choice(Modality.RGB, both=True)
        else:
            assert averaged == choose(first, second)


@pytest.mark.parametrize('option', ['policy', 'when_none'])
def test_an_unknown_option_is_refused_by_name(option):
    with pytest.raises(UsageError, match=f"{option} is 'hope'"):
        Arbiter(**{option: 'hope'})

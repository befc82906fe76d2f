"""What the log says of the sensor that is served."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from crodino_core.modality import Modality
from crodino_core.runtime.health import SILENT, SensorHealth

NONE, BOTH = 'none', 'both'
"""What is served where it is not one sensor."""
APART = 1.0
"""Seconds between two lines; a change that comes too soon is logged when they have passed, unless
it was undone by then."""


class ServingLog:
    """One line for each change of what is served, with the condition of both sensors."""

    def __init__(self, logger: Any) -> None:
        self._log = logger
        self._logged = NONE
        self._logged_at = float('-inf')

    def note(
        self, active: str, sensors: Collection[SensorHealth], left_out: Modality | None
    ) -> None:
        """Log what is served if that has changed; call it often.

        :param active: 'rgb', 'depth', `BOTH` or `NONE`.
        :param left_out: the sensor that the policy `best` does without.
        """
        now = time.monotonic()
        if active == self._logged or now - self._logged_at < APART:
            return
        self._logged, self._logged_at = active, now
        condition = ', '.join(_in_words(sensor) for sensor in sensors)
        if left_out is not None:
            condition += f'; the masks of {left_out} have become much worse'
        if active != NONE:
            self._log.info(f'serving {active}: {condition}')
        elif all(sensor.state in SILENT for sensor in sensors):
            self._log.warning(f'both sensors are silent: {condition}')
        else:
            self._log.error(f'no sensor is usable: {condition}')


def _in_words(sensor: SensorHealth) -> str:
    state = str(sensor.state).replace('_', ' ')
    why = [text for text in (sensor.cause, sensor.detail) if text and text != state]
    return f'{sensor.modality} {state}' + (f' ({": ".join(why)})' if why else '')

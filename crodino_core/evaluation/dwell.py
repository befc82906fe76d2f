"""How long the masks came from the wrong sensor."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from crodino_core.evaluation.records import OutputRecord, ReplayResult
from crodino_core.evaluation.timing import median_interval
from crodino_core.modality import Modality
from crodino_core.runtime.arbiter import FUSING


def wrong_modality_s(result: ReplayResult) -> float:
    """Return the seconds served from pictures that a fault had changed, though the other sensor
    was free of faults.

    A mask counts from its own time to that of the next one, at most one period (the median step
    of the expected masks). So a failure that only stops or delays frames costs nothing here, a
    freeze costs its stale masks, and fog that nobody notices costs its whole duration.
    """

    def is_wrong(output: OutputRecord) -> bool:
        assert output.modality is not None
        return output.damaged and not _is_hit(result, output, output.modality.other)

    return _seconds_of(result, is_wrong)


def away_s(result: ReplayResult) -> float:
    """Return the seconds served without a sensor that the policy would use, though no fault of
    that sensor was active: what recovery, and false switches, take. Counted as above.

    `prefer` uses the preferred sensor, `average` and `best` use both.
    """

    def is_away(output: OutputRecord) -> bool:
        missing = _missing(result, output)
        return missing is not None and not _is_hit(result, output, missing)

    return _seconds_of(result, is_away)


def _missing(result: ReplayResult, output: OutputRecord) -> Modality | None:
    """The sensor that the policy would use and the mask was made without, if there is one."""
    assert output.modality is not None
    if result.policy.get('policy') in FUSING:
        return None if output.fused else output.modality.other
    preferred = Modality(result.policy.get('prefer', Modality.RGB.value))
    return None if output.modality is preferred else preferred


def _is_hit(result: ReplayResult, output: OutputRecord, sensor: Modality) -> bool:
    """Whether a fault of a sensor was active when a mask was made."""
    faults = result.phases[output.phase].faults if result.phases else ()
    return any(fault.split()[0] == sensor.value for fault in faults)


def _seconds_of(result: ReplayResult, counts: Callable[[OutputRecord], bool]) -> float:
    masks = [output for output in result.outputs if output.modality is not None]
    period = median_interval(result.expected_s) or 0.0
    ends = [after.time_s for _, after in pairwise(masks)] + [float('inf')]
    return (
        sum(
            min(end - mask.time_s, period)
            for mask, end in zip(masks, ends, strict=True)
            if counts(mask)
        )
        if masks
        else 0.0
    )

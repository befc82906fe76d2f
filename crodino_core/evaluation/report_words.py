"""What a replay found, in sentences a person reads first."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from crodino_core.evaluation.agreement import pooled_agreement
from crodino_core.evaluation.records import (
    FUSED,
    VOID,
    Failover,
    Failure,
    Phase,
    ReplayResult,
    source_of,
)
from crodino_core.evaluation.report_fault_words import fault_words
from crodino_core.evaluation.report_phases import fault_span, is_during
from crodino_core.iou import miou_of
from crodino_core.modality import Modality

SENSOR_NAMES = {Modality.RGB: 'camera', Modality.DEPTH: 'depth sensor'}
SOURCE_NAMES = {'rgb': 'colour', 'depth': 'depth', FUSED: 'both', VOID: 'void'}


def headline(result: ReplayResult) -> str:
    """Return the one line that says how it went."""
    lost = len(result.lost_s)
    if not result.outputs:
        return 'No mask was made'
    if not result.failures:
        return f'{count(len(result.outputs), "mask")}, the served sensor {_changes(result)}'
    outcome = f'{count(lost, "mask")} {were(lost)} lost'
    touched = [failure for failure in result.failures if failure.frames]
    if not touched:
        return f'The scenario touched no frame, {outcome}'
    noticed = {failure.sensor for failure in touched if failure.detected_s is not None}
    impaired = {failure.sensor for failure in touched} - noticed
    told = [
        f'{_named(sensors)} {verb}'
        for sensors, verb in ((noticed, 'failed'), (impaired, f'{were(len(impaired))} impaired'))
        if sensors
    ]
    return f'The {" and the ".join(told)}, {outcome}'


def sentences(result: ReplayResult) -> list[str]:
    """Return a short paragraph for each failure, then what else is worth knowing."""
    told = [failure_sentence(result, failure) for failure in result.failures]
    if not result.failures:
        told.append(_healthy_sentence(result))
    false = sum(failover.explained_by is None for failover in result.failovers)
    if false:
        told.append(
            f'The served sensor changed {count(false, "time")} without an injected fault or a '
            'gap in the recording behind it (false switches).'
        )
    others = len(result.lost_s) - sum(failure.masks_lost for failure in result.failures)
    if others:
        told.append(f'{count(others, "mask")} {were(others)} lost at other times.')
    for modality, lost in result.undecodable.items():
        if lost:
            told.append(
                f'{count(lost, "message")} of the {SENSOR_NAMES[modality]} could not be decoded.'
            )
    return told + truth_sentences(result)


def truth_sentences(result: ReplayResult) -> list[str]:
    """Say what the masks were compared with where that was not ground truth."""
    if pooled_miou(result.phases) is not None or not result.outputs:
        return []
    if result.labels_seen:
        if any(phase.scored for phase in result.phases):
            return ['The ground truth labels of the recording hold none of the classes.']
        return ['No ground truth label of the recording belongs to the instant of a mask.']
    cost, equal = result.comparison, pooled_agreement(result.phases)
    if cost is None or equal is None:
        return ['The recording has no ground truth: how good the masks are is not known.']
    return [
        'The recording has no ground truth. Its masks were compared with those of the clean run, '
        'which are predictions too, of the undamaged frames: '
        f'{equal:.1f} % of the pixels agree. That tells what the faults changed, not what is '
        'right.'
    ]


def failure_sentence(result: ReplayResult, failure: Failure) -> str:
    """Tell one failure: how long, what was served instead, what it cost."""
    start, end = fault_span(result, failure)
    verb, measure = fault_words(failure)
    how_bad = f' ({measure})' if measure else ''
    told = [f'The {SENSOR_NAMES[failure.sensor]} {verb} for {seconds(end - start)}{how_bad}.']
    if not failure.frames:
        return f'{told[0]} None of its frames fell into that time.'
    switch = switch_within(result, failure)
    if failure.detected_s is None:
        told.append(_unnoticed(result, switch))
    cost = [lost_words(failure)]
    if failure.stale_masks:
        cost.append(
            f'{count(failure.stale_masks, "mask")} {were(failure.stale_masks)} made from a '
            'repeated frame before that could be known'
        )
    if switch is not None:
        told.append(
            f'Masks continued from {SOURCE_NAMES[source_of(switch.to_modality)]} after '
            f'{seconds(switch.gap_s)}; {"; ".join(cost)}{_quality_words(result, failure)}.'
        )
    else:
        kept = f'The served sensor did not change; {"; ".join(cost)}'
        told.append(f'{kept}{_quality_words(result, failure)}.')
    if failure.detected_s is None:
        return ' '.join(told)
    if failure.time_to_recover_s is not None:
        told.append(
            f'The {SENSOR_NAMES[failure.sensor]} was trusted again '
            f'{seconds(failure.time_to_recover_s)} after its first good frame.'
        )
    elif failure.cleared_s is not None:
        told.append('It had not recovered when the recording ended.')
    return ' '.join(told)


def _unnoticed(result: ReplayResult, switch: Failover | None) -> str:
    """Say that health found nothing wrong, and what made the segmenter leave the sensor."""
    said = 'The health check did not notice'
    if switch is None or result.policy.get('policy') != 'best':
        return f'{said}.'
    return f"{said}, but its masks were expected to be much worse than the other sensor's."


def switch_within(result: ReplayResult, failure: Failure) -> Failover | None:
    """Return the switch away from the failing sensor while it failed, if one was made."""
    start, end = fault_span(result, failure)
    for failover in result.failovers:
        if failover.from_modality is failure.sensor and start <= failover.at_s <= end:
            return failover
    return None


def pooled_miou(phases: Iterable[Phase]) -> float | None:
    """Return the mIoU over all masks of some phases, percent; None without ground truth."""
    matrices = [phase.confusion for phase in phases if phase.confusion is not None]
    return miou_of(np.sum(matrices, axis=0)) if matrices else None


def count(number: int, noun: str) -> str:
    """Return `1 mask`, `2 masks`, `no mask`."""
    return f'no {noun}' if number == 0 else f'{number} {noun}{"" if number == 1 else "s"}'


def were(number: int) -> str:
    """Return `was` or `were`."""
    return 'were' if number > 1 else 'was'


def seconds(value: float) -> str:
    """Return a time to two digits that matter: `0.11 s`, `3.0 s`."""
    return f'{value:.2f} s' if value < 1 else f'{value:.1f} s'


def lost_words(failure: Failure) -> str:
    """Return how many masks a failure cost, as a clause."""
    return f'{count(failure.masks_lost, "mask")} {were(failure.masks_lost)} lost'


def _quality_words(result: ReplayResult, failure: Failure) -> str:
    """Return `; mIoU 71.2 → 63.5`: of the failing sensor's masks, and of those in its place.

    Without ground truth it is the agreement with the clean run; empty if it was not served.
    """
    during, served = is_during(result, failure), failure.sensor
    healthy = [p for p in result.phases if p.end_s <= failure.start_s and not p.faults]
    before = [p for p in healthy if p.served is served]
    source = served if switch_within(result, failure) is None else served.other
    within = [p for p in result.phases if p.served is source and during(p)]
    first, second = pooled_miou(before), pooled_miou(within)
    if first is not None and second is not None:
        return f'; mIoU {first:.1f} → {second:.1f}'
    equal = pooled_agreement(within)
    return '' if equal is None or not before else f'; {equal:.1f} % of the pixels as without it'


def _named(sensors: Iterable[Modality]) -> str:
    """Return `camera and the depth sensor`, in the order of `Modality`."""
    return ' and the '.join(SENSOR_NAMES[sensor] for sensor in Modality if sensor in set(sensors))


def _healthy_sentence(result: ReplayResult) -> str:
    """Tell a replay without a scenario."""
    miou = pooled_miou(result.phases)
    scored = '' if miou is None else f'; mIoU {miou:.1f}'
    return (
        f'No fault was injected into the {seconds(result.duration_s)} of the recording: '
        f'{count(len(result.outputs), "mask")} made, and the served sensor '
        f'{_changes(result)}{scored}.'
    )


def _changes(result: ReplayResult) -> str:
    """Return how often the served sensor changed, as a verb phrase."""
    switches = len(result.failovers)
    return f'changed {count(switches, "time")}' if switches else 'never changed'

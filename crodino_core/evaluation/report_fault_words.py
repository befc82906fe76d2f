"""What each kind of fault did to its sensor, as the predicate of a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crodino_core.evaluation.faults import FAULTS, HIGHEST_SEVERITY
from crodino_core.evaluation.records import Failure


@dataclass(frozen=True)
class FaultWords:
    """How the report tells a kind of fault: `The camera` + `verb` + ... + (`measure`)."""

    verb: str
    measure: str
    """The kind's measure with its unit, a format of one number."""
    complete: str = ''
    """The verb where the fault is complete (its measure that of severity 5), which then is all
    there is to say; empty where it has no such end."""


FAULT_WORDS: Mapping[str, FaultWords] = {
    'drop': FaultWords(
        'kept falling silent', 'no frame for {:.0%} of each second', complete='was dead'
    ),
    'freeze': FaultWords('stuttered', 'each picture shown {:g} times', complete='was frozen'),
    'intermittent': FaultWords('lost frames at random', '{:.0%} of them'),
    'rate_drop': FaultWords('slowed down', 'one frame in {:g} arrived'),
    'delay': FaultWords('sent every frame late', 'by {:g} s'),
    'jitter': FaultWords('sent its frames irregularly', 'up to {:g} s late'),
    'out_of_order': FaultWords('sent its frames out of order', '{:.0%} of them overtaken'),
    'stamp_shift': FaultWords('stamped its frames wrongly', 'off by {:g} s'),
    'stamp_zero': FaultWords(
        'sent frames without a stamp', '{:.0%} of them', complete='stamped its frames with zero'
    ),
    'stamp_future': FaultWords('stamped its frames with the future', '{:g} s ahead'),
    'black': FaultWords('was darkened', '{:.0%} of the light blocked', complete='was black'),
    'occlusion': FaultWords('was covered in part', '{:.0%} of the view'),
    'misregistration': FaultWords('was knocked out of place', 'by {:.1%} of the image width'),
    'resolution': FaultWords('sent smaller pictures', 'width and height divided by {:g}'),
    'over_exposed': FaultWords('was over-exposed', 'by {:g} stops'),
    'noise': FaultWords('was grainy', 'noise of {:.0%} of full scale'),
    'low_light': FaultWords('had too little light', 'by {:g} stops'),
    'jpeg': FaultWords('sent damaged JPEGs', 'quality {:g}'),
    'color_cast': FaultWords('had a colour cast', 'strength {:g} of 1'),
    'flipped_channels': FaultWords(
        'had red and blue exchanged at times', 'in {:.0%} of the frames',
        complete='had red and blue exchanged',
    ),
    'depth_noise': FaultWords('was noisy', "{:g} times a Kinect's noise"),
    'quantization': FaultWords('measured in coarse steps', '{:g} px of disparity'),
    'bias': FaultWords('measured everything too far', 'by {:.0%}'),
    'multipath': FaultWords(
        'was misled by scattered light', '{:.0%} as strong as the direct light'
    ),
    'scale_error': FaultWords('had a wrong scale', 'factor {:g}'),
    'flying_pixels': FaultWords('had flying pixels at edges', 'reach {:.1%} of the image width'),
    'motion_blur': FaultWords('was blurred by motion', 'smear of {:.1%} of the image width'),
    'defocus': FaultWords('was out of focus', 'blur radius {:.1%} of the image width'),
    'fog': FaultWords('looked into fog', 'visibility {:g} m'),
    'rain': FaultWords('had rain on its lens', '{:.0%} of the view'),
    'dirt': FaultWords('had mud on its lens', '{:.0%} of the view'),
    'saturated': FaultWords(
        'was blinded by a light', '{:.0%} of the view', complete='was blinded, all white'
    ),
    'holes': FaultWords('had holes', '{:.0%} of the pixels'),
    'range_clip': FaultWords('measured only what is near', 'up to {:g} m'),
    'sunlight': FaultWords('was washed out by sunlight', '{:g} times the emitter, at 1 m'),
    'nan_fill': FaultWords(
        'gave NaN', '{:.0%} of the pixels', complete='gave nothing but NaN'
    ),
    'plane': FaultWords(
        'measured a plane that is not there', '{:.0%} of the view',
        complete='measured nothing but a plane that is not there',
    ),
}  # fmt: skip


def fault_words(failure: Failure) -> tuple[str, str]:
    """Return what a fault did as a verb phrase, and how bad it was ('' where it is complete).

    The severity is named where it decided; a measure that the scenario gave stands alone:
    `('looked into fog', 'severity 3 of 5: visibility 15 m')`.
    """
    words = FAULT_WORDS.get(failure.kind)
    kind = FAULTS.get(failure.kind)
    if words is None or kind is None:
        return f'had the fault "{failure.kind}"', ''
    if not failure.parameters:
        return words.complete or words.verb, ''
    given = kind.complete(failure.parameters)
    level = _level(kind.levels, given, kind.measure)
    if words.complete and level >= kind.levels[-1]:
        return words.complete, ''
    measure = words.measure.format(level)
    if given[kind.measure]:
        return words.verb, measure
    return words.verb, f'severity {given["severity"]} of {HIGHEST_SEVERITY}: {measure}'


def _level(levels: tuple[float, ...], given: Mapping[str, Any], measure: str) -> float:
    return float(given[measure] or levels[given['severity'] - 1])

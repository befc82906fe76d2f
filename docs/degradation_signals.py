"""Signals for the policy `best`, and what is served by each; see degradation_study.py."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from degradation_data import CONFIDENCES, DEPTH, RGB, Rows, damages

from crodino_core.iou import miou_of
from crodino_core.modality import Modality
from crodino_core.runtime.quality import ConfidenceFit, QualityWatch, Signals

PERIOD = 0.1

# -- signals: what is expected of each sensor's mask, in points of mIoU ----------------------

Points = Callable[[Rows], np.ndarray]
"""From rows of one sensor to a number for each; a difference of 1 counts as 1 point."""
Score = Callable[[Rows], list[Signals]]
"""From rows of one sensor to what a watch is told of them."""


def plain(points: Points) -> Score:
    """Points, for a watch that takes them as they are."""
    return lambda rows: [Signals(value) for value in points(rows)]


def kept_signals(rows: Rows) -> list[Signals]:
    """What the runtime looks at."""
    pairs = zip(rows['confidence'][:, 0], rows['blur'], strict=True)
    return [Signals(confidence, blur) for confidence, blur in pairs]


KEPT: dict[Modality, Score] = dict.fromkeys(Modality, kept_signals)


def mious(confusions: np.ndarray) -> np.ndarray:
    """Return the mIoU of each mask, percent."""
    return np.array([miou_of(c) or 0.0 for c in confusions])


def line(clean: Rows, features: Callable[[Rows], np.ndarray]) -> Points:
    """Least squares from features to the mIoU of clean masks."""
    weights, *_ = np.linalg.lstsq(_affine(features(clean)), mious(clean['own']), rcond=None)
    return lambda rows: _affine(features(rows)) @ weights


def axis(clean: Rows, index: int) -> Points:
    """The reduced major axis of one confidence signal and the mIoU of clean masks."""
    signal, miou = clean['confidence'][:, index], mious(clean['own'])
    slope = np.sign(np.corrcoef(signal, miou)[0, 1]) * miou.std() / signal.std()
    return lambda rows: miou.mean() + slope * (rows['confidence'][:, index] - signal.mean())


def _affine(features: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(features)), features])


def deviation(clean: Rows, features: Callable[[Rows], np.ndarray], signed: bool) -> Points:
    """Standard deviations from the clean distribution, 5 points each."""
    known = features(clean)
    centre = known.mean(axis=0)
    spread = np.atleast_2d(np.cov(known.T))
    inverse = np.linalg.pinv(spread)

    def score(rows: Rows) -> np.ndarray:
        away = features(rows) - centre
        if signed:
            return 5 * away[:, 0] / np.sqrt(spread[0, 0])
        return -5 * np.sqrt(np.einsum('ni,ij,nj->n', away, inverse, away))

    return score


def signals() -> dict[str, Callable[[Rows], Points]]:
    """Every signal by its name; each learns from the clean rows of one sensor."""

    def confidence(*index: int) -> Callable[[Rows], np.ndarray]:
        return lambda rows: rows['confidence'][:, list(index)]

    def image(rows: Rows) -> np.ndarray:
        return rows['image']

    def both(rows: Rows) -> np.ndarray:
        return np.column_stack([confidence(0)(rows), image(rows)])

    def named(index: int) -> Callable[[Rows], Points]:
        return lambda clean: axis(clean, index)

    return {
        **{f'{name}, axis': named(i) for i, name in enumerate(CONFIDENCES)},
        'mean confidence, least squares': lambda c: line(c, confidence(0)),
        'mean confidence, deviation': lambda c: deviation(c, confidence(0), signed=True),
        'image statistics, least squares': lambda c: line(c, image),
        'image statistics, distance': lambda c: deviation(c, image, signed=False),
        'mean confidence and image statistics, least squares': lambda c: line(c, both),
    }


# -- decisions ---------------------------------------------------------------------------------


def select(rows: Rows, **equal: str) -> Rows:
    """Rows whose columns have these values."""
    chosen = np.logical_and.reduce([rows[key] == value for key, value in equal.items()])
    return {key: column[chosen] for key, column in rows.items()}


def known(rows: Rows, sensor: Modality) -> Rows:
    """The clean rows that signals may learn from."""
    of_sensor = select(rows, sensor=str(sensor))
    chosen = np.isin(of_sensor['case'], ['validation', 'rooms'])
    return {key: column[chosen] for key, column in of_sensor.items()}


class Decision:
    """`QualityWatch`, driven by numbers, and what is served by it."""

    def __init__(self, watch: QualityWatch, one: Modality | None = None) -> None:
        """Begin.

        :param one: serve one sensor at a time, this one while both are good; None: fuse them.
        """
        self.watch, self.one, self.now = watch, one, 0.0

    def step(
        self, signals: dict[Modality, Signals], refused: Collection[Modality] = ()
    ) -> Modality | None:
        """One instant; return the sensor that is served, None for the mean of both."""
        served = self.one if self.watch.worse is None else self.watch.worse.other
        if refused:
            served = next(m for m in Modality if m not in refused)
        for m in Modality:
            if m not in refused and (served in (None, m) or self.watch.wants(m, self.now)):
                self.watch.learn(m, signals[m], self.now)
        self.now += PERIOD
        return served


Told = dict[Modality, list[Signals]]


def told(rows: Rows, make: dict[Modality, Score], case: str) -> Told:
    """What a watch sees of a case that both sensors have."""
    return {m: make[m](select(rows, case=case, sensor=str(m))) for m in Modality}


def careful_limits(rows: Rows, make: dict[Modality, Score], scale: Fits) -> dict[str, float]:
    """Limits that clean validation frames just do not reach."""
    clean, highest = told(rows, make, 'validation'), 0.0
    trial = Decision(QualityWatch(scale, leave=np.inf, back=-np.inf))
    for index in range(len(clean[RGB])):
        trial.step({m: clean[m][index] for m in Modality})
        color, range_ = (trial.watch.expected(m) for m in Modality)
        if color is not None and range_ is not None:
            highest = max(highest, abs(color - range_))
    return {'leave': highest + 0.5, 'back': highest / 2}


def clean_changes(watch: QualityWatch, rows: Rows, make: dict[Modality, Score], case: str) -> int:
    """How often a watch changes its mind on clean frames, after the first of them."""
    seen, decision = told(rows, make, case), Decision(watch)
    served = [
        decision.step({m: seen[m][index] for m in Modality}) for index in range(len(seen[RGB]))
    ]
    return sum(a is not b for a, b in pairwise(served[1:]))


def serve(
    decision: Decision, clean: Told, damaged: Told, problem: np.ndarray, sensor: Modality
) -> tuple[list[Modality | None], int | None]:
    """Serve a clean round and two damaged ones.

    :return: what was served in the last round, and after how many damaged frames the damaged
        sensor was left out (None: it never was).
    """
    count = len(problem)
    for index in range(count):
        decision.step({m: clean[m][index] for m in Modality})
    served = [
        decision.step(
            {m: damaged[m][index % count] for m in Modality},
            [sensor] if problem[index % count] else [],
        )
        for index in range(2 * count)
    ]
    left = next((index for index, m in enumerate(served) if m is sensor.other), None)
    return served[count:], left


def study(
    rows: Rows,
    make: dict[Modality, Score],
    watch: Callable[[], QualityWatch],
    one: Modality | None = None,
) -> Cases:
    """Return the mIoU of every policy on every case."""
    clean = {m: select(rows, case='clean', sensor=str(m)) for m in Modality}
    seen = told(rows, make, 'clean')
    results: Cases = {}
    for kind, sensor, severity in damages():
        case = select(rows, case=f'{kind}/{severity}', sensor=str(sensor))
        own = {sensor: case['own'], sensor.other: clean[sensor.other]['own']}
        damaged = {sensor: make[sensor](case), sensor.other: seen[sensor.other]}
        served, left = serve(Decision(watch(), one), seen, damaged, case['problem'], sensor)
        valid = {sensor: ~case['problem'], sensor.other: np.ones(len(served), bool)}
        fused = [None if good else sensor.other for good in valid[sensor]]
        masks = {**own, None: case['fused']}
        results[kind, sensor, severity] = {
            'rgb': _miou(masks, [RGB] * len(served)),
            'depth': _miou(masks, [DEPTH] * len(served)),
            'prefer': _miou(masks, [RGB if good else DEPTH for good in valid[RGB]]),
            'average': _miou(masks, fused),
            'best': _miou(masks, served),
            'left': left,
        }
    return results


Cases = dict[tuple[str, Modality, int], dict[str, Any]]
Fits = dict[Modality, ConfidenceFit]


def _miou(masks: dict[Any, np.ndarray], served: Iterable[Modality | None]) -> float:
    return miou_of(np.sum([masks[m][index] for index, m in enumerate(served)], axis=0)) or 0.0

"""Measures the policy `best` on graded damage and makes the tables of docs/degradation.md.

    python docs/degradation_study.py --data FOLDER [--model DIR] [--cache FILE] [--every N]
                                     [--write]

Every fault of content, at each severity, damages one sensor of the test frames; the other one
stays as it is. What both networks make of each image is kept in the cache (some 10 minutes of
one core for every 4th of 116 frames; the tables take seconds). Then each signal drives the same
decision, `QualityWatch`, over three rounds of the frames at 10 Hz: one clean, two damaged, of
which the second is scored. All that a signal knows was learned on clean frames: the validation
split and synthetic rooms.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from degradation_data import CONFIDENCES, DEPTH, RGB, SEVERITIES, Rows, collect, damages

from crodino_core.bundle import ModelBundle
from crodino_core.evaluation.iou import miou_of
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdFolder
from crodino_core.runtime.quality import ConfidenceFit, QualityWatch, Signals, read_fits

HERE = Path(__file__).resolve().parent
BEGIN, END = '<!-- study: begin -->', '<!-- study: end -->'
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


# -- tables ------------------------------------------------------------------------------------

POLICIES = ('rgb', 'depth', 'prefer', 'average', 'best')


def by_severity(results: Cases) -> Iterator[tuple[Modality, int, dict[str, float]]]:
    """Means over the faults of a sensor."""
    for sensor in Modality:
        for severity in SEVERITIES:
            cases = [v for (_, m, s), v in results.items() if (m, s) == (sensor, severity)]
            yield sensor, severity, {p: float(np.mean([c[p] for c in cases])) for p in POLICIES}


def shortfall(figures: dict[str, float]) -> float:
    """`best` minus the better single sensor, points."""
    return figures['best'] - max(figures['rgb'], figures['depth'])


def table(head: Iterable[str], lines: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    head = list(head)
    rows = ['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)]
    rows += ['| ' + ' | '.join(map(str, each)) + ' |' for each in lines]
    return '\n'.join(rows)


def policies_table(results: Cases) -> str:
    """Every policy by damaged sensor and severity."""
    lines = [
        [sensor, severity, *(f'{f[p]:.1f}' for p in POLICIES), f'{shortfall(f):+.1f}']
        for sensor, severity, f in by_severity(results)
    ]
    means = [np.mean([case[p] for case in results.values()]) for p in POLICIES]
    lines.append(['all', '', *(f'{mean:.1f}' for mean in means), ''])
    head = ['damaged', 'severity', 'rgb only', 'depth only', *POLICIES[2:], 'best - better one']
    return table(head, lines)


def faults_table(results: Cases) -> str:
    """`best` minus the better single sensor for every fault."""
    kinds = dict.fromkeys((m, kind) for kind, m, _ in results)
    lines = [
        [sensor, kind, *(_cell(results[kind, sensor, s]) for s in SEVERITIES)]
        for sensor, kind in sorted(kinds, key=lambda k: (k[0] is DEPTH, k[1]))
    ]
    return table(['damaged', 'fault', *map(str, SEVERITIES)], lines)


def _cell(case: dict[str, Any]) -> str:
    left = '' if case['left'] is None else f' ({case["left"]})'
    return f'{shortfall(case):+.1f}{left}'


def worst_severities(results: Cases) -> list[str]:
    """The lowest `shortfall` for each damaged sensor."""
    return [
        f'{min(shortfall(f) for m, _, f in by_severity(results) if m is sensor):+.1f}'
        for sensor in Modality
    ]


def mean_miou(results: Cases, policy: str = 'best') -> str:
    """Over all cases."""
    return f'{np.mean([case[policy] for case in results.values()]):.1f}'


def signals_table(rows: Rows, fits: Fits) -> str:
    """Every signal with the same decision, its limit set on clean validation frames."""
    scale = {m: ConfidenceFit(fit.miou, 0, 1) for m, fit in fits.items()}
    lines = []
    for name, learn in signals().items():
        make = {m: plain(learn(known(rows, m))) for m in Modality}
        limits = careful_limits(rows, make, scale)
        lines.append(_signal_line(name, rows, make, partial(QualityWatch, scale, **limits)))
    lines.append(
        _signal_line('mean confidence and blur (kept)', rows, KEPT, lambda: QualityWatch(fits))
    )
    head = ['signal', 'limit', 'mIoU', 'worst severity, rgb', 'worst severity, depth']
    return table([*head, 'changes, clean test frames', 'changes, rooms'], lines)


def _signal_line(
    name: str, rows: Rows, make: dict[Modality, Score], watch: Callable[[], QualityWatch]
) -> list[object]:
    results = study(rows, make, watch)
    calm = [clean_changes(watch(), rows, make, case) for case in ('clean', 'rooms')]
    return [
        name, f'{watch().leave:.1f}', mean_miou(results), *worst_severities(results), *calm
    ]  # fmt: skip


def uses_table(rows: Rows, fits: Fits) -> str:
    """What can be done with the signal."""
    usual = max(Modality, key=lambda m: fits[m].miou)
    kept = study(rows, KEPT, lambda: QualityWatch(fits))
    lines = [['fuse, leave out the worse (kept)', mean_miou(kept), *worst_severities(kept)]]
    for first in (usual, usual.other):
        for leave in (6.0, 12.0):
            watch = partial(QualityWatch, fits, leave=leave, back=leave / 3)
            one = study(rows, KEPT, watch, first)
            name = f'one at a time, {first} while both are good, limit {leave:.0f}'
            lines.append([name, mean_miou(one), *worst_severities(one)])
    fused = {key: {**case, 'best': case['average']} for key, case in kept.items()}
    lines.append(['always fuse (`average`)', mean_miou(fused), *worst_severities(fused)])
    preferred = {key: {**case, 'best': case['prefer']} for key, case in kept.items()}
    lines.append(['`prefer` rgb', mean_miou(preferred), *worst_severities(preferred)])
    return table(['what is served', 'mIoU', 'worst severity, rgb', 'worst severity, depth'], lines)


def tables(rows: Rows, bundle: ModelBundle) -> str:
    """The measured part of docs/degradation.md."""
    fits = read_fits(bundle)
    kept = study(rows, KEPT, lambda: QualityWatch(fits))
    clean = {m: select(rows, case='clean', sensor=str(m))['own'].sum(axis=0) for m in Modality}
    both = miou_of(select(rows, case='clean', sensor='rgb')['fused'].sum(axis=0))
    disagreement = {
        case: select(rows, case=case)['disagreement']
        for case in ('clean', 'validation', 'rooms', 'misregistration/5')
    }
    said = ', '.join(f'{case} {d.mean():.2f} ± {d.std():.2f}' for case, d in disagreement.items())
    facts = ', '.join(f'{m} {miou_of(matrix):.1f}' for m, matrix in clean.items())
    count = len(select(rows, case='clean', sensor='rgb')['case'])
    steps = dict(bundle.trained_on.get('steps', {}))
    return '\n\n'.join(
        [
            f'Bundle `{bundle.name}` (training steps {steps}), {count} test frames; clean mIoU: '
            f'{facts}, the mean of both {both:.1f}.',
            policies_table(kept),
            '### Each fault\n\n`best` minus the better single sensor, points of mIoU, and after '
            'how many damaged frames the damaged sensor was left out (no number: it never was).',
            faults_table(kept),
            '### What to do with the signal',
            uses_table(rows, fits),
            '### Signals',
            signals_table(rows, fits),
            f'Disagreement of the two networks (share of pixels): {said}.',
        ]
    )


def main() -> None:
    """Collect what is not in the cache, then print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, required=True, help='data set in the folder format')
    parser.add_argument('--model', type=Path, default=HERE.parent / 'models' / 'indoor')
    parser.add_argument('--cache', type=Path, default=Path('degradation.npz'))
    parser.add_argument('--every', type=int, default=4, help='take every n-th test frame')
    parser.add_argument('--write', action='store_true', help='put the tables into the document')
    given = parser.parse_args()
    bundle = ModelBundle.load(given.model)
    if not given.cache.exists():
        rows = collect(bundle, RgbdFolder(given.data), given.every)
        np.savez_compressed(given.cache, **rows)
    with np.load(given.cache) as cache:
        found = tables({key: cache[key] for key in cache.files}, bundle)
    page = HERE / 'degradation.md'
    if given.write:
        before, rest = page.read_text().split(BEGIN)
        page.write_text(f'{before}{BEGIN}\n{found}\n{END}{rest.split(END)[1]}')
    else:
        print(found)


if __name__ == '__main__':
    main()

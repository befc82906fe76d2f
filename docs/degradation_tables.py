"""The tables of docs/degradation.md, from what degradation_study.py found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from degradation_data import DEPTH, SEVERITIES, Rows
from degradation_signals import (
    KEPT,
    Cases,
    Fits,
    Score,
    careful_limits,
    clean_changes,
    known,
    plain,
    select,
    signals,
    study,
)
from study_page import table

from crodino_core.bundle import ModelBundle
from crodino_core.iou import miou_of
from crodino_core.modality import Modality
from crodino_core.runtime.quality import LEAVE, ConfidenceFit, QualityWatch, read_fits

LIMITS = (6.0, 12.0, 18.0, 24.0, 27.0, LEAVE, 33.0, 36.0)
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


def limits_table(rows: Rows, fits: Fits) -> str:
    """What the limit does on damaged validation frames and on clean ones."""
    lines = []
    for leave in LIMITS:
        watch = partial(QualityWatch, fits, leave=leave, back=leave / 2)
        results = study(rows, KEPT, watch)
        clean = sum(clean_changes(watch(), rows, KEPT, case) for case in ('validation', 'rooms'))
        walks = [clean_changes(watch(), rows, KEPT, case) for case in walks_of(rows)]
        kept = ' (kept)' if leave == LEAVE else ''
        line = [f'{leave:.0f}{kept}', mean_miou(results), *worst_severities(results)]
        lines.append([*line, clean, f'{sum(walks)} in {sum(map(bool, walks))} of {len(walks)}'])
    head = ['limit', 'mIoU', 'worst severity, rgb', 'worst severity, depth']
    return table([*head, 'changes, clean frames', 'changes, clean walks'], lines)


def walks_of(rows: Rows) -> list[str]:
    """The cases that are clean walks."""
    return sorted({case for case in rows['case'] if case.startswith('walk')})


def of_split(rows: Rows, split: str) -> Rows:
    """The rows of a split, and those that signals may learn from."""
    chosen = np.isin(rows['split'], ['known', split])
    return {key: column[chosen] for key, column in rows.items()}


def tables(everything: Rows, bundle: ModelBundle) -> str:
    """The measured part of docs/degradation.md."""
    rows, fits = of_split(everything, 'test'), read_fits(bundle)
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
            '### The limit, on validation data',
            limits_table(of_split(everything, 'val'), fits),
            '### What to do with the signal',
            uses_table(rows, fits),
            '### Signals',
            signals_table(rows, fits),
            f'Disagreement of the two networks (share of pixels): {said}.',
        ]
    )

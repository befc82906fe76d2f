"""The tables of docs/results.md, from the rows of training_study.py."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev

from study_page import put_measured, table

from crodino_core.evaluation.protocols import FAILURE_PROBABILITIES, expected_miou
from crodino_core.modality import Modality

Row = dict[str, str]
"""A line of a CSV file: `arm`, `seed`, the budget, and figures by name ('' where not measured)."""
Rows = Sequence[Row]

BASE, TWIN, FUSION, STUDENTS = 'independent', 'crodino', 'early_fusion_zero_filled', 'kd'
BALANCED = 'balanced'
"""The twin as it is by default; `TWIN` is it with every image mixed and nothing balanced."""
PRESENT = {'full': frozenset(Modality)} | {str(m): frozenset({m}) for m in Modality}
"""EMM: which sensors a state has."""


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a CSV file; none where it does not exist."""
    if not path.exists():
        return []
    with path.open(newline='') as stream:
        return list(csv.DictReader(stream))


def values(rows: Rows, arm: str, figure: str) -> dict[int, float]:
    """Return a figure of an arm by seed."""
    own = [row for row in rows if row['arm'] == arm and row.get(figure)]
    return {int(row['seed']): float(row[figure]) for row in own}


def gains(rows: Rows, arm: str, base: str, figure: str) -> list[float]:
    """Return what an arm has over another one, for each seed that both have."""
    own, other = values(rows, arm, figure), values(rows, base, figure)
    return [own[seed] - other[seed] for seed in sorted(own.keys() & other.keys())]


def spread(numbers: Iterable[float], sign: str = '') -> str:
    """Mean and standard deviation (of a sample); a single number as it is."""
    numbers = list(numbers)
    if len(numbers) < 2:
        return ''.join(f'{number:{sign}.1f}' for number in numbers)
    return f'{mean(numbers):{sign}.1f} ± {stdev(numbers):.1f}'


def main_table(rows: Rows) -> str:
    """Two networks alone, the twin, its variants of several seeds, the students of a teacher."""
    figures = [f'{name} {m}' for name in ('test', 'val', 'rooms') for m in Modality]
    arms = [arm for arm in _arms(rows) if arm not in (BASE, TWIN, FUSION, STUDENTS)]
    variants = [arm for arm in arms if len(values(rows, arm, figures[0])) > 1]
    arms = [BASE, TWIN, *variants, *([STUDENTS] if STUDENTS in _arms(rows) else [])]
    lines = []
    for arm in arms:
        cells = [spread(values(rows, arm, figure).values()) for figure in figures]
        lines.append([f'`{arm}`', str(len(values(rows, arm, figures[0]))), *cells])
    for arm in arms[1:]:
        differences = [gains(rows, arm, BASE, figure) for figure in figures]
        cells = [spread(each, '+') for each in differences]
        lines.append([f'`{arm}` − `{BASE}`', str(len(differences[0])), *cells])
    return table(['', 'seeds', *figures], lines)


def ablation_table(rows: Rows) -> str:
    """What each change to the twin does, on the seeds that both have."""
    figures = [f'{name} {m}' for name in ('val', 'test') for m in Modality]
    lines = []
    for arm in [arm for arm in _arms(rows) if arm not in (TWIN, FUSION, STUDENTS)]:
        differences = [gains(rows, arm, TWIN, figure) for figure in figures]
        means = [mean(each) for each in zip(*differences, strict=True)]
        cells = [spread(each, '+') for each in (*differences, means)]
        lines.append([arm, str(len(means)), *cells])
    return table(['instead of `crodino`', 'seeds', *figures, 'mean of the four'], lines)


def missing_table(rows: Rows) -> str:
    """EMM: both sensors, either alone, and the expected mIoU."""
    lines = []
    shown = [arm for arm in (BALANCED, TWIN, BASE, FUSION) if arm in _arms(rows)]
    for arm in shown:
        by_state = {state: values(rows, arm, f'test {state}') for state in PRESENT}
        seeds = [
            {PRESENT[state]: found[seed] for state, found in by_state.items()}
            for seed in by_state['full']
        ]
        cells = [spread(found.values()) for found in by_state.values()]
        cells.append(spread(mean(states.values()) for states in seeds))
        for p in FAILURE_PROBABILITIES:
            cells.append(spread(expected_miou(states, p) or 0.0 for states in seeds))
        lines.append([f'`{arm}`', str(len(seeds)), *cells])
    head = ['', 'seeds', 'both', 'rgb alone', 'depth alone', 'average']
    return table([*head, *(f'E({p})' for p in FAILURE_PROBABILITIES)], lines)


def damage_table(rows: Rows) -> str:
    """RMM and NM: one sensor is damaged, the other one is well."""
    damages = dict.fromkeys(name.rsplit(' ', 2)[0] for name in rows[0] if name.endswith(' own'))
    lines = []
    for m in Modality:
        for arm in (TWIN, BASE, FUSION):
            for state, seen_by in (('own', f'the {m} network alone'), ('full', 'both sensors')):
                cells = [spread(values(rows, arm, f'{d} {m} {state}').values()) for d in damages]
                if any(cells):
                    lines.append([str(m), f'`{arm}`', seen_by, *cells])
    return table(['damaged', '', 'seen by', *damages], lines)


def cost_table(rows: Rows) -> str:
    """Seconds and FLOPs of a step of all networks, and their ratios to two networks alone."""
    costs = {row['step']: (float(row['seconds']), float(row['gflop'])) for row in rows}
    teacher, students = costs.pop('teacher'), costs.pop(STUDENTS)
    shown = {f'`{each}`': costs[each] for each in (BASE, BALANCED)}
    shown['`kd`: its teacher'], shown['`kd`: both students'] = teacher, students
    shown['`kd` in all'] = (teacher[0] + students[0], teacher[1] + students[1])
    base = costs[BASE]
    lines = [
        [name, f'{s:.3f}', f'{s / base[0]:.2f}', f'{flop:.1f}', f'{flop / base[1]:.2f}']
        for name, (s, flop) in shown.items()
    ]
    over = f'÷ `{BASE}`'
    return table(['', 'seconds a step', over, 'GFLOP a step', over], lines)


def trained_table(rows: Rows, trained: Rows) -> str:
    """Frames of training beside others."""
    figures = [f'train {m}' for m in Modality]
    lines = []
    for row in trained:
        same = [r for r in rows if (r['arm'], r['seed']) == (row['arm'], row['seed'])]
        cells = [f'{float(row[name]):.1f}' for name in figures]
        cells += [f'{float(same[0][f"test {m}"]):.1f}' for m in Modality]
        lines.append([f'`{row["arm"]}`', *cells])
    return table(['seed 1', *figures, *(f'test {m}' for m in Modality)], lines)


def gradient_table(rows: Rows) -> str:
    """What each loss does to either encoder."""
    lines = [[row['encoder'], row['loss'], row['norm'], row['cosine']] for row in rows]
    return table(['encoder', 'loss', 'norm of its gradient', 'cosine with segmentation'], lines)


def _arms(rows: Rows) -> list[str]:
    return list(dict.fromkeys(row['arm'] for row in rows))


def write_page(
    path: Path,
    rows: Rows,
    damaged: Rows,
    trained: Rows,
    gradients: Rows,
    costs: Rows,
    larger: Rows,
) -> None:
    """Put the tables between the markers of the page."""
    parts = [_budget(rows), '### Against two networks alone', main_table(rows)]
    if larger:
        parts += ['### With a larger budget', _budget(larger), main_table(larger)]
    parts += ['### Ablation', ablation_table(rows)]
    if trained:
        parts += ['### Frames of training', trained_table(rows, trained)]
    if gradients:
        parts += ['### Gradients', gradient_table(gradients)]
    parts += ['### A sensor is missing (EMM)', missing_table(rows)]
    if damaged:
        parts += ['### A sensor is damaged (RMM, NM)', damage_table(damaged)]
    if costs:
        parts += ['### Cost', cost_table(costs)]
    put_measured(path, '\n\n'.join(parts))


def _budget(rows: Rows) -> str:
    first = rows[0]
    minutes = sum(float(row['cpu_seconds']) for row in rows) / 60
    return (
        f'{len(rows)} runs of {first["steps"]} steps with {first["batch"]} views of '
        f'{first["view"]}×{first["view"]}, whole frames seen at\n{first["input"]}×'
        f'{first["input"]}, learning rate {first["learning_rate"]}: {minutes:.0f} minutes of '
        f'processor time in all.\nMachine: {first["machine"]}.'
    )

"""Measures every fault and every named scenario, and makes the tables of docs/failure_study.md.

    python docs/failure_study.py plans --bags FOLDER --out STUDY
    for plan in untouched rgb depth stories
    do crodino evaluate-failures STUDY/$plan.yaml --out STUDY/$plan; done
    python docs/failure_study.py tables --out STUDY [--write]

The first writes the plans (see failure_study_plans.py), the last reads the tables that
`crodino evaluate-failures` left and prints, or puts into the page, those of the study.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from failure_study_jobs import (
    Jobs,
    detection,
    each,
    fmt,
    gap,
    quality,
    read_jobs,
    share,
    total,
    where,
)
from failure_study_plans import SEVERITIES, UNTOUCHED, write_plans
from failure_study_plot import Row as PlotRow
from failure_study_plot import dot_plot
from study_page import put_measured, table

from crodino_core.evaluation.faults import FAULTS, Decides
from crodino_core.modality import Modality

HERE = Path(__file__).resolve().parent
POLICIES = ('prefer', 'best')
SENSOR_NAMES = {Modality.RGB: 'camera', Modality.DEPTH: 'depth sensor'}


def bags_table(jobs: Jobs) -> str:
    """The bags without any fault."""
    clean = where(jobs, plan=UNTOUCHED, scenario='clean')
    lines = []
    for bag in dict.fromkeys(job['bag'] for job in clean):
        own = where(clean, bag=bag)
        line = [bag, own[0]['expected_masks']]
        for prefer in map(str, Modality):
            line += [f'{float(_of(own, p, prefer)[0]["miou"]):.1f}' for p in POLICIES]
        lines.append([*line, total(own, 'masks_lost'), total(own, 'false_switches')])
    head = [f'{policy} {sensor}' for sensor in Modality for policy in POLICIES]
    return table(['bag', 'masks', *head, 'lost', 'false switches'], lines)


def _of(jobs: Jobs, policy: str, prefer: str) -> Jobs:
    return where(jobs, policy=f'{policy} {prefer}')


def kinds_of(sensor: Modality, timing: bool) -> list[str]:
    """The faults of a sensor, those of time or those of content."""
    return [
        name
        for name, kind in FAULTS.items()
        if sensor in kind.sensors and (kind.decides is not None) == timing
    ]


def catalogue_table(jobs: Jobs, sensor: Modality, timing: bool) -> str:
    """Each fault of a sensor; every cell has a figure for each severity."""
    untouched = [fmt(quality(baseline(jobs, sensor, p))) for p in POLICIES]
    lines: list[list[str]] = [['nothing', '', '', '', '', '', *untouched, '']]
    for kind in kinds_of(sensor, timing):
        cells = {p: by_severity(jobs, sensor, kind, p) for p in POLICIES}
        both = [a + b for a, b in zip(*cells.values(), strict=True)]
        qualities = ['–', '–', '–'] if wrong_stamps(kind) else _qualities(*cells.values())
        lines.append(
            [
                f'`{kind}`',
                *(each(cells[p], lambda jobs: total(jobs, 'masks_lost')) for p in POLICIES),
                each(both, gap),
                each(cells['prefer'], detection),
                each(both, lambda jobs: total(jobs, 'false_switches')),
                *qualities,
            ]
        )
    head = ['lost, prefer', 'lost, best', 'gap (s)', 'detected (s)', 'false switches']
    return table(['fault', *head, 'mIoU, prefer', 'mIoU, best', 'best − prefer'], lines)


def _qualities(prefer: list[Jobs], best: list[Jobs]) -> list[str]:
    """The mIoU of both policies and what `best` gains."""
    gains = [quality(b) - quality(p) for p, b in zip(prefer, best, strict=True)]
    cells = [each(jobs, lambda jobs: fmt(quality(jobs))) for jobs in (prefer, best)]
    return [*cells, ' / '.join(f'{gain:+.1f}' for gain in gains)]


def wrong_stamps(kind: str) -> bool:
    """Whether a fault leaves no mask with the stamp of its ground truth: there is no mIoU."""
    return FAULTS[kind].decides is Decides.STAMPS


def by_severity(jobs: Jobs, sensor: Modality, kind: str, policy: str) -> list[Jobs]:
    """The jobs of a fault, for each severity."""
    own = where(_of(jobs, policy, str(sensor)), plan=str(sensor), scenario=f'{sensor}_{kind}')
    return [where(own, severity=str(severity)) for severity in SEVERITIES]


def baseline(jobs: Jobs, sensor: Modality, policy: str) -> Jobs:
    """The jobs without a fault, on the bags and in the span of the catalogue."""
    bags = {job['bag'] for job in where(jobs, plan=str(sensor))}
    own = where(_of(jobs, policy, str(sensor)), plan=UNTOUCHED, scenario=UNTOUCHED)
    return [job for job in own if job['bag'] in bags]


def stories_table(jobs: Jobs) -> str:
    """The named scenarios, the hardest first."""
    lines = []
    for name in dict.fromkeys(job['scenario'] for job in where(jobs, plan='stories')):
        cells = [_of(where(jobs, plan='stories', scenario=name), p, 'rgb') for p in POLICIES]
        scores = [quality(each) for each in cells]
        lines.append(
            (
                max(scores),
                [
                    name,
                    *(share(each, 'masks_lost') for each in cells),
                    *(total(each, 'stale_masks') for each in cells[:1]),
                    gap(cells[0] + cells[1]),
                    detection(cells[0]),
                    total(cells[0] + cells[1], 'false_switches'),
                    *map(fmt, scores),
                    f'{scores[1] - scores[0]:+.1f}',
                ],
            )
        )
    head = ['lost, prefer', 'lost, best', 'stale', 'gap (s)', 'detected (s)', 'false switches']
    head = ['scenario', *head, 'mIoU, prefer', 'mIoU, best', 'best − prefer']
    return table(head, [line for _, line in sorted(lines, key=lambda pair: pair[0])])


def plot(jobs: Jobs, sensor: Modality) -> str:
    """The loss of mIoU by fault, severity and policy, as SVG."""
    rows = []
    for timing in (True, False):
        for kind in (kind for kind in kinds_of(sensor, timing) if not wrong_stamps(kind)):
            values = {
                policy: [
                    quality(found) - quality(baseline(jobs, sensor, 'prefer'))
                    for found in by_severity(jobs, sensor, kind, policy)
                ]
                for policy in POLICIES
            }
            rows.append(PlotRow(kind, values['prefer'], values['best']))
    title = f'mIoU while the {SENSOR_NAMES[sensor]} fails, against prefer without a fault (points)'
    return dot_plot(title, rows, [f'severity {severity}' for severity in SEVERITIES])


def tables(jobs: Jobs) -> str:
    """The measured part of docs/failure_study.md."""
    parts = [f'{len(jobs)} replays.', '### Without a fault', bags_table(jobs)]
    for sensor in Modality:
        parts += [
            f'### Faults of the {SENSOR_NAMES[sensor]}',
            f'![Loss of mIoU by fault](images/failure_study_{sensor}.svg)',
            catalogue_table(jobs, sensor, timing=True),
            catalogue_table(jobs, sensor, timing=False),
        ]
    return '\n\n'.join([*parts, '### Named scenarios', stories_table(jobs)])


def main() -> None:
    """Write the plans, or make the tables of what they found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('step', choices=('plans', 'tables'))
    parser.add_argument('--out', type=Path, required=True, help='folder of plans and results')
    parser.add_argument('--bags', type=Path, help='folder of the recorded bags')
    parser.add_argument('--write', action='store_true', help='put tables and plots into the docs')
    given = parser.parse_args()
    if given.step == 'plans':
        if given.bags is None:
            parser.error('plans needs --bags')
        print(*write_plans(given.bags, given.out), sep='\n')
        return
    jobs = read_jobs(given.out)
    found = tables(jobs)
    if not given.write:
        print(found)
        return
    put_measured(HERE / 'failure_study.md', found)
    for sensor in Modality:
        (HERE / 'images' / f'failure_study_{sensor}.svg').write_text(plot(jobs, sensor))


if __name__ == '__main__':
    main()

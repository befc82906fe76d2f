"""What the replays of failure_study.py gave: the tables that `crodino evaluate-failures` left."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean

Jobs = list[dict[str, str]]
"""Rows of `results.csv`, and `plan`, the name of their plan."""


def read_jobs(out: Path) -> Jobs:
    """Read what every plan left; what failed is an error."""
    jobs = []
    for path in sorted(out.glob('*/results.csv')):
        with path.open(newline='', encoding='utf-8') as file:
            jobs += [{**row, 'plan': path.parent.name} for row in csv.DictReader(file)]
    failed = [job for job in jobs if job['status'] != 'done']
    if failed:
        raise SystemExit(f'{len(failed)} jobs failed, the first: {failed[0]["error"]}')
    return jobs


def where(jobs: Jobs, **equal: str) -> Jobs:
    """Jobs whose columns have these values."""
    return [job for job in jobs if all(job[key] == value for key, value in equal.items())]


def numbers(jobs: Jobs, key: str) -> list[float]:
    return [float(job[key]) for job in jobs if job[key]]


def total(jobs: Jobs, key: str) -> str:
    return f'{sum(numbers(jobs, key)):.0f}'


def share(jobs: Jobs, key: str) -> str:
    """A sum, with that of the expected masks where it is not 0."""
    found = total(jobs, key)
    return found if found == '0' else f'{found} of {total(jobs, "expected_masks")}'


def gap(jobs: Jobs) -> str:
    """Longest time without a mask beyond the longest pause of the recording itself."""
    return f'{max(0.0, *(g - e for g, e in _gaps(jobs))):.2f}'


def _gaps(jobs: Jobs) -> Iterable[tuple[float, float]]:
    return zip(numbers(jobs, 'max_gap_s'), numbers(jobs, 'max_gap_expected_s'), strict=True)


def detection(jobs: Jobs) -> str:
    """The longest time to detect; in how many bags, if not in all."""
    found = numbers(jobs, 'time_to_detect_s')
    if not found:
        return '–'
    return f'{max(found):.2f}' + (f' ({len(found)}/{len(jobs)})' if len(found) < len(jobs) else '')


def quality(jobs: Jobs, key: str = 'miou_in_faults') -> float:
    """Mean over the bags, percent."""
    return fmean(numbers(jobs, key))


def each(groups: Sequence[Jobs], say: Callable[[Jobs], str]) -> str:
    """A figure for each severity; one where all are alike."""
    found = [say(group) for group in groups]
    return found[0] if len(set(found)) == 1 else ' / '.join(found)


def fmt(value: float) -> str:
    return f'{value:.1f}'

"""What a plan found: one tidy table, and which policy of which bundle survives best.

The table is CSV and not Parquet: a plan has hundreds of rows, not millions, every tool and every
person can read it, and it needs no library of hundreds of megabytes on a robot.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from crodino_core.whole_files import write_whole

Record = Mapping[str, Any]
"""A job's labels, `status`, `error` and `summary` (see `JobResults`)."""

LABELS = ('bag', 'bundle', 'policy', 'scenario', 'severity', 'status', 'error')
_FIGURES = (
    'expected_masks', 'masks', 'void_masks', 'masks_dropped', 'availability', 'masks_lost',
    'stale_masks', 'max_gap_s', 'max_gap_expected_s', 'false_switches', 'undetected',
    'time_to_detect_s', 'time_to_recover_s', 'wrong_modality_s', 'away_s', 'miou',
    'miou_in_faults', 'miou_without_faults', 'duration_s', 'inference_time_ms', 'engine', 'device',
)  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """How a policy of a bundle did in the jobs that all contenders finished."""

    bundle: str
    policy: str
    score: float | None
    """Mean of mIoU x share of the expected masks that were not lost, percent."""
    miou: float | None
    """Mean mIoU of the masks that there were, percent."""
    worst: float | None
    """Least score of a job."""
    worst_at: str
    """Where that was, e.g. 'fog_bank on room'."""
    masks_lost: int
    longest_gap_s: float
    """Longest time without a mask beyond the longest pause of the recording itself."""
    false_switches: int
    wrong_modality_s: float


def write_table(records: Iterable[Record], path: Path) -> None:
    """Write one row for each job, `LABELS` first, as CSV in one step."""
    rows = [as_row(record) for record in records]
    columns = list(rows[0]) if rows else list(LABELS)
    text = io.StringIO(newline='')
    writer = csv.DictWriter(text, columns, lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    write_whole({path: text.getvalue()})


def as_row(record: Record) -> dict[str, Any]:
    """Return a job's row of the table: plain values, None where there is none."""
    summary = record['summary'] or {}
    low, high = summary.get('miou_ci') or (None, None)
    by_modality = summary.get('miou_by_modality') or {}
    agreement = summary.get('agreement') or {}
    return {
        **{key: record.get(key) for key in LABELS},
        **{key: summary.get(key) for key in _FIGURES},
        'failovers': len(summary['failovers']) if summary else None,
        'miou_low': low,
        'miou_high': high,
        'miou_rgb': by_modality.get('rgb'),
        'miou_depth': by_modality.get('depth'),
        'agreement_pixels': agreement.get('pixels'),
        'agreement_miou': agreement.get('miou'),
    }


def score_of(record: Record) -> float | None:
    """Return mIoU x (1 - lost / expected masks), percent; None if it failed or has no measure.

    A policy that falls silent keeps the mIoU of the masks it did make; this counts the others as
    0. Without ground truth the mIoU with the masks of the clean run takes its place.
    """
    quality, summary = _quality(record), record['summary']
    if quality is None or not summary['expected_masks']:
        return None
    return quality * (1 - summary['masks_lost'] / summary['expected_masks'])


def standings(records: Sequence[Record]) -> list[Standing]:
    """Return the contenders, the best first, compared where all of them have a result.

    A contender without any result is left out.
    """
    done = [record for record in records if record['summary'] is not None]
    contenders = list(dict.fromkeys(_contender(record) for record in done))
    shared = _shared_cells(done, contenders)
    found = [
        _standing(each, [r for r in done if _contender(r) == each and _cell(r) in shared])
        for each in contenders
    ]
    return sorted(found, key=lambda s: (s.score is None, -(s.score or 0), s.masks_lost))


def leaderboard_markdown(records: Sequence[Record], jobs: int, description: str = '') -> str:
    """Return the leaderboard, the scores by scenario and the failed jobs as Markdown.

    :param jobs: how many the plan has; fewer records mean that it is not finished.
    """
    failed = [record for record in records if record['summary'] is None]
    counts = f'{len(records) - len(failed)} of {jobs} jobs done, {len(failed)} failed.'
    parts = ['# Leaderboard', description, counts, _standings_table(standings(records))]
    parts += ['## Score by scenario, the hardest first', _scenario_table(records)]
    parts.append(
        'Score: mIoU x share of the expected masks that were not lost, percent, mean over the bags'
        + _agreement_note(records)
    )
    if failed:
        parts += ['## Failed', '\n'.join(f'- {_name(r)}: {r["error"]}' for r in failed)]
    return '\n\n'.join(part for part in parts if part) + '\n'


def scores_by_scenario(records: Sequence[Record]) -> dict[tuple[str, str], dict[str, float]]:
    """Return the mean score by contender and scenario (with its severity), the hardest first."""
    scores: dict[str, dict[tuple[str, str], list[float]]] = {}
    for record in records:
        score = score_of(record)
        if score is not None:
            scores.setdefault(_scenario(record), {}).setdefault(_contender(record), []).append(
                score
            )
    means = {
        scenario: {contender: fmean(values) for contender, values in by.items()}
        for scenario, by in scores.items()
    }
    ordered = sorted(means, key=lambda scenario: fmean(means[scenario].values()))
    contenders = list(dict.fromkeys(each for by in means.values() for each in by))
    return {
        contender: {s: means[s][contender] for s in ordered if contender in means[s]}
        for contender in contenders
    }


def _quality(record: Record) -> float | None:
    summary = record['summary']
    if summary is None or summary['miou'] is not None:
        return None if summary is None else summary['miou']
    if summary['scenario'] is None:
        return None
    return (summary.get('agreement') or {}).get('miou')


def _standing(contender: tuple[str, str], records: Sequence[Record]) -> Standing:
    scored = [(score, r) for r in records if (score := score_of(r)) is not None]
    qualities = [quality for r in records if (quality := _quality(r)) is not None]
    worst = min(scored, key=lambda pair: pair[0]) if scored else None
    summaries = [record['summary'] for record in records]
    gaps = [(s['max_gap_s'] or 0) - (s['max_gap_expected_s'] or 0) for s in summaries]
    return Standing(
        bundle=contender[0],
        policy=contender[1],
        score=fmean(score for score, _ in scored) if scored else None,
        miou=fmean(qualities) if qualities else None,
        worst=worst[0] if worst else None,
        worst_at=f'{_scenario(worst[1])} on {worst[1]["bag"]}' if worst else '',
        masks_lost=sum(s['masks_lost'] for s in summaries),
        longest_gap_s=max([0.0, *gaps]),
        false_switches=sum(s['false_switches'] for s in summaries),
        wrong_modality_s=sum(s['wrong_modality_s'] for s in summaries),
    )


def _shared_cells(done: Sequence[Record], contenders: Sequence[Any]) -> set[tuple[Any, ...]]:
    cells = [{_cell(r) for r in done if _contender(r) == each} for each in contenders]
    return set.intersection(*cells) if cells else set()


def _contender(record: Record) -> tuple[str, str]:
    return record['bundle'], record['policy']


def _cell(record: Record) -> tuple[Any, ...]:
    return record['bag'], record['scenario'], record['severity']


def _scenario(record: Record) -> str:
    severity = record['severity']
    return record['scenario'] if severity is None else f'{record["scenario"]}, severity {severity}'


def _name(record: Record) -> str:
    return f'{_scenario(record)} on {record["bag"]}, {record["bundle"]}, {record["policy"]}'


def _agreement_note(records: Sequence[Record]) -> str:
    bags = sorted({r['bag'] for r in records if r['summary'] and r['summary']['miou'] is None})
    if not bags:
        return '.'
    return f'; without ground truth in {", ".join(bags)}, there with the masks of the clean run.'


def _standings_table(found: Sequence[Standing]) -> str:
    header = ('', *STANDING_COLUMNS)
    rows = [(str(place), *standing_cells(each)) for place, each in enumerate(found, 1)]
    return _markdown(header, rows)


STANDING_COLUMNS = (
    'bundle', 'policy', 'score', 'mIoU', 'worst', 'at', 'lost', 'gap (s)',
    'false', 'wrong sensor (s)',
)  # fmt: skip


def standing_cells(standing: Standing) -> tuple[str, ...]:
    """Return a standing as the words of `STANDING_COLUMNS`."""
    return (
        standing.bundle,
        standing.policy,
        _percent(standing.score),
        _percent(standing.miou),
        _percent(standing.worst),
        standing.worst_at,
        str(standing.masks_lost),
        f'+{standing.longest_gap_s:.2f}',
        str(standing.false_switches),
        f'{standing.wrong_modality_s:.1f}',
    )


def _scenario_table(records: Sequence[Record]) -> str:
    scores = scores_by_scenario(records)
    scenarios = list(dict.fromkeys(s for by in scores.values() for s in by))
    rows = [
        (scenario, *(_percent(by.get(scenario)) for by in scores.values()))
        for scenario in scenarios
    ]
    return _markdown(('scenario', *(' / '.join(each) for each in scores)), rows)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ['---'] * len(header), *rows]
    escaped = ([cell.replace('|', r'\|') for cell in line] for line in lines)
    return '\n'.join(f'| {" | ".join(line)} |' for line in escaped)


def _percent(value: float | None) -> str:
    return '' if value is None else f'{value:.1f}'

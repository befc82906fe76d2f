"""The report of a replay: `report.json`, `report.md` and one self-contained `report.html`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from crodino_core.evaluation import report_tables as tables
from crodino_core.evaluation import report_timeline
from crodino_core.evaluation.metrics import summarize
from crodino_core.evaluation.records import ReplayResult
from crodino_core.evaluation.report_environment import engine_title, environment, settings
from crodino_core.evaluation.report_film import ROWS, film
from crodino_core.evaluation.report_markdown import as_text
from crodino_core.evaluation.report_pictures import picture_groups
from crodino_core.evaluation.report_words import headline, pooled_miou, sentences
from crodino_core.whole_files import write_whole

PAGE = 'report.html.jinja'
MARKDOWN = 'report.md.jinja'
PICTURE_BUDGET = 3_600_000
"""Characters of pictures in the page, strips and film together; so it stays below 4 MB."""


def write_report(result: ReplayResult, directory: str | Path) -> tuple[Path, Path]:
    """Write `report.json`, `report.md` and `report.html`; all are whole or not there.

    :param directory: made if needed; earlier reports in it are replaced.
    :return: the paths of `report.json` and `report.html`.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    around = environment()
    json_path, html_path = directory / 'report.json', directory / 'report.html'
    content = json.dumps(report_content(result, around), indent=1, allow_nan=False)
    write_whole(
        {
            json_path: content + '\n',
            directory / 'report.md': render_markdown(result, around),
            html_path: render(result, around),
        }
    )
    return json_path, html_path


def report_content(result: ReplayResult, around: Mapping[str, str]) -> dict[str, Any]:
    """Return what `report.json` holds: the summary, the timeline and the environment."""
    return {
        'headline': headline(result),
        'sentences': sentences(result),
        **summarize(result),
        'timeline': report_timeline.timeline(result),
        'environment': dict(around),
    }


def render(result: ReplayResult, around: Mapping[str, str]) -> str:
    """Return the page."""
    timeline = report_timeline.timeline(result)
    groups = picture_groups(result)
    strips = sum(
        len(uri or '') for g in groups for c in g['columns'] for uri in c['rows'].values()
    )
    return _jinja(autoescape=True).get_template(PAGE).render(
        **_facts(result, around),
        timeline=timeline,
        curves=report_timeline.curves(result),
        ticks=report_timeline.ticks(timeline['duration_s']),
        shades=[vars(s) for m in result.frames for s in report_timeline.fault_spans(result, m)],
        cursor_s=_cursor(result),
        legend=report_timeline.legend(timeline),
        groups=groups,
        film=film(result, max(PICTURE_BUDGET - strips, PICTURE_BUDGET // 4)),
        rows=ROWS,
        aspect=_aspect(result),
    )  # fmt: skip


def render_markdown(result: ReplayResult, around: Mapping[str, str]) -> str:
    """Return the facts of the page in GitHub-flavoured Markdown, without its pictures."""
    jinja = _jinja(finalize=as_text)
    return jinja.get_template(MARKDOWN).render(**_facts(result, around))


def _facts(result: ReplayResult, around: Mapping[str, str]) -> dict[str, Any]:
    """Return what page and Markdown both tell."""
    summary = summarize(result)
    scenario = result.scenario or 'none'
    return {
        'title': f'{scenario} on {result.recording}',
        'recording': result.recording,
        'scenario': scenario,
        'description': result.scenario_description,
        'model': result.model,
        'engine': engine_title(result),
        'headline': headline(result),
        'sentences': sentences(result),
        'tiles': tables.tiles(result, summary),
        'figures': tables.figures(summary),
        'failures': tables.failure_rows(result),
        'failovers': summary['failovers'],
        'phases': tables.phase_rows(result),
        'changes': tables.class_changes(result),
        'classes': tables.class_rows(result),
        'sources': tables.sources(result),
        'scored': pooled_miou(result.phases) is not None,
        'compared': result.comparison is not None,
        'quality': report_timeline.quality_name(result),
        'warnings': result.warnings,
        'environment': [*settings(result), *around.items()],
    }


def _jinja(**options: Any) -> Environment:
    return Environment(
        loader=PackageLoader('crodino_core.evaluation', '.'), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, **options,
    )  # fmt: skip


def _cursor(result: ReplayResult) -> float:
    """Return where the scrubber starts: just after the first switch, in its steps of 10 ms."""
    return math.ceil(result.failovers[0].at_s * 100) / 100 if result.failovers else 0.0


def _aspect(result: ReplayResult) -> str:
    """Return the shape of the masks, for pictures that are not there."""
    if not result.film:
        return '4 / 3'
    height, width = result.film[0].mask.shape[:2]
    return f'{width} / {height}'

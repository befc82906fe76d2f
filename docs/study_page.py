"""Pages of the docs that a program wrote a part of."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

BEGIN, END = '<!-- study: begin -->', '<!-- study: end -->'


def table(head: Iterable[str], lines: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    head = list(head)
    rows = ['| ' + ' | '.join(head) + ' |', '|' + '---|' * len(head)]
    rows += ['| ' + ' | '.join(map(str, each)) + ' |' for each in lines]
    return '\n'.join(rows)


def put_measured(page: Path, content: str) -> None:
    """Put what was measured between the marks of a page."""
    before, rest = page.read_text(encoding='utf-8').split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f'{before}{BEGIN}\n{content}\n{END}{after}', encoding='utf-8')

"""A dot plot as SVG: a row for each fault, a column for each severity, a mark for each policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

LEFT, TOP, COLUMN, ROW = 130, 62, 210, 19
LEAST, MOST = -45.0, 15.0
"""Points at the edges of a column; what lies beyond is drawn at its edge."""
COLORS = ('#0072b2', '#d55e00')
"""Told apart by people of any colour vision (Okabe and Ito), and by their form."""


@dataclass(frozen=True)
class Row:
    """One fault: the points of both policies at each severity."""

    name: str
    prefer: Sequence[float]
    best: Sequence[float]


def dot_plot(title: str, rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return the picture; it needs neither a font nor a library."""
    width, height = LEFT + COLUMN * len(columns) + 10, TOP + ROW * len(rows) + 26
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12" role="img" '
        f'aria-label="{escape(title)}">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="18" font-size="14" font-weight="bold">{escape(title)}</text>',
        f'{_circle(14, 36)}<text x="24" y="40">prefer</text>',
        f'{_diamond(84, 36)}<text x="94" y="40">best</text>',
    ]
    for index, column in enumerate(columns):
        parts += _column(LEFT + index * COLUMN, column, len(rows))
    for index, row in enumerate(rows):
        parts += _row(TOP + ROW * index + ROW / 2, row)
    return '\n'.join([*parts, '</svg>', ''])


def _column(left: float, name: str, rows: int) -> list[str]:
    bottom = TOP + ROW * rows
    parts = [f'<text x="{_x(left, 0):.0f}" y="{TOP - 8}" text-anchor="end">{escape(name)}</text>']
    for value in (-40, -30, -20, -10, 0, 10):
        x, color = _x(left, value), '#444444' if value == 0 else '#dddddd'
        parts += [
            f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}" stroke="{color}"/>',
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{value}</text>',
        ]
    return parts


def _row(y: float, row: Row) -> list[str]:
    parts = [f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(row.name)}</text>']
    for index, (prefer, best) in enumerate(zip(row.prefer, row.best, strict=True)):
        left = LEFT + index * COLUMN
        a, b = _x(left, prefer), _x(left, best)
        line = f'<line x1="{a:.1f}" y1="{y}" x2="{b:.1f}" y2="{y}" stroke="#999999"/>'
        parts += [line, _circle(a, y), _diamond(b, y)]
    return parts


def _x(left: float, value: float) -> float:
    inside = min(max(value, LEAST), MOST)
    return left + 6 + (inside - LEAST) / (MOST - LEAST) * (COLUMN - 12)


def _circle(x: float, y: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{COLORS[0]}"/>'


def _diamond(x: float, y: float) -> str:
    points = f'{x:.1f},{y - 5:.1f} {x + 5:.1f},{y:.1f} {x:.1f},{y + 5:.1f} {x - 5:.1f},{y:.1f}'
    return f'<polygon points="{points}" fill="{COLORS[1]}"/>'

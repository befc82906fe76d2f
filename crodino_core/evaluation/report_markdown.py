"""Text of unknown origin in Markdown: it is read, and never marks anything up."""

from __future__ import annotations

import html
import re

from markupsafe import Markup

_MARKS = re.compile(r'([\\`*_\[\]#|~])')
_LINKS = re.compile(r'(?i)\b(https?|www)([:.])')


def as_text(value: object) -> object:
    """Return a value with everything that GitHub would render as markup escaped.

    Names of recordings and scenarios, causes and warnings come from outside. Line breaks become
    spaces, so that a cell stays a cell; `Markup` passes as it is.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return '–' if value is None else value
    text = html.escape(' '.join(value.split()), quote=False)
    text = _LINKS.sub(r'\1&#8203;\2', _MARKS.sub(r'\\\1', text))
    return text.replace('@', '&#64;')

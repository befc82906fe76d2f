"""Answers to words that a file uses and nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from crodino_core.errors import UsageError


def check_keys(content: Mapping[Any, Any], known: Iterable[str], where: str) -> None:
    """Check the keys of a mapping.

    :param where: what the error message is to begin with.
    :raises UsageError: a key is unknown; the message names the nearest.
    """
    known = list(known)
    for key in content:
        if key not in known:
            raise UsageError(f'{where} has an unknown key {key!r}{nearest(key, known)}')


def nearest(word: object, known: list[str]) -> str:
    """Say the nearest known word and all others."""
    close = difflib.get_close_matches(str(word), known, n=1)
    hint = f' (did you mean {close[0]!r}?)' if close else ''
    return f'{hint}; known are: {", ".join(known)}'

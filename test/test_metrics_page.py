"""docs/metrics.md defines every figure of a replay, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from test_metrics import CUT_CHANGES, CUT_SERVED, camera_cut, result

from crodino_core.evaluation.metrics import summarize

PAGE = (Path(__file__).resolve().parents[1] / 'docs' / 'metrics.md').read_text(encoding='utf-8')


def keys_of(value, found):
    """Collect the keys of nested mappings, but not those of free content."""
    for key, inner in value.items():
        found.add(key)
        if key in ('parameters', 'policy', 'frames', 'frames_delivered', 'undecodable'):
            continue
        for each in inner if isinstance(inner, list) else [inner]:
            if isinstance(each, dict):
                keys_of(each, found)
    return found


def test_every_key_is_defined():
    summary = summarize(result(CUT_SERVED, failures=[camera_cut()], changes=CUT_CHANGES))
    named = set(re.findall(r'`([a-z_]+)`', PAGE))
    plain = {'rgb', 'depth', 'p50', 'p95', 'p99', 'served', 'faults'}
    assert keys_of(summary, set()) - named - plain == set()

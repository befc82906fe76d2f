"""The figures of `crodino bench node`, from what was seen of a node; pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crodino_core.modality import Modality
from crodino_ros.bench_driver_node import RATE

_SETTLED, _LAST = 0.6, 0.1
"""Memory grows from the median of the tenth after this part to that of the last part."""
_AROUND = 1.0
"""Seconds before and after a cut that belong to it."""


@dataclass(frozen=True)
class MaskSeen:
    """A mask that was received; times in seconds."""

    at: float
    latency: float
    """From the stamp, which the driver took right before it published, to the reception."""
    source: str
    """Modality that it was made of."""


@dataclass
class Observed:
    """What was seen of one node while the driver ran."""

    masks: list[MaskSeen] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    """Time in seconds, resident memory of the node in MB (10^6 bytes)."""
    output: dict[str, str] = field(default_factory=dict)
    """The node's own figures at the end."""
    began: float = 0.0
    ended: float = 0.0


def figures(seen: Observed) -> dict[str, Any]:
    """What came of the segment node.

    `overhead_*`, `node_latency_*` and `inference_*` are the node's own, of its last 300 masks;
    `latency_ms` is from the stamp of an image to the reception of its mask.
    """
    own = seen.output
    found: dict[str, Any] = {
        'engine': own.get('engine', ''),
        'masks': len(seen.masks),
        'dropped': int(own.get('dropped', 0)),
        **{f'overhead_{p}_ms': _number(own, f'overhead_{p}_ms') for p in ('p50', 'p95')},
        **{f'node_latency_{p}_ms': _number(own, f'latency_{p}_ms') for p in ('p50', 'p95')},
        **{f'inference_{p}_ms': _number(own, f'inference_{p}_ms') for p in ('p50', 'p95')},
        'latency_ms': latency_percentiles(seen.masks),
        'longest_gap_periods': gap_through_cut(seen.masks),
        'memory': memory_growth(seen),
    }
    return found


def gap_through_cut(masks: Sequence[MaskSeen]) -> float | None:
    """Return the longest time between two masks around the camera's cut, in periods.

    :return: None if no mask was made of depth, so that there was no failover.
    """
    times = [mask.at for mask in masks if mask.source == str(Modality.DEPTH)]
    if not times:
        return None
    first, last = times[0] - _AROUND, times[-1] + _AROUND
    around = [mask.at for mask in masks if first <= mask.at <= last]
    return round(max(np.diff(around), default=0.0) * RATE, 2)


def memory_growth(seen: Observed) -> dict[str, float] | None:
    """Return how much the node's resident memory grew after both networks had been used, MB."""
    length = max(seen.ended - seen.began, 1e-9)

    def median(begin: float, end: float) -> float | None:
        part = [mb for at, mb in seen.memory if begin <= (at - seen.began) / length <= end]
        return float(np.median(part)) if part else None

    before, after = median(_SETTLED, _SETTLED + _LAST), median(1 - _LAST, 1.0)
    if before is None or after is None:
        return None
    return {
        'settled_mb': round(before, 1),
        'end_mb': round(after, 1),
        'growth_mb': round(after - before, 2),
    }


def latency_percentiles(masks: Sequence[MaskSeen]) -> dict[str, float]:
    """Return percentiles in ms, stamp of the image to its mask.

    The first second is left out, unless there are no masks after it.

    :param masks: at least one.
    """
    settled = [m.latency * 1e3 for m in masks if m.at > masks[0].at + _AROUND]
    settled = settled or [m.latency * 1e3 for m in masks]
    return {f'p{p}': round(float(np.percentile(settled, p)), 2) for p in (50, 95)}


def _number(values: dict[str, str], key: str) -> float | None:
    return float(values[key]) if key in values else None

"""The picture strips of the report: what was seen around each failure."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from crodino_core.evaluation.records import KeyPicture, ReplayResult
from crodino_core.evaluation.report_images import depth_colors, depth_limits, jpeg_uri, mask_uri
from crodino_core.evaluation.report_words import SENSOR_NAMES, SOURCE_NAMES, failure_sentence
from crodino_core.labels import LabelSet

PICTURE_WIDTH = 224


def picture_groups(result: ReplayResult) -> list[dict[str, Any]]:
    """Return the picture strips, one for each failure, and one for what lies outside them."""
    groups = []
    limits = depth_limits([p.depth for p in result.pictures if p.depth is not None])
    ordered = sorted(result.pictures, key=lambda p: (p.failure is None, p.failure or 0, p.time_s))
    for failure, pictures in groupby(ordered, key=lambda picture: picture.failure):
        title, text = 'Outside the failures' if result.failures else 'Along the way', ''
        if failure is not None:
            found = result.failures[failure]
            title = f'{SENSOR_NAMES[found.sensor].capitalize()}: {found.kind.replace("_", " ")}'
            text = failure_sentence(result, found) if len(result.failures) > 1 else ''
        columns = [_column(picture, result.labels, limits) for picture in pictures]
        groups.append({'title': title, 'text': text, 'columns': columns})
    return groups


def _column(
    picture: KeyPicture, labels: LabelSet | None, limits: tuple[float, float]
) -> dict[str, Any]:
    """Return one instant: four pictures as data URIs, None where there was nothing."""
    colors = None if picture.depth is None else depth_colors(picture.depth, limits)
    return {
        'time_s': picture.time_s,
        'caption': picture.caption,
        'kind': picture.source,
        'served': SOURCE_NAMES[picture.source],
        'miou': picture.miou,
        'aspect': f'{picture.mask.shape[1]} / {picture.mask.shape[0]}',
        'rows': {
            'colour': None if picture.rgb is None else jpeg_uri(picture.rgb, PICTURE_WIDTH),
            'depth': None if colors is None else jpeg_uri(colors, PICTURE_WIDTH),
            'mask': mask_uri(picture.mask, labels, PICTURE_WIDTH),
            'truth': None
            if picture.label is None
            else mask_uri(picture.label, labels, PICTURE_WIDTH),
        },
    }

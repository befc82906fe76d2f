"""The pictures of a training run: curves, confusion of the classes, sample predictions."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from crodino_core.labels import LabelSet
from crodino_core.learning.run_log import METRICS_FILE, VALIDATION
from crodino_core.rgbd_folder import RgbdSample
from crodino_core.whole_files import write_whole

CURVES_FILE = 'curves.png'
CONFUSION_FILE = 'confusion.png'
PREDICTIONS_FILE = 'predictions.png'
NAMED_CLASSES = 50
"""More names than these cannot be read beside a matrix."""


def draw_curves(run: Path) -> None:
    """Draw `metrics.csv`: the losses, and the validation mIoU."""
    with (run / METRICS_FILE).open(newline='') as stream:
        rows = list(csv.DictReader(stream))
    steps = [int(row['step']) for row in rows]
    figure = _figure(11, 4.5)
    losses, miou = figure.subplots(1, 2)
    for name in list(rows[0])[1:]:
        axes = miou if name.startswith(VALIDATION) else losses
        label = name.removeprefix(VALIDATION).replace('_', ' ')
        axes.plot(steps, [float(row[name]) for row in rows], marker='.', label=label)
    losses.set(title='weighted losses', xlabel='step', ylim=(0, None))
    miou.set(title='validation mIoU', xlabel='step', ylabel='%')
    for axes in (losses, miou):
        axes.grid(alpha=0.3)
        axes.legend(fontsize='small')
    _save(figure, run / CURVES_FILE)


def draw_confusion(
    run: Path, step: int, matrices: Mapping[str, np.ndarray], labels: LabelSet
) -> None:
    """Draw what each network takes for what, as shares of the true class.

    :param matrices: by network, [K, K] counts, rows = ground truth.
    """
    figure = _figure(0.6 + 5 * len(matrices), 5)
    for axes, (name, matrix) in zip(
        figure.subplots(1, len(matrices), squeeze=False)[0], matrices.items(), strict=True
    ):
        share = matrix / np.maximum(1, matrix.sum(1, keepdims=True))
        axes.imshow(share, vmin=0, vmax=1, cmap='Blues')
        axes.set(title=f'{name.replace("_", " ")}, step {step}', xlabel='predicted')
        if len(labels) <= NAMED_CLASSES:
            ticks = range(len(labels))
            axes.set_xticks(ticks, labels.names, rotation=90, fontsize='x-small')
            axes.set_yticks(ticks, labels.names, fontsize='x-small')
    _save(figure, run / CONFUSION_FILE)


def draw_predictions(
    run: Path,
    samples: Sequence[RgbdSample],
    masks: Mapping[str, np.ndarray],
    labels: LabelSet,
) -> None:
    """Draw a row for each sample: colour, depth, ground truth, the mask of each network.

    :param masks: by network, uint8 [B, H, W], one a sample.
    """
    rows = [
        np.hstack(
            [sample.rgb, _depth_colors(sample.depth), labels.colorize(sample.label)]
            + [labels.colorize(of_network[index]) for of_network in masks.values()]
        )
        for index, sample in enumerate(samples)
    ]
    picture = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    write_whole({run / PREDICTIONS_FILE: cv2.imencode('.png', picture)[1].tobytes()})


def _depth_colors(depth: np.ndarray) -> np.ndarray:
    """Near red, far blue, invalid black; uint8 [H, W, 3]."""
    inverse = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    nearest = np.percentile(inverse, 98)
    grey = (255 * np.clip(inverse / max(nearest, 1e-6), 0, 1)).astype(np.uint8)
    colors = cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    colors[depth <= 0] = 0
    return colors


def _figure(width: float, height: float) -> Any:
    # Not at the top: the import takes a second. Not pyplot: it would look for a screen.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout='constrained')


def _save(figure: Any, path: Path) -> None:
    content = io.BytesIO()
    figure.savefig(content, format='png', dpi=110)
    write_whole({path: content.getvalue()})

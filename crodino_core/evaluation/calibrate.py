"""Calibration of the policy `best`: what a network's confidence says of its masks.

Only clean frames are used, and none of the frames that the networks were trained on or are to be
judged by. Frames of another place than the training data's belong to them: there the confidence
is lower and so are the scores, which is what shows the line between the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.iou import confusion_matrix, miou_of
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdSample
from crodino_core.runtime.engines import Engine
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.quality import Signals, signals_of
from crodino_core.runtime.segmenter import FailoverSegmenter

FEWEST = 10
"""Labelled frames below which a line through them means nothing."""
LEAST_CORRELATION = 0.15
"""Of confidence and mIoU; with fewer than some hundred frames, less may be chance."""
BLUR_MARGIN = 0.03
"""An image is called blurred only beyond the most blurred clean one, by this much."""


def calibrate(
    bundle: ModelBundle,
    engines: Mapping[Modality, Engine],
    validation: Iterable[RgbdSample],
    elsewhere: Iterable[RgbdSample] = (),
) -> dict[str, Any]:
    """Fit a line from the mean confidence of a clean frame's mask to its mIoU, for each network.

    :param validation: clean labelled frames of the place the bundle is for, not trained on; the
        mIoU over all of them is recorded too.
    :param elsewhere: clean labelled frames of other places, for the line only.
    :return: for `ModelBundle.with_quality`: by modality `miou` (percent), `offset`, `slope`,
        `correlation`, `blur_limit` (only colour), and `frames`, their number.
    :raises CrodinoError: there are too few labelled frames, or confidence says nothing of them.
    """
    segmenter = FailoverSegmenter(bundle, engines=engines)
    views: dict[Modality, list[tuple[Signals, float]]] = {m: [] for m in Modality}
    totals: dict[Modality, Any] = dict.fromkeys(Modality, 0)
    for at_home, samples in ((True, validation), (False, elsewhere)):
        for sample in samples:
            for m, image in ((Modality.RGB, sample.rgb), (Modality.DEPTH, sample.depth)):
                frame = Frame(m, image, stamp_ns=0, arrival=0.0)
                found = segmenter.infer(frame)
                counted = confusion_matrix(sample.label, found.mask, len(bundle.labels))
                miou = miou_of(counted)
                if miou is not None:
                    views[m].append((signals_of(frame, found.confidence), miou))
                    totals[m] = totals[m] + counted * at_home
    frames = min(len(seen) for seen in views.values())
    if frames < FEWEST:
        raise CrodinoError(
            f'{frames} labelled frames are too few to calibrate with; at least {FEWEST} were '
            'expected: take a larger split'
        )
    fits = {str(m): {'miou': _percent(totals[m]), **_line(m, views[m])} for m in Modality}
    return {**fits, 'frames': frames}


def _percent(confusion: np.ndarray) -> float:
    return round(miou_of(confusion) or 0.0, 2)


def _line(modality: Modality, views: list[tuple[Signals, float]]) -> dict[str, float]:
    """Fit mIoU = offset + slope * confidence, and find the utmost blur.

    Both scatter, so least squares would make the slope too small, by their correlation. The ratio
    of the standard deviations (the reduced major axis) is close to what damaged images show.
    """
    confidence, blur, miou = np.array([(s.confidence, s.blur, miou) for s, miou in views]).T
    if confidence.std() == 0 or miou.std() == 0:
        raise CrodinoError(
            f'the {modality} masks of all frames are equally confident or equally good; '
            'more varied frames were expected'
        )
    correlation = float(np.corrcoef(confidence, miou)[0, 1])
    if correlation < LEAST_CORRELATION:
        raise CrodinoError(
            f'the confidence of the {modality} network says nothing of its masks (correlation '
            f'{correlation:.2f}, at least {LEAST_CORRELATION} was expected); train it longer, or '
            'use the policy average'
        )
    slope = miou.std() / confidence.std()
    offset = miou.mean() - slope * confidence.mean()
    blurs = {'blur_limit': round(float(blur.max()) + BLUR_MARGIN, 3)} if blur.any() else {}
    return {
        'offset': round(float(offset), 2),
        'slope': round(float(slope), 2),
        'correlation': round(correlation, 3),
        **blurs,
    }

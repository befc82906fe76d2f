"""How good each sensor's masks are at present, told from the confidence of its network.

A sensor may speak in time and with plausible images while its masks have become worse than the
other's: fog, darkness, dirt, holes. On clean labelled frames the mean confidence of a mask says
how good the mask is, and a straight line through those frames goes on to hold where a sensor is
damaged. Only of blurred colour images a network is sure and wrong, so their blur is measured.
docs/degradation.md has the figures, and those of the signals that did worse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame

MEMORY = 1.0
"""Seconds over which the expected quality is averaged: views differ, a damage stays."""
LEAVE = 30.0
"""Points of mIoU by which a sensor must be worse than the other to be left out. The mean of both
is better than either until one is much worse; on clean walks the expected difference comes near 30
where both sensors are of use. Chosen on validation data, see docs/degradation.md."""
RETURN = 15.0
"""Points of mIoU: a sensor that was left out is taken in again when it is worse by less."""
COMPARE_EVERY = 0.3
"""Seconds between two looks at the sensor that is not served; its network has to run for one."""
SAMPLING = 4
"""The mean confidence is taken on every n-th row and column."""
BLUR_SIZE = (144, 192)
"""Height and width at which blur is measured: what a network needs, whatever the camera's."""
BLUR_SIGMA = 1.5


@dataclass(frozen=True)
class ConfidenceFit:
    """What the confidence of one network says of its masks, learned on clean frames."""

    miou: float
    """mIoU of the network on clean validation data, percent; for the record."""
    offset: float
    slope: float
    """Expected mIoU of one mask = offset + slope * its mean confidence (0..1), percent."""
    blur_limit: float = 1.0
    """The mask of an image that is blurred more is expected to be worth nothing."""

    def expected(self, signals: Signals) -> float:
        """Return the mIoU that a mask should have, percent."""
        if signals.blur > self.blur_limit:
            return 0.0
        return self.offset + self.slope * signals.confidence


@dataclass(frozen=True)
class Signals:
    """What is seen of one mask and its image."""

    confidence: float
    """Mean confidence of the mask, 0..1."""
    blur: float = 0.0
    """See `blur_of`; 0 for depth, where the confidence falls with it."""


def signals_of(frame: Frame, confidence: np.ndarray) -> Signals:
    """Return what tells the quality of a mask.

    :param confidence: that of the mask, uint8 [H, W], 255 = certain.
    """
    blur = blur_of(frame.image) if frame.modality is Modality.RGB else 0.0
    return Signals(mean_confidence(confidence), blur)


def mean_confidence(confidence: np.ndarray) -> float:
    """Return the mean of a confidence image, uint8 [H, W], as 0..1."""
    return float(confidence[::SAMPLING, ::SAMPLING].mean()) / 255


def blur_of(image: np.ndarray) -> float:
    """Return how much of an image's gradients another blur leaves: near 1 if it is blurred.

    After Crete-Roffet et al., "The blur effect" (SPIE 6492, 2007), which finds it to depend little
    on what the image shows. Of four directions the most blurred one counts: motion blurs along
    one only.

    :param image: uint8 [H, W, 3].
    """
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    gray = cv2.resize(gray, BLUR_SIZE[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    left = _gradients(cv2.GaussianBlur(gray, (0, 0), BLUR_SIGMA))
    return float((left / (_gradients(gray) + 1e-3)).max())


def _gradients(gray: np.ndarray) -> np.ndarray:
    """Return the mean gradient along the rows, the columns and both diagonals."""
    here = gray[1:-1, 1:-1]
    there = (gray[1:-1, 2:], gray[2:, 1:-1], gray[2:, 2:], gray[2:, :-2])
    return np.array([np.abs(each - here).mean() for each in there])


def read_fits(bundle: ModelBundle) -> dict[Modality, ConfidenceFit]:
    """Read what `crodino calibrate` wrote into a bundle.

    :raises CrodinoError: the bundle was not calibrated, or a key is wrong.
    """
    if not bundle.quality:
        raise CrodinoError(
            f'the bundle {bundle.name} is not calibrated, which the policy best needs; '
            'run: crodino calibrate --model DIR --data DATA, or take the policy prefer'
        )
    try:
        return {m: _read_fit(bundle.quality[str(m)]) for m in Modality}
    except (KeyError, TypeError, ValueError) as error:
        raise CrodinoError(
            f'{bundle.path}: quality: miou, offset and slope were expected for each of '
            f'{", ".join(map(str, Modality))}: {error}; run crodino calibrate again'
        ) from error


def _read_fit(entry: Mapping[str, Any]) -> ConfidenceFit:
    fit = ConfidenceFit(*(float(entry[key]) for key in ('miou', 'offset', 'slope')))
    return replace(fit, blur_limit=float(entry.get('blur_limit', fit.blur_limit)))


def watch_for(bundle: ModelBundle, policy: str) -> QualityWatch | None:
    """Return a fresh watch; None for a bundle without calibration where the policy needs none.

    :raises CrodinoError: the policy is `best` and the bundle was not calibrated.
    """
    return QualityWatch(read_fits(bundle)) if bundle.quality or policy == 'best' else None


class QualityWatch:
    """Whether one sensor's masks have become much worse than the other's.

    `learn` may be called on the thread that runs the networks while another reads `worse`.
    """

    def __init__(
        self,
        fits: Mapping[Modality, ConfidenceFit],
        *,
        leave: float = LEAVE,
        back: float = RETURN,
    ) -> None:
        """Begin without knowledge of the present.

        :param fits: of both networks, see `read_fits`.
        :param leave, back: see `LEAVE` and `RETURN`; `back` < `leave`.
        """
        self.fits = fits
        self.leave, self.back = leave, back
        self.reset()

    def reset(self) -> None:
        """Forget the present: time has jumped."""
        self.worse: Modality | None = None
        self._expected: dict[Modality, float] = {}
        self._learned_at: dict[Modality, float] = {}

    def expected(self, modality: Modality) -> float | None:
        """The expected mIoU of a sensor's masks at present, percent; None if never seen."""
        return self._expected.get(modality)

    def wants(self, modality: Modality, now: float) -> bool:
        """Whether it is time to look at a mask of a sensor again."""
        learned_at = self._learned_at.get(modality)
        return learned_at is None or now - learned_at >= COMPARE_EVERY

    def learn(self, modality: Modality, signals: Signals, at: float) -> None:
        """Take in what was seen of a sensor's newest mask.

        :param at: when the image arrived, seconds.
        """
        found = self.fits[modality].expected(signals)
        before, learned_at = self._expected.get(modality), self._learned_at.get(modality)
        if before is not None and learned_at is not None:
            share = 1 - math.exp(-max(at - learned_at, 0.0) / MEMORY)
            found = before + share * (found - before)
        self._expected[modality], self._learned_at[modality] = found, at
        self._compare()

    def _compare(self) -> None:
        """Change `worse` only when the difference is clear."""
        expected = dict(self._expected)  # another thread may reset it
        if len(expected) < len(Modality):
            return
        lags = {m: expected[m.other] - expected[m] for m in Modality}
        if self.worse is not None and lags[self.worse] < self.back:
            self.worse = None
        for modality, lag in lags.items():
            if lag > self.leave:
                self.worse = modality

"""Agreement with the clean run: what is measured where a recording has no ground truth.

Each mask is compared with the one that the same recording gives without the scenario, at the same
instant: a prediction as well, of the undamaged frame. It tells what the faults changed, not what
is right. A mask made from the very frame that the clean run serves is equal to it; only for the
others a network runs once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from crodino_core.evaluation.records import Comparison, OutputRecord, Phase, ReplayResult
from crodino_core.evaluation.scoring import InstantPairing, fit
from crodino_core.iou import confusion_matrix, miou_of
from crodino_core.runtime.engines.engine import Prediction
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.segmenter import Segmentation
from crodino_core.runtime.selector import Selection

_KEPT_SELECTIONS = 32
"""What the clean run chose, waiting for masks of its instant; each holds a frame."""


class MaskMaker(Protocol):
    """What a `FailoverSegmenter` does with its networks, and its decisions do not learn of."""

    def predict(self, selection: Selection) -> Prediction: ...


class CleanRun:
    """Compares masks with those of the clean run; holds at most 32 of its frames.

    :param segmenter: makes the masks of the clean run too.
    :param clock: measures what that takes, seconds.
    """

    def __init__(
        self,
        result: ReplayResult,
        segmenter: MaskMaker,
        clock: Callable[[], float],
    ) -> None:
        self._result = result
        self._segmenter = segmenter
        self._clock = clock
        self._pairing: InstantPairing[Selection] = InstantPairing(_KEPT_SELECTIONS)
        self._cost = result.comparison = Comparison()
        self._last: tuple[Selection, np.ndarray] | None = None

    def expect(self, selection: Selection) -> None:
        """The clean run serves this."""
        self._pairing.add(selection.frame.stamp_ns, selection)

    def compare(self, output: OutputRecord, made: Segmentation, selection: Selection) -> None:
        """A mask was made of `selection`; it is compared once the clean run's choice is known."""
        self._pairing.wait_for(
            made.stamp_ns, lambda clean: self._score(output, made, selection.other, clean)
        )

    def finish(self) -> None:
        """No more will come."""
        self._pairing.finish()

    def _score(
        self, output: OutputRecord, made: Segmentation, partner: Frame | None, clean: Selection
    ) -> None:
        assert self._result.labels is not None
        # A fault makes a new `Frame`, so the very same ones have the very same mask.
        if made.modality is not None and made.frame is clean.frame and partner is clean.other:
            self._cost.same += 1
            truth = made.mask
        else:
            truth = self._clean_mask(clean)
        confusion = confusion_matrix(
            truth, fit(made.mask, truth.shape[:2]), len(self._result.labels)
        )
        phase = self._result.phases[output.phase]
        phase.agreement = confusion if phase.agreement is None else phase.agreement + confusion
        output.agreement = pixels_in_agreement(confusion)
        self._cost.masks += 1

    def _clean_mask(self, clean: Selection) -> np.ndarray:
        """Make the mask of the clean run, unless it was the last one made."""
        if self._last is None or self._last[0] is not clean:
            began = self._clock()
            self._last = (clean, self._segmenter.predict(clean).mask)
            self._cost.seconds += self._clock() - began
            self._cost.inferences += 1
        return self._last[1]


def summarize_agreement(result: ReplayResult) -> dict[str, Any] | None:
    """Return the agreement with the clean run as plain data; None where it was not measured.

    - `pixels`: share of the pixels with the class that the clean run's mask has there, percent.
    - `miou`: mIoU with the clean run's masks in the place of ground truth, percent.
    - `masks`: masks compared; `same_frame`: those of them made from the very frame of the clean
      run; `inferences` and `seconds`: what making the clean run's masks took beside the replay.
    - `by_phase`: `pixels` and `miou` of each phase, in the order of `miou_by_phase`.
    """
    cost = result.comparison
    if cost is None:
        return None
    return {
        **_figures(result.phases),
        'masks': cost.masks,
        'same_frame': cost.same,
        'inferences': cost.inferences,
        'seconds': round(cost.seconds, 3),
        'by_phase': [_figures([phase]) for phase in result.phases],
    }


def pooled_agreement(phases: Iterable[Phase]) -> float | None:
    """Return the share of equal pixels over all compared masks of some phases, percent."""
    matrices = [phase.agreement for phase in phases if phase.agreement is not None]
    return pixels_in_agreement(np.sum(matrices, axis=0)) if matrices else None


def pixels_in_agreement(confusion: np.ndarray) -> float | None:
    """Return the share of the pixels on the diagonal, percent; None without a pixel.

    :param confusion: int64 [K, K + 1], see `iou.confusion_matrix`.
    """
    total = int(confusion.sum())
    return float(np.trace(confusion)) / total * 100 if total else None


def _figures(phases: Iterable[Phase]) -> dict[str, float | None]:
    matrices = [phase.agreement for phase in phases if phase.agreement is not None]
    if not matrices:
        return {'pixels': None, 'miou': None}
    confusion = np.sum(matrices, axis=0)
    found = {'pixels': pixels_in_agreement(confusion), 'miou': miou_of(confusion)}
    return {name: None if value is None else round(value, 2) for name, value in found.items()}

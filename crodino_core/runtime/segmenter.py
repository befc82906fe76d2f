"""Two sensors in, one stream of masks out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.labels import UNLABELLED
from crodino_core.modality import Modality
from crodino_core.runtime.arbiter import FUSING
from crodino_core.runtime.engines import AUTO, Engine, load_engines
from crodino_core.runtime.engines.engine import Prediction
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.health import USABLE, HealthSettings, SensorHealth
from crodino_core.runtime.quality import signals_of, watch_for
from crodino_core.runtime.selector import FailoverSelector, HealthOption, Selection


@dataclass(frozen=True)
class Segmentation:
    """A mask with the time, place and sensor it belongs to."""

    mask: np.ndarray
    """Class of each pixel, uint8 [H, W], at the size of the image; 255 = unlabelled."""
    confidence: np.ndarray
    """Probability of that class, uint8 [H, W], 255 = certain."""
    modality: Modality | None
    """The sensor it was made from; None for a void mask."""
    fused: bool
    """Whether it is the mean of both sensors; size, stamp and frame_id are then `modality`'s."""
    stamp_ns: int
    frame_id: str
    frame: Frame
    """The image it was made from."""


class FailoverSegmenter:
    """Segments whichever sensor is healthy; see `FailoverSelector` for the decision.

    `offer` every frame in the order of arrival and call `check` at `deadline()`. Each returns a
    `Segmentation` when one is due. To run the networks on another thread, use `observe`, `poll`
    and, over there, `segment`.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        engine: str = AUTO,
        *,
        policy: str = 'prefer',
        prefer: Modality = Modality.RGB,
        when_none: str = 'silence',
        health: HealthOption = None,
        threads: int | None = None,
        engines: Mapping[Modality, Engine] | None = None,
    ) -> None:
        """Load both networks, so that a failover waits for nothing.

        :param engine: 'auto' or one of `ENGINE_NAMES`; not looked at when `engines` are given.
        :param policy, prefer, when_none: see `FailoverSelector`.
        :param health: limits of the health checks, for both sensors or for each; by default the
            usual ones, with depth valid as far as the bundle's network looks at it.
        :param threads: CPU threads of the engine; None leaves them to its library.
        :param engines: loaded engines, one a modality (with logits for 'average' and 'best').
        :raises CrodinoError: no engine works, an option is wrong, or the bundle is not calibrated
            for the policy 'best'.
        """
        self.selector = FailoverSelector(
            policy=policy,
            prefer=prefer,
            when_none=when_none,
            health=HealthSettings().reaching(bundle.depth_range) if health is None else health,
        )
        self.selector.quality = watch_for(bundle, policy)
        self.bundle = bundle
        if engines is None:
            engines = load_engines(bundle, engine, threads, logits=policy in FUSING).engines
        self.engines = engines

    @property
    def sensors(self) -> Mapping[Modality, SensorHealth]:
        """The health of each sensor."""
        return self.selector.sensors

    def offer(self, frame: Frame) -> Segmentation | None:
        """Take a frame; return the mask that is due now, if any."""
        selection = self.observe(frame)
        if self.sensors[frame.modality].state in USABLE:
            self.prepare(frame.modality, frame.size)
        return self._segment_if(selection)

    def check(self, now: float) -> Segmentation | None:
        """Look at the clock; return the mask that is due now, if any."""
        return self._segment_if(self.poll(now))

    def observe(self, frame: Frame) -> Selection | None:
        """Take a frame; return what is to be segmented now, if anything."""
        return self.selector.observe(frame)

    def observe_undecodable(
        self, modality: Modality, arrival: float, cause: str
    ) -> Selection | None:
        """Take note of a message that could not be decoded; the other sensor may step in."""
        return self.selector.observe_undecodable(modality, arrival, cause)

    def poll(self, now: float) -> Selection | None:
        """Look at the clock; return what is to be segmented now, if anything."""
        return self.selector.poll(now)

    def deadline(self) -> float | None:
        """When `check` or `poll` may next have something to do."""
        return self.selector.deadline()

    def reset(self, now: float) -> None:
        """Time has jumped: begin anew, which is no dropout."""
        self.selector.reset(now)

    def prepare(self, modality: Modality, size: tuple[int, int]) -> None:
        """Get a sensor's network ready for images of this height and width (warm standby)."""
        self.engines[modality].prepare(size)

    def segment(self, selection: Selection) -> Segmentation:
        """Run the network, or the networks, that a selection needs."""
        frame, prediction = selection.frame, self._run(selection, self._judged)
        self.compare(selection)
        return Segmentation(
            mask=prediction.mask,
            confidence=prediction.confidence,
            modality=selection.modality,
            fused=selection.other is not None,
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
            frame=frame,
        )

    def compare(self, selection: Selection) -> None:
        """For the policy `best`, see how good the masks of the sensor would be that is not served.

        `segment` ends with it; where a mask shall not wait for that, give `segment` the selection
        without its `standby`, and call this when the mask has gone out.
        """
        standby, quality = selection.standby, self.selector.quality
        if standby is None or quality is None:
            return
        # Where decisions run ahead of the networks, it may have been looked at meanwhile.
        if quality.wants(standby.modality, selection.frame.arrival):
            self._judged(standby)

    def _segment_if(self, selection: Selection | None) -> Segmentation | None:
        return None if selection is None else self.segment(selection)

    def predict(self, selection: Selection) -> Prediction:
        """Make the mask of a selection that is not served: nothing is learned of it."""
        return self._run(selection, self.infer)

    def infer(self, frame: Frame) -> Prediction:
        """Run the network of a frame's sensor, whatever its health."""
        image = frame.image
        if frame.modality is Modality.DEPTH:
            image = sanitize_depth(image, self.bundle.depth_range)
        return self.engines[frame.modality].infer(image)

    def _judged(self, frame: Frame) -> Prediction:
        """Segment a frame, and for the policy `best` take note of how good the mask is."""
        prediction, quality = self.infer(frame), self.selector.quality
        if quality is not None and self.selector.arbiter.policy == 'best':
            signals = signals_of(frame, prediction.confidence)
            quality.learn(frame.modality, signals, frame.arrival)
        return prediction

    def _run(self, selection: Selection, infer: Callable[[Frame], Prediction]) -> Prediction:
        frame, other = selection.frame, selection.other
        if selection.void:
            return _void(frame.size)
        return infer(frame) if other is None else self._average(frame, other, infer)

    def _average(
        self, frame: Frame, other: Frame, infer: Callable[[Frame], Prediction]
    ) -> Prediction:
        """Mean of both networks' probabilities, at the size of `frame`."""
        probabilities = []
        for each in (frame, other):
            logits = infer(each).logits
            if logits is None:
                raise CrodinoError(
                    'the policies average and best need engines that return logits; '
                    'load them with load_engines(bundle, logits=True)'
                )
            probabilities.append(_softmax(logits))
        mean = np.mean(probabilities, axis=0)
        return _decide(mean, self.bundle.input_size, frame.size)


def sanitize_depth(depth: np.ndarray, depth_range: tuple[float, float]) -> np.ndarray:
    """Set what a network must not see (NaN, +-Inf, out of range) to 0, as REP-117 readers do.

    :param depth: float32 [H, W], metres.
    :param depth_range: nearest and farthest depth of the bundle, metres.
    """
    nearest, farthest = depth_range
    return np.where((depth >= nearest) & (depth <= farthest), depth, np.float32(0))


def _void(size: tuple[int, int]) -> Prediction:
    return Prediction(np.full(size, UNLABELLED, np.uint8), np.zeros(size, np.uint8))


def _softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over axis 0: float32 [K, h, w]."""
    exponentials = np.exp(logits - logits.max(axis=0))
    return np.asarray(exponentials / exponentials.sum(axis=0))


def _decide(
    probabilities: np.ndarray, input_size: tuple[int, int], size: tuple[int, int]
) -> Prediction:
    """Take the likeliest class of each pixel, by the steps of the exported graphs.

    :param probabilities: float32 [K, h, w].
    :param input_size: height and width the networks work at; the classes are decided there.
    :param size: height and width of the mask.
    """
    planes = np.stack([cv2.resize(plane, input_size[::-1]) for plane in probabilities])
    mask = planes.argmax(axis=0).astype(np.uint8)
    confidence = np.rint(255 * planes.max(axis=0)).astype(np.uint8)
    return Prediction(
        *(
            cv2.resize(each, size[::-1], interpolation=cv2.INTER_NEAREST)
            for each in (mask, confidence)
        )
    )

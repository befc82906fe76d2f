"""What both networks make of clean and damaged images: the data of degradation_study.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from crodino_core.bundle import ModelBundle
from crodino_core.evaluation.faults import FAULTS, HIGHEST_SEVERITY
from crodino_core.iou import confusion_matrix
from crodino_core.learning.data.scenes import Camera, render_sequence
from crodino_core.modality import Modality
from crodino_core.progress import progress_bar
from crodino_core.rgbd_folder import RgbdFolder, RgbdSample
from crodino_core.runtime.content import find_problem
from crodino_core.runtime.engines import Prediction, load_engines
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.health import HealthSettings
from crodino_core.runtime.quality import mean_confidence, signals_of
from crodino_core.runtime.segmenter import FailoverSegmenter
from crodino_core.runtime.selector import Selection
from crodino_ros.commands.calibration import FIRST_SCENE, render_rooms

RGB, DEPTH = Modality.RGB, Modality.DEPTH
SEVERITIES = range(1, HIGHEST_SEVERITY + 1)
ROOMS = 30
FIRST_WALK, WALKS, WALK_FRAMES = 9100, 6, 60
CONFIDENCES = ('mean confidence', '10th percentile of confidence', 'share below 0.7', 'entropy')

Rows = dict[str, np.ndarray]
"""Columns of equal length: `case` ('clean', 'validation', 'rooms', 'walk SEED' or
'FAULT/SEVERITY'), `sensor`, `own` and `fused` (confusion of its mask, and of the mean with the
other sensor's), `confidence` (`CONFIDENCES`), `blur` (see `blur_of`), `image` (its statistics),
`disagreement` with the other network's mask of the clean image, `problem` (whether the content
check refuses the image)."""


def collect_known(bundle: ModelBundle, folder: RgbdFolder) -> Rows:
    """Run both networks on what signals learn from, the clean frames of `crodino calibrate`."""
    segmenter = _segmenter(bundle)
    rows: list[dict[str, Any]] = []
    with progress_bar() as bar:
        rooms = render_rooms(iter(range(FIRST_SCENE, FIRST_SCENE + ROOMS)))
        validation = map(folder.read, folder.names('val'))
        for case, samples in (('validation', validation), ('rooms', rooms)):
            for sample in bar.track(samples, total=None, description=case):
                frames, found = _clean(segmenter, sample)
                for m in Modality:
                    rows.append(_row(segmenter, case, frames[m], frames, found[m], found, sample))
    return _columns(rows)


def collect_walks(bundle: ModelBundle) -> Rows:
    """Run both networks on clean walks through synthetic rooms, at 10 Hz as a bag would be."""
    segmenter = _segmenter(bundle)
    rows: list[dict[str, Any]] = []
    camera = Camera.from_fov(240, 320, horizontal_fov_deg=70.0)
    with progress_bar() as bar:
        for seed in bar.track(range(FIRST_WALK, FIRST_WALK + WALKS), description='walks'):
            for view in render_sequence(seed, WALK_FRAMES, camera, 10.0):
                sample = RgbdSample('', view.rgb, view.depth, view.label)
                frames, found = _clean(segmenter, sample)
                for m in Modality:
                    case = f'walk {seed}'
                    rows.append(_row(segmenter, case, frames[m], frames, found[m], found, sample))
    return _columns(rows)


def collect(bundle: ModelBundle, folder: RgbdFolder, split: str, every: int) -> Rows:
    """Run both networks on every n-th frame of a split, clean and with every damage."""
    segmenter = _segmenter(bundle)
    rows: list[dict[str, Any]] = []
    with progress_bar() as bar:
        samples = [folder.read(name) for name in folder.names(split)[::every]]
        clean = [_clean(segmenter, sample) for sample in samples]
        for sample, (frames, found) in zip(samples, clean, strict=True):
            for m in Modality:
                rows.append(_row(segmenter, 'clean', frames[m], frames, found[m], found, sample))
        for kind, m, severity in bar.track(list(damages()), description=f'damaged {split}'):
            present: dict[Modality, Frame] = {}
            damage = FAULTS[kind].start(None, {'severity': severity}, present.get)
            for sample, (frames, found) in zip(samples, clean, strict=True):
                present.update(frames)
                (frame,) = damage(frames[m])
                made = segmenter.infer(frame)
                case = f'{kind}/{severity}'
                rows.append(_row(segmenter, case, frame, frames, made, found, sample))
    return _columns(rows)


def _segmenter(bundle: ModelBundle) -> FailoverSegmenter:
    engines = load_engines(bundle, threads=1, logits=True).engines
    return FailoverSegmenter(bundle, engines=engines)


def _columns(rows: list[dict[str, Any]]) -> Rows:
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def damages() -> Iterator[tuple[str, Modality, int]]:
    """Every fault of content, by sensor and severity."""
    for name, kind in FAULTS.items():
        if kind.decides is None:
            for m in (m for m in Modality if m in kind.sensors):
                for severity in SEVERITIES:
                    yield name, m, severity


def _clean(
    segmenter: FailoverSegmenter, sample: RgbdSample
) -> tuple[dict[Modality, Frame], dict[Modality, Prediction]]:
    frames = {m: Frame(m, i, 0, 0.0) for m, i in ((RGB, sample.rgb), (DEPTH, sample.depth))}
    return frames, {m: segmenter.infer(frame) for m, frame in frames.items()}


def _row(
    segmenter: FailoverSegmenter,
    case: str,
    frame: Frame,
    clean: dict[Modality, Frame],
    found: Prediction,
    others: dict[Modality, Prediction],
    sample: RgbdSample,
) -> dict[str, Any]:
    """Score one image of one sensor, and take all signals of it."""
    m, other, classes = frame.modality, frame.modality.other, len(segmenter.bundle.labels)
    mask, rival = (_at_size(p.mask, sample.label) for p in (found, others[other]))
    assert found.logits is not None and others[other].logits is not None
    fused = _fuse(segmenter, found, others[other], clean[m], clean[other])
    known = HealthSettings()
    return {
        'case': case,
        'sensor': str(m),
        'own': confusion_matrix(sample.label, mask, classes).astype(np.int32),
        'fused': confusion_matrix(sample.label, fused, classes).astype(np.int32),
        'confidence': _confidence_signals(found, classes),
        'blur': signals_of(frame, found.confidence).blur,
        'image': color_signals(frame.image) if m is RGB else depth_signals(frame.image),
        'disagreement': np.float32((mask != rival).mean()),
        'problem': find_problem(frame, known.depth_range, known.min_valid_depth) is not None,
    }


class _Told(FailoverSegmenter):
    """A segmenter whose networks have been run already."""

    told: dict[Modality, Prediction]

    def infer(self, frame: Frame) -> Prediction:
        return self.told[frame.modality]


def _fuse(
    segmenter: FailoverSegmenter, a: Prediction, b: Prediction, frame: Frame, other: Frame
) -> np.ndarray:
    """The mask of the policy `average`."""
    fusing = _Told(segmenter.bundle, engines=segmenter.engines)
    fusing.told = {frame.modality: a, other.modality: b}
    return fusing.segment(Selection(frame, other)).mask


def _at_size(mask: np.ndarray, label: np.ndarray) -> np.ndarray:
    return cv2.resize(mask, label.shape[::-1], interpolation=cv2.INTER_NEAREST)


def _confidence_signals(found: Prediction, classes: int) -> np.ndarray:
    assert found.logits is not None
    values = found.confidence[::4, ::4] / 255
    scores = found.logits.reshape(classes, -1)
    chances = np.exp(scores - scores.max(axis=0))
    chances /= chances.sum(axis=0)
    entropy = -(chances * np.log(chances + 1e-9)).sum(axis=0).mean() / np.log(classes)
    mean = mean_confidence(found.confidence)
    return np.array([mean, np.percentile(values, 10), (values < 0.7).mean(), entropy])


def color_signals(image: np.ndarray) -> np.ndarray:
    """Brightness, contrast, gradient, entropy, sharpness of uint8 [H, W, 3]."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, (160, 120), interpolation=cv2.INTER_AREA).astype(np.float32)
    gradient = sum(np.abs(np.diff(small, axis=axis)).mean() for axis in (0, 1))
    shares = np.bincount(small.astype(np.uint8).ravel() // 4, minlength=64) / small.size
    sharpness = np.log(cv2.Laplacian(gray, cv2.CV_32F).var() + 1e-3)
    entropy = -(shares * np.log(shares + 1e-9)).sum()
    return np.array([small.mean(), small.std(), gradient, entropy, sharpness])


def depth_signals(image: np.ndarray) -> np.ndarray:
    """Valid share, noise, median, spread, raggedness of float32 [H, W] metres."""
    valid = np.isfinite(image) & (image > 0.1) & (image < 10)
    depth = np.where(valid, image, 0).astype(np.float32)
    inside = cv2.erode(valid.astype(np.uint8), np.ones((3, 3))) > 0
    bend = np.abs(cv2.Laplacian(depth, cv2.CV_32F)[inside]) / (depth[inside] ** 2)
    noise = np.log(np.median(bend) + 1e-5) if inside.any() else 0.0
    seen = depth[valid] if valid.any() else np.zeros(1)
    ragged = (np.diff(valid.astype(np.int8), axis=1) != 0).mean()
    return np.array([valid.mean(), noise, np.median(seen), seen.std(), ragged])

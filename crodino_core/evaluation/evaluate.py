"""Scores of a model bundle on a labelled data set, whole or with a sensor missing or noisy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from crodino_core.bundle import ModelBundle
from crodino_core.errors import UsageError
from crodino_core.evaluation import protocols
from crodino_core.iou import confusion_matrix, iou_by_class, miou_of
from crodino_core.modality import Modality
from crodino_core.progress import progress_bar
from crodino_core.rgbd_folder import RgbdFolder, RgbdSample
from crodino_core.runtime.engines import Engine
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.segmenter import FailoverSegmenter
from crodino_core.runtime.selector import Selection

FULL = 'full'
AVERAGE = 'average'
CLEAN = 'clean'
PREFER = 'prefer'
SERVING_FRAMES = (PREFER, AVERAGE)
"""Policies that need no past to decide."""
TAKES: dict[str, tuple[str, ...]] = {
    CLEAN: (),
    'emm': SERVING_FRAMES,
    'rmm': (AVERAGE,),
    'nm': (AVERAGE,),
}
"""Policies that make a difference, by protocol."""
Scores = dict[str, dict[str, Any]]
"""`scores_of` by state."""


def evaluate_bundle(
    bundle: ModelBundle,
    engines: Mapping[Modality, Engine],
    folder: RgbdFolder,
    split: str,
    protocol: str = CLEAN,
    *,
    policy: str | None = None,
    prefer: Modality | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Score both networks on a split; one frame is in memory at a time.

    What is scored are the masks a robot would get: at the size of the images, from the engines
    given. The states are, by protocol: `clean`: `rgb` and `depth`, each network alone, and
    `average`, the mean of what both say. `emm`: beside each alone `full`, both sensors there,
    served by `policy`. `rmm` and `nm`: each network on its own damaged images, e.g. `rgb 0.25`
    or `depth high`, see `protocols`; with the policy `average` also `rgb 0.25 full`, the mean of
    that and of what the other network makes of its whole image.

    Health is not asked: a sensor whose images it would refuse is served and averaged here.

    :param engines: for `clean` and the policy `average` loaded with logits, see `needs_logits`.
    :param policy: `prefer` or `average`, see `FailoverSelector`. None: `prefer` in `emm`, no
        policy in the others.
    :param prefer: the sensor that `full` is served from in `emm` with `prefer`; None: RGB.
    :param seed: of the damage; the same seed gives the same report.
    :return: JSON-able: `protocol`, `model`, `data`, `split`, `frames`, `seed`, `policy` (what
        served both sensors; None where no state shows one), `classes`, `scores` (by state, see
        `scores_of`) and `summary` (the protocol's figures).
    :raises UsageError: the protocol is unknown, or does not take the policy or a preference.
    :raises CrodinoError: the data cannot be read or has other classes than the bundle.
    """
    check_protocol(protocol, policy, prefer)
    if protocol == 'emm':
        policy = policy or PREFER
    prefer = prefer or Modality.RGB
    folder.require_classes(bundle.labels, f'the bundle {bundle.name}')
    names = folder.names(split)
    served_by = AVERAGE if needs_logits(protocol, policy) else PREFER
    segmenter = FailoverSegmenter(bundle, policy=served_by, prefer=prefer, engines=engines)
    matrices: dict[str, np.ndarray] = {}
    with progress_bar() as bar:
        for index, name in enumerate(bar.track(names, description=f'evaluating on {split}')):
            sample = folder.read(name)
            for state, selection in _states(sample, bundle, protocol, policy, (seed, index)):
                mask = segmenter.segment(selection).mask
                counted = confusion_matrix(sample.label, mask, len(bundle.labels))
                matrices[state] = matrices[state] + counted if state in matrices else counted
    if policy == PREFER:
        matrices[FULL] = matrices[str(prefer)]
    scores = {state: scores_of(matrix, bundle.labels.names) for state, matrix in matrices.items()}
    return {
        'protocol': protocol,
        'model': bundle.name,
        'data': folder.path.resolve().name,
        'split': split,
        'frames': len(names),
        'seed': seed,
        'policy': f'{policy} {prefer}' if policy == PREFER else policy,
        'classes': list(bundle.labels.names),
        'scores': scores,
        'summary': _summary(protocol, scores),
    }


def check_protocol(protocol: str, policy: str | None, prefer: Modality | None = None) -> None:
    """Check what `evaluate_bundle` is to be asked for, before engines are loaded for it.

    :raises UsageError: the protocol is unknown, or does not take the policy or a preference.
    """
    if protocol not in protocols.PROTOCOLS:
        raise UsageError(
            f'the protocol {protocol!r} is unknown; {", ".join(protocols.PROTOCOLS)} were expected'
        )
    if policy not in (None, *SERVING_FRAMES):
        raise UsageError(
            f'the policy {policy!r} has no score on single frames; {", ".join(SERVING_FRAMES)} '
            'were expected (best weighs a stream of masks: crodino replay BAG --policy best)'
        )
    if policy not in (None, *TAKES[protocol]):
        raise UsageError(
            f'the policy {policy!r} makes no difference in the protocol {protocol}; '
            f'{" or ".join([*TAKES[protocol], "none"])} was expected'
        )
    if prefer is not None and (PREFER not in TAKES[protocol] or policy == AVERAGE):
        raise UsageError(
            f'{prefer} is preferred, but the protocol {protocol} with the policy '
            f'{policy or "none"} prefers no sensor; leave it out, or take the protocol emm with '
            f'the policy {PREFER}'
        )


def needs_logits(protocol: str, policy: str | None) -> bool:
    """Whether a state of the protocol is served by both networks together."""
    return protocol == CLEAN or policy == AVERAGE


def scores_of(confusion: np.ndarray, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the usual figures of a confusion matrix, percent, None where nothing was counted.

    :param confusion: int64 [K, K + 1], see `confusion_matrix`.
    :return: `miou` (classes in ground truth or prediction), `pixel_accuracy`,
        `mean_class_accuracy` (classes in the ground truth), `iou` and `accuracy` by class, and
        `confusion` (rows = ground truth, columns = prediction, the last one no class).
    """
    hits, truth = np.diagonal(confusion), confusion.sum(axis=1)
    with np.errstate(invalid='ignore'):
        accuracy = np.where(truth > 0, hits / truth * 100, np.nan)
    known = accuracy[truth > 0]
    return {
        'miou': miou_of(confusion),
        'pixel_accuracy': float(hits.sum() / truth.sum() * 100) if truth.any() else None,
        'mean_class_accuracy': float(known.mean()) if len(known) else None,
        'iou': dict(zip(names, map(_number, iou_by_class(confusion)), strict=True)),
        'accuracy': dict(zip(names, map(_number, accuracy), strict=True)),
        'confusion': confusion.tolist(),
    }


def _states(
    sample: RgbdSample,
    bundle: ModelBundle,
    protocol: str,
    policy: str | None,
    seed: tuple[int, int],
) -> Iterator[tuple[str, Selection]]:
    """Yield the name of each state and what the runtime has to segment in it."""
    images = {Modality.RGB: sample.rgb, Modality.DEPTH: sample.depth}
    frames = {m: Frame(m, image, stamp_ns=0, arrival=0.0) for m, image in images.items()}
    if protocol in ('rmm', 'nm'):
        shown = dict(_damaged(frames, bundle, protocol, seed))
    else:
        shown = {str(m): frame for m, frame in frames.items()}
    yield from ((state, Selection(frame)) for state, frame in shown.items())
    if protocol == CLEAN:
        yield AVERAGE, Selection(frames[Modality.RGB], frames[Modality.DEPTH])
    elif policy == AVERAGE and protocol == 'emm':
        yield FULL, Selection(frames[Modality.RGB], frames[Modality.DEPTH])
    elif policy == AVERAGE:
        for state, frame in shown.items():
            yield f'{state} {FULL}', Selection(frame, frames[frame.modality.other])


def _damaged(
    frames: Mapping[Modality, Frame], bundle: ModelBundle, protocol: str, seed: tuple[int, int]
) -> Iterator[tuple[str, Frame]]:
    """Yield each sensor's frame damaged as RMM or NM say, with the state's name."""
    for number, (m, frame) in enumerate(frames.items()):
        rng = np.random.default_rng([*seed, number])
        if protocol == 'rmm':
            for rate in protocols.MISSING_RATES:
                damaged = protocols.zero_elements(frame.image, bundle, rate, rng)
                yield f'{m} {rate}', replace(frame, image=damaged)
        else:
            for level, (density, sigma) in protocols.NOISE_LEVELS.items():
                damaged = protocols.add_noise(frame.image, bundle, density, sigma, rng)
                yield f'{m} {level}', replace(frame, image=damaged)


def _summary(protocol: str, scores: Scores) -> dict[str, float | None]:
    """Return the protocol's own figures, mIoU in percent."""
    miou = {state: figures['miou'] for state, figures in scores.items()}
    if protocol == 'emm':
        present = {FULL: frozenset(Modality)} | {str(m): frozenset({m}) for m in Modality}
        by_presence = {present[state]: value for state, value in miou.items()}
        return {'average': _mean(list(miou.values()))} | {
            f'expected_at_{p}': protocols.expected_miou(by_presence, p)
            for p in protocols.FAILURE_PROBABILITIES
        }
    values: dict[str, list[float | None]] = {}
    for state, value in miou.items():  # 'rgb 0.25 full' counts in miou_rgb_full
        values.setdefault('_'.join(['miou', *state.split()[::2]]), []).append(value)
    return {name: _mean(each) for name, each in values.items()}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)

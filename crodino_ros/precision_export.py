"""fp16 and int8 networks for a bundle, made of its float32 ones, measured before they are kept."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.evaluation.evaluate import CLEAN, evaluate_bundle, needs_logits
from crodino_core.learning.half_precision import halve_network
from crodino_core.learning.quantize import quantize_network
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdFolder
from crodino_core.runtime.engines import load_engines
from crodino_core.runtime.engines.engine import to_batch
from crodino_core.runtime.engines.parity import (
    agreement,
    cpu_reference,
    sample_images,
    why_rejected,
)
from crodino_core.variants import FLOAT32

CPU_ENGINE = 'openvino'
"""What measures the loss (the next of the order where it is not installed): the same everywhere,
and no GPU builds an engine for it."""

Score = Callable[[ModelBundle], Mapping[str, float]]
"""mIoU in percent by modality, of the pair of networks that was chosen."""
Networks = dict[Modality, Path]


def add_fp16(bundle: ModelBundle) -> ModelBundle:
    """Add fp16 networks at each resolution of the bundle.

    :raises CrodinoError: their masks are not those of the float32 networks.
    """
    for pair in _float32_pairs(bundle):
        with tempfile.TemporaryDirectory() as folder:
            files = _empty_pair(folder)
            for m in Modality:
                onnx.save(halve_network(pair.onnx_path(m)), files[m])
            found = _agreement(pair, files)
            for name, share in found.items():
                why = why_rejected(share, 'fp16')
                if why:
                    raise CrodinoError(f'fp16 does not do for the {name} network: {why}')
            bundle = bundle.with_variant('fp16', files, pair.input_size, agreement=found)
    return bundle


def add_int8(
    bundle: ModelBundle,
    images: Mapping[Modality, Sequence[np.ndarray]],
    calibrated_on: str,
    score: Score | None,
    scored_on: str = '',
    max_loss: float | None = None,
) -> ModelBundle:
    """Add int8 networks at each resolution of the bundle, if they lose little enough.

    :param images: calibration frames, uint8 [H, W, 3] RGB and float32 [H, W] metres, 0 invalid.
    :param calibrated_on, scored_on: names of the data, for `model.yaml`.
    :param score: None where there is no labelled data; then only the share of equal pixels is
        known.
    :param max_loss: points of mIoU; None allows any.
    :raises CrodinoError: a network loses more, or cannot be quantised; nothing was written.
    """
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for index, pair in enumerate(_float32_pairs(bundle)):
            files = _empty_pair(f'{folder}/{index}')
            kept = {}
            for m in Modality:
                batches = [to_batch(image) for image in images[m]]
                quantized = quantize_network(pair.onnx_path(m), batches, str(m))
                onnx.save(quantized.model, files[m])
                kept[str(m)] = f'{len(quantized.kept)} of {quantized.convolutions}'
            facts: dict[str, Any] = {
                'calibration': {
                    'data': calibrated_on,
                    'frames': {str(m): len(images[m]) for m in Modality},
                },
                'convolutions_in_float32': kept,
                'agreement': _agreement(pair, files),
            }
            if score is not None:
                facts['miou'] = {'data': scored_on, **_before_and_after(pair, files, score)}
                _refuse_losses(facts['miou'], max_loss)
            made.append((files, pair.input_size, facts))
        for files, size, facts in made:
            bundle = bundle.with_variant('int8', files, size, **facts)
    return bundle


def score_on(folder: RgbdFolder, split: str) -> Score:
    """Return what scores a bundle's chosen networks on a labelled split, in exact arithmetic."""

    def score(bundle: ModelBundle) -> dict[str, float]:
        engines = load_engines(
            bundle,
            CPU_ENGINE,
            logits=needs_logits(CLEAN, None),
            exact=True,
            fallback=True,
        ).engines
        scores = evaluate_bundle(bundle, engines, folder, split)['scores']
        return {str(m): float(scores[str(m)]['miou']) for m in Modality}

    return score


def _before_and_after(pair: ModelBundle, files: Networks, score: Score) -> dict[str, Any]:
    """Return mIoU of the float32 pair and of the int8 one, by modality."""
    before = score(pair)
    with tempfile.TemporaryDirectory() as scratch:
        trial = Path(scratch) / pair.path.resolve().name
        shutil.copytree(pair.path, trial)
        copied = ModelBundle.load(trial).with_variant('int8', files, pair.input_size)
        after = score(copied.choose('int8', pair.input_size))
    return {
        name: {'before': round(before[name], 2), 'after': round(after[name], 2)} for name in before
    }


def _refuse_losses(miou: Mapping[str, Any], max_loss: float | None) -> None:
    for name in map(str, Modality):
        before, after = miou[name]['before'], miou[name]['after']
        if max_loss is not None and before - after > max_loss:
            raise CrodinoError(
                f'int8 costs the {name} network {before - after:.2f} points of mIoU on '
                f'{miou["data"]} ({before} to {after}), more than the {max_loss:g} allowed; '
                'nothing was written: calibrate with more frames (--frames), or allow more '
                '(--max-loss)'
            )


def _agreement(pair: ModelBundle, files: Networks) -> dict[str, float]:
    """Share of pixels with the class that the float32 network gives, on the sample frames."""
    shares = {}
    for m in Modality:
        images = sample_images(m, pair.input_size)
        reference = cpu_reference(pair.onnx_path(m))
        shares[str(m)] = round(agreement(images, cpu_reference(files[m]), reference), 5)
    return shares


def _float32_pairs(bundle: ModelBundle) -> list[ModelBundle]:
    sizes = [pair.input_size for pair in bundle.pairs() if pair.precision == FLOAT32]
    return [bundle.choose(FLOAT32, size) for size in sizes]


def _empty_pair(folder: str) -> Networks:
    Path(folder).mkdir(exist_ok=True)
    return {m: Path(folder) / f'{m}.onnx' for m in Modality}

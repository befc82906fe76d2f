"""From a training run to a model bundle: two ONNX graphs that take what a sensor gives."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.learning import checkpoint
from crodino_core.learning.config import read_settings
from crodino_core.learning.data.scenes import Camera, Scene
from crodino_core.learning.models.twin import ModalityNetwork
from crodino_core.learning.run_folder import CONFIG_FILE
from crodino_core.modality import Modality
from crodino_core.variants import FLOAT32

OPSET = 17
"""The newest that TensorRT 8.6 (JetPack 6.0) reads."""
METHOD_TITLES = {
    'crodino': 'CroDiNo-KD (arXiv 2505.24361)',
    'independent': 'two independent networks',
    'kd': 'distillation from a multi-modal teacher',
}
INPUT_NAMES = {Modality.RGB: 'image', Modality.DEPTH: 'depth'}
REQUIRED_AGREEMENT = 0.999
PARITY_SIZES = ((480, 640), (512, 512), (256, 320))


class DeploymentGraph(nn.Module):
    """A modality's network between the sensor's image and the mask of the same size."""

    def __init__(
        self, network: ModalityNetwork, modality: Modality, input_size: tuple[int, int]
    ) -> None:
        super().__init__()
        self.network = network
        self.modality = modality
        self.input_size = input_size
        # On the whole graph: the exporter puts every part back into the outermost mode.
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Segment uint8 [1, H, W, 3] (RGB) or float32 [1, H, W, 1] (metres, 0 invalid).

        :return: mask uint8 [1, H, W], confidence uint8 [1, H, W] (255 = certain), and the logits
            float32 [1, K, h/4, w/4].
        """
        source_size = image.shape[1:3]
        pixels = image.permute(0, 3, 1, 2).float()
        if self.modality is Modality.RGB:
            pixels = functional.interpolate(
                pixels / 255, self.input_size, mode='bilinear', align_corners=False
            )
        else:
            # Nearest: a mean of two depths across an edge is no surface, and one with 0 is wrong.
            pixels = resize_nearest(pixels, self.input_size)
        logits = self.network(pixels)
        # The confidence at the logits' resolution: at the mask's it takes a quarter of the
        # network's time. So it does not dip on the very pixels where two sure classes meet. It is
        # enlarged together with the logits: for one channel OpenVINO takes as long as for all.
        certainty = logits.softmax(1).amax(1, keepdim=True)
        enlarged = functional.interpolate(
            torch.cat([logits, certainty], 1),
            self.input_size,
            mode='bilinear',
            align_corners=False,
        )
        scores, certainty = enlarged.split([int(logits.shape[1]), 1], 1)
        mask = scores.argmax(1, keepdim=True).float()
        confidence = (255 * certainty).round()
        # TensorRT 8.6 has uint8 at the graph's ends only, so the casts come last.
        mask = resize_nearest(mask, source_size).to(torch.uint8)[:, 0]
        confidence = resize_nearest(confidence, source_size).to(torch.uint8)[:, 0]
        return mask, confidence, logits


def resize_nearest(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize B x C x H x W to the pixel whose centre is nearest, by whole-number arithmetic.

    Engines and torch round the Resize operator's fractions differently where they fall between
    two pixels, which at a scale of 16/9 is every ninth row; a Gather leaves nothing to round.
    """
    for dimension, target in zip((2, 3), size, strict=True):
        source = image.shape[dimension]
        middle = 2 * torch.arange(target, device=image.device) + 1
        index = torch.div(middle * source, 2 * target, rounding_mode='trunc')
        image = image.index_select(dimension, index)
    return image


def export_run(run: Path, out: Path, resolutions: Sequence[tuple[int, int]] = ()) -> ModelBundle:
    """Write the best networks of a run as a bundle, checked against torch.

    :param run: folder of a training run.
    :param resolutions: heights and widths of further pairs of networks: the same weights, fewer
        or more pixels.
    :raises CrodinoError: the run is incomplete, or a graph does not do what torch does.
    """
    loaded = {m: checkpoint.load_best(run, m) for m in Modality}
    networks = {m: loaded[m][0] for m in Modality}
    _, labels, facts = loaded[Modality.RGB]
    depth_file = run / checkpoint.best_name(Modality.DEPTH)
    checkpoint.check_labels(loaded[Modality.DEPTH][1], labels, depth_file)
    trained_on = _training_facts(run, {m: loaded[m][2] for m in Modality})
    input_size = (int(facts['input_size'][0]), int(facts['input_size'][1]))
    rgb_input, depth_input = (networks[m].input for m in (Modality.RGB, Modality.DEPTH))
    with tempfile.TemporaryDirectory() as folder:
        files, parity = _write_pair(networks, input_size, Path(folder))
        bundle = ModelBundle.save(
            out,
            files,
            name=str(facts['name']),
            labels=labels,
            input_size=input_size,
            rgb_mean=_three(rgb_input.mean),
            rgb_std=_three(rgb_input.std),
            depth_range=(depth_input.near, depth_input.far),
            opset=OPSET,
            trained_on=trained_on,
            scores={
                'validation': {
                    str(m): {'miou': round(loaded[m][2]['validation_miou'], 2)} for m in Modality
                },
                'parity': parity,
            },
        )
        for size in resolutions:
            files, parity = _write_pair(networks, size, Path(folder))
            bundle = bundle.with_variant(FLOAT32, files, size, parity=parity)
    return bundle


def _write_pair(
    networks: Mapping[Modality, ModalityNetwork], input_size: tuple[int, int], folder: Path
) -> tuple[dict[Modality, Path], dict[str, float]]:
    """Write both networks for a height and width; also return their agreement with torch."""
    files = {m: folder / f'{m}.onnx' for m in Modality}
    agreement = {}
    for m in Modality:
        graph = DeploymentGraph(networks[m], m, input_size)
        write_onnx(graph, files[m])
        agreement[str(m)] = round(check_parity(graph, files[m]), 6)
    return files, agreement


def write_onnx(graph: DeploymentGraph, path: Path) -> None:
    """Export a graph with free height and width; `logits` stays a named inner tensor."""
    example = example_images(graph.modality, [(64, 96)])[0]
    name = INPUT_NAMES[graph.modality]
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            graph,
            (torch.from_numpy(example),),
            str(path),
            input_names=[name],
            output_names=['mask', 'confidence', 'logits'],
            dynamic_axes={key: {1: 'height', 2: 'width'} for key in (name, 'mask', 'confidence')},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    # Not an output: an engine that fuses both modalities asks for it by name.
    model.graph.output.pop()
    model.doc_string = 'crodino_ros: image in, mask and confidence out'
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


@torch.no_grad()
def check_parity(graph: DeploymentGraph, path: Path) -> float:
    """Compare the ONNX file with torch on rendered rooms of several sizes.

    :return: share of pixels with the same class.
    :raises CrodinoError: less than 99.9 % agree.
    """
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    equal = total = 0
    for image in example_images(graph.modality, PARITY_SIZES):
        expected, _, _ = graph(torch.from_numpy(image))
        mask, _ = session.run(['mask', 'confidence'], {INPUT_NAMES[graph.modality]: image})
        equal += int((mask == expected.numpy()).sum())
        total += mask.size
    if equal / total < REQUIRED_AGREEMENT:
        raise CrodinoError(
            f'the exported {graph.modality} network agrees with torch on {equal / total:.4%} of '
            f'the pixels; {REQUIRED_AGREEMENT:.1%} were expected: try another onnxruntime'
        )
    return equal / total


def example_images(modality: Modality, sizes: Any) -> list[np.ndarray]:
    """Render one image of a room for each size, in the shape the graph takes."""
    scene = Scene(seed=2024)
    pose = scene.random_poses(1, np.random.default_rng(0))[0]
    images = []
    for height, width in sizes:
        frame = scene.render(pose, Camera.from_fov(height, width, horizontal_fov_deg=75.0))
        images.append(
            frame.rgb[None] if modality is Modality.RGB else frame.depth[None, :, :, None]
        )
    return images


def _three(values: Tensor) -> tuple[float, float, float]:
    """Undo the rounding to float32, which would show in `model.yaml`."""
    red, green, blue = (round(value, 6) for value in values.flatten().tolist())
    return red, green, blue


def _training_facts(run: Path, facts: Mapping[Modality, dict[str, Any]]) -> dict[str, Any]:
    path = run / CONFIG_FILE
    if not path.is_file():
        raise CrodinoError(f'{path} does not exist; export a folder that crodino train wrote')
    config = read_settings(path)
    try:
        return {
            'sources': [
                {**source, 'path': Path(source['path']).name} if 'path' in source else source
                for source in config['data']['sources']
            ],
            'backbone': config['model']['backbone'],
            'initial_weights': Path(config['model']['weights'] or 'random').name,
            'method': METHOD_TITLES[config.get('method', 'crodino')],
            'steps': {str(m): facts[m]['step'] for m in Modality},
            'batch_size': config['optimiser']['batch_size'],
            'view_size': config['data']['view_size'],
            'losses': config['loss'],
        }
    except (KeyError, TypeError) as error:
        raise CrodinoError(
            f'{path} is not what crodino train wrote (found no {error}); put that back'
        ) from error

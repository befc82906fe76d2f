"""The exported graphs: their contract, their agreement with torch, the bundle they make."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from small_data_set import CLASSES, small_config, write_small_data_set

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.labels import LabelSet
from crodino_core.learning import checkpoint, export
from crodino_core.learning.config import TrainConfig, to_yaml
from crodino_core.learning.models.twin import Architecture, ModalityNetwork
from crodino_core.modality import Modality
from crodino_core.runtime.engines import load_engines

INPUT_SIZE = (64, 96)
LABELS = LabelSet(CLASSES, ((0, 0, 0), (10, 20, 30), (200, 0, 0)))


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose networks were not trained but tell classes apart."""
    folder = tmp_path_factory.mktemp('runs') / 'run'
    folder.mkdir()
    torch.manual_seed(3)
    architecture = Architecture(
        len(CLASSES), 'shufflenet_v2_x0_5', split_channels=16, decoder_channels=16
    )
    facts = {'step': 4, 'validation_miou': 12.345, 'name': 'small', 'input_size': INPUT_SIZE}
    for m in Modality:
        network = ModalityNetwork(m, architecture)
        _spread_statistics(network, m)
        checkpoint.save_best(
            folder / checkpoint.best_name(m), network, architecture, LABELS, facts
        )
    data = write_small_data_set(folder.parent / 'secret_place' / 'rooms')
    config = TrainConfig(**small_config(data))
    (folder / 'config.yaml').write_text(to_yaml(config))
    return folder


@torch.no_grad()
def _spread_statistics(network: ModalityNetwork, modality: Modality) -> None:
    """Let the batch norms see images and the classes compete, or all pixels are of one class."""
    image = torch.from_numpy(image_of(modality, *INPUT_SIZE)).permute(0, 3, 1, 2).float()
    image = image / 255 if modality is Modality.RGB else image
    batch = torch.cat([image, image.flip(-1), image.flip(-2)])
    network.train()
    for _ in range(30):
        network(batch)
    logits = network.eval()(image)
    weight, bias = network.decoder.classify.weight, network.decoder.classify.bias
    bias.sub_(logits.mean((0, 2, 3)))
    weight.mul_(2 / logits.std())
    bias.mul_(2 / logits.std())


@pytest.fixture(scope='module')
def bundle(run: Path) -> ModelBundle:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, 'PARITY_SIZES', ((96, 128), (75, 101)))  # quicker to render
        return export.export_run(run, run.parent / 'bundle')


def session(bundle: ModelBundle, modality: Modality) -> onnxruntime.InferenceSession:
    return load_session(bundle.onnx_path(modality))


@functools.cache
def load_session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])


def image_of(modality: Modality, height: int, width: int) -> np.ndarray:
    return export.example_images(modality, [(height, width)])[0]


@pytest.mark.parametrize('modality', Modality)
def test_the_graphs_keep_the_contract(bundle: ModelBundle, modality: Modality) -> None:
    graph = session(bundle, modality)
    (image,) = graph.get_inputs()

    name, kind, channels = {
        Modality.RGB: ('image', 'tensor(uint8)', 3),
        Modality.DEPTH: ('depth', 'tensor(float)', 1),
    }[modality]
    assert (image.name, image.type) == (name, kind)
    assert (image.shape[0], image.shape[3]) == (1, channels)
    assert all(isinstance(side, str) for side in image.shape[1:3])  # free height and width
    assert [(out.name, out.type) for out in graph.get_outputs()] == [
        ('mask', 'tensor(uint8)'),
        ('confidence', 'tensor(uint8)'),
    ]


@pytest.mark.parametrize('modality', Modality)
def test_the_graphs_have_the_documented_opset_and_inner_logits(
    bundle: ModelBundle, modality: Modality
) -> None:
    model = onnx.load(bundle.onnx_path(modality))

    assert [(entry.domain, entry.version) for entry in model.opset_import] == [('', 17)]
    assert bundle.opset == 17
    assert 'logits' in {name for node in model.graph.node for name in node.output}


@pytest.mark.parametrize('modality', Modality)
def test_the_file_names_no_folder_of_the_machine_that_made_it(
    bundle: ModelBundle, run: Path, modality: Modality
) -> None:
    for file in (bundle.onnx_path(modality), bundle.path / 'model.yaml'):
        content = file.read_bytes()
        assert b'secret_place' not in content
        assert str(Path(export.__file__).parents[2]).encode() not in content


@pytest.mark.parametrize('size', [(48, 64), (64, 96), (75, 101), (200, 120)])
@pytest.mark.parametrize('modality', Modality)
def test_any_image_size_gives_a_mask_of_that_size(
    bundle: ModelBundle, modality: Modality, size: tuple[int, int]
) -> None:
    graph = session(bundle, modality)

    mask, confidence = graph.run(None, {graph.get_inputs()[0].name: image_of(modality, *size)})

    assert mask.shape == confidence.shape == (1, *size)
    assert mask.dtype == confidence.dtype == np.uint8
    assert mask.max() < len(CLASSES)
    assert len(np.unique(mask)) > 1
    assert confidence.min() >= 255 // len(CLASSES)


@pytest.mark.parametrize('modality', Modality)
def test_no_convolution_is_exported_behind_a_cast(bundle: ModelBundle, modality: Modality) -> None:
    # In an fp16 network such a cast would go back to float32.
    nodes = onnx.load(bundle.onnx_path(modality)).graph.node
    cast = {node.output[0] for node in nodes if node.op_type == 'Cast'}
    read = [node.input[0] for node in nodes if node.op_type == 'Conv']

    assert read and not cast & set(read)


@pytest.mark.parametrize('modality', Modality)
def test_the_mask_is_the_networks_argmax(run: Path, modality: Modality) -> None:
    network, _, _ = checkpoint.load_best(run, modality)
    image = torch.from_numpy(image_of(modality, *INPUT_SIZE))
    with torch.no_grad():
        mask, confidence, _ = export.DeploymentGraph(network, modality, INPUT_SIZE)(image)
        planes = image.permute(0, 3, 1, 2).float() / (255 if modality is Modality.RGB else 1)
        logits = network(planes)
        scores = torch.nn.functional.interpolate(logits, INPUT_SIZE, mode='bilinear')
        # At the logits' resolution, see DeploymentGraph.
        likeliest = torch.nn.functional.interpolate(
            logits.softmax(1).amax(1, keepdim=True), INPUT_SIZE, mode='bilinear'
        )

    assert (mask == scores.argmax(1)).float().mean() > 0.999
    assert (confidence - 255 * likeliest[0]).abs().max() < 0.51


@pytest.mark.parametrize('engine', ['openvino', 'onnxruntime', 'torch'])
def test_depth_without_measurement_means_the_same_however_it_is_written(
    bundle: ModelBundle, engine: str
) -> None:
    depth = image_of(Modality.DEPTH, *INPUT_SIZE)[0, :, :, 0]
    depth[10:40, 20:60] = 0
    network = load_engines(bundle, engine, threads=1).engines[Modality.DEPTH]
    expected = network.infer(depth)

    for value in (np.nan, np.inf, -np.inf, -1.0, 65.535):
        other = depth.copy()
        other[10:40, 20:60] = value
        found = network.infer(other)
        assert (found.mask == expected.mask).mean() > 0.999, value
        assert np.abs(found.confidence.astype(int) - expected.confidence).max() <= 1, value


def test_a_depth_image_without_any_measurement_still_gives_a_mask(bundle: ModelBundle) -> None:
    graph = session(bundle, Modality.DEPTH)

    mask, _ = graph.run(None, {'depth': np.full((1, 64, 96, 1), np.nan, np.float32)})

    assert mask.max() < len(CLASSES)


def test_the_bundle_says_what_it_is(bundle: ModelBundle) -> None:
    again = ModelBundle.load(bundle.path)

    assert again == bundle
    assert (again.name, again.labels, again.input_size) == ('small', LABELS, INPUT_SIZE)
    assert again.rgb_mean == (0.485, 0.456, 0.406) and again.depth_range == (0.1, 10.0)
    assert again.scores['validation'] == {'rgb': {'miou': 12.35}, 'depth': {'miou': 12.35}}
    assert all(share >= 0.999 for share in again.scores['parity'].values())
    assert again.trained_on['sources'][0]['path'] == 'rooms'


def test_a_graph_that_does_not_do_what_torch_does_is_refused(
    bundle: ModelBundle, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, _, _ = checkpoint.load_best(run, Modality.RGB)
    graph = export.DeploymentGraph(network, Modality.RGB, INPUT_SIZE)
    with torch.no_grad():
        network.decoder.classify.bias.copy_(torch.tensor([50.0, 0.0, 0.0]))
    monkeypatch.setattr(export, 'PARITY_SIZES', ((48, 64),))

    with pytest.raises(CrodinoError, match='agrees with torch on'):
        export.check_parity(graph, bundle.onnx_path(Modality.RGB))


def test_networks_of_another_resolution_do_what_torch_does_too(run: Path, tmp_path: Path) -> None:
    exported = export.export_run(run, tmp_path / 'bundle', [(32, 48)])
    small = ModelBundle.load(exported.path, resolution=(32, 48))
    assert small.onnx_path(Modality.RGB).name == 'rgb@32x48.onnx'
    assert min(small.variants[0].facts['parity'].values()) >= export.REQUIRED_AGREEMENT
    engines = load_engines(small, 'onnxruntime', logits=True).engines
    for modality, engine in engines.items():
        found = engine.infer(image_of(modality, 60, 80)[0])
        assert found.mask.shape == (60, 80)
        assert found.logits is not None and found.logits.shape[1:] == (8, 12)


def test_an_unfinished_run_is_not_exported(run: Path, tmp_path: Path) -> None:
    (tmp_path / 'best_rgb.pt').write_bytes((run / 'best_rgb.pt').read_bytes())

    with pytest.raises(CrodinoError, match=r'best_depth\.pt does not exist'):
        export.export_run(tmp_path, tmp_path / 'bundle')

    assert not (tmp_path / 'bundle').exists()


def test_a_depth_network_is_not_exported_as_one_for_colour(run: Path, tmp_path: Path) -> None:
    for name in ('best_rgb.pt', 'best_depth.pt'):
        (tmp_path / name).write_bytes((run / 'best_depth.pt').read_bytes())

    with pytest.raises(CrodinoError, match=r'best_rgb\.pt holds the network of depth'):
        export.export_run(tmp_path, tmp_path / 'bundle')


def test_networks_that_order_their_classes_differently_are_not_exported(
    run: Path, tmp_path: Path
) -> None:
    content = checkpoint.load(run / 'best_depth.pt')
    content['labels'] = LabelSet(CLASSES[::-1], LABELS.colors).to_list()
    checkpoint.save(tmp_path / 'best_depth.pt', content)
    (tmp_path / 'best_rgb.pt').write_bytes((run / 'best_rgb.pt').read_bytes())

    with pytest.raises(CrodinoError, match=r'knows picture, box, background, and background'):
        export.export_run(tmp_path, tmp_path / 'bundle')


@pytest.mark.parametrize('modality', Modality)
def test_a_network_of_an_earlier_version_is_exported(
    run: Path, tmp_path: Path, modality: Modality
) -> None:
    name = checkpoint.best_name(modality)
    content = checkpoint.load(run / name)
    del content['modality']
    checkpoint.save(tmp_path / name, content)

    _, labels, _ = checkpoint.load_best(tmp_path, modality)

    assert labels == LABELS


@pytest.mark.parametrize(
    ('content', 'said'),
    [('- a list', 'a mapping of settings was expected'), ('data: {}', "found no 'sources'")],
)
def test_a_run_with_a_damaged_configuration_is_not_exported(
    run: Path, tmp_path: Path, content: str, said: str
) -> None:
    for m in Modality:
        name = checkpoint.best_name(m)
        (tmp_path / name).write_bytes((run / name).read_bytes())
    (tmp_path / 'config.yaml').write_text(content)

    with pytest.raises(CrodinoError, match=rf'config\.yaml.*{said}'):
        export.export_run(tmp_path, tmp_path / 'bundle')


def test_a_run_without_its_configuration_is_not_exported(run: Path, tmp_path: Path) -> None:
    for m in Modality:
        name = checkpoint.best_name(m)
        (tmp_path / name).write_bytes((run / name).read_bytes())

    with pytest.raises(CrodinoError, match=r'config\.yaml does not exist'):
        export.export_run(tmp_path, tmp_path / 'bundle')

"""Saving, loading and checking the model bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from crodino_core.bundle import ModelBundle, sha256_of
from crodino_core.errors import CrodinoError
from crodino_core.labels import LabelSet
from crodino_core.modality import Modality

LABELS = LabelSet(('floor', 'chair'), ((10, 20, 30), (200, 100, 0)))


def save(path: Path, content: str = 'network', **changes: Any) -> ModelBundle:
    """Save a bundle whose networks are no networks: they are not opened here."""
    sources = {}
    for m in Modality:
        sources[m] = path.parent / f'source_{m}'
        sources[m].write_text(f'{content} {m}')
    facts: dict[str, Any] = {
        'name': 'test',
        'labels': LABELS,
        'input_size': (288, 384),
        'rgb_mean': (0.5, 0.4, 0.3),
        'rgb_std': (0.2, 0.2, 0.2),
        'depth_range': (0.1, 10.0),
        'opset': 17,
        'trained_on': {'backbone': 'mobilenet_v2'},
        'scores': {'test': {'rgb': {'miou': 55.5}}},
    }
    return ModelBundle.save(path, sources, **(facts | changes))


def edit(bundle: ModelBundle, change: Any) -> None:
    path = bundle.path / 'model.yaml'
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


def test_a_saved_bundle_is_loaded_as_it_was(tmp_path: Path) -> None:
    saved = save(tmp_path / 'bundle')

    assert ModelBundle.load(tmp_path / 'bundle') == saved
    assert sorted(p.name for p in saved.path.iterdir()) == ['depth.onnx', 'model.yaml', 'rgb.onnx']


def test_a_bundle_may_be_moved(tmp_path: Path) -> None:
    save(tmp_path / 'bundle').path.rename(tmp_path / 'elsewhere')

    bundle = ModelBundle.load(tmp_path / 'elsewhere')

    assert bundle.onnx_path(Modality.RGB).read_text() == 'network rgb'


def test_the_recorded_sha256_is_that_of_the_file(tmp_path: Path) -> None:
    bundle = save(tmp_path / 'bundle')

    for m in Modality:
        assert bundle.sha256[m] == sha256_of(bundle.onnx_path(m))


def test_a_folder_without_a_description_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(CrodinoError, match=r'model\.yaml was expected.*crodino export'):
        ModelBundle.load(tmp_path)


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    bundle = save(tmp_path / 'bundle')
    bundle.onnx_path(Modality.DEPTH).unlink()

    with pytest.raises(CrodinoError, match=r'lacks depth\.onnx'):
        ModelBundle.load(bundle.path)


def test_a_wrong_sha256_is_named_with_both_values(tmp_path: Path) -> None:
    bundle = save(tmp_path / 'bundle')
    bundle.onnx_path(Modality.RGB).write_text('something else')

    with pytest.raises(
        CrodinoError, match=rf'rgb\.onnx is damaged.*{bundle.sha256[Modality.RGB]}'
    ):
        ModelBundle.load(bundle.path)


@pytest.mark.parametrize('key', ['name', 'classes', 'input', 'rgb', 'depth', 'opset', 'files'])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    bundle = save(tmp_path / 'bundle')
    edit(bundle, lambda content: content.pop(key))

    with pytest.raises(CrodinoError, match=f"model.yaml: the key '{key}' is missing"):
        ModelBundle.load(bundle.path)


@pytest.mark.parametrize(
    'change',
    [
        lambda content: content['input'].update(height='tall'),
        lambda content: content.update(classes=[]),
        lambda content: content.update(rgb=3),
        lambda content: content['rgb'].update(mean=['red']),
    ],
)
def test_a_wrong_value_is_answered_with_the_file(tmp_path: Path, change: Any) -> None:
    bundle = save(tmp_path / 'bundle')
    edit(bundle, change)

    with pytest.raises(CrodinoError):
        ModelBundle.load(bundle.path)


@pytest.mark.parametrize('text', ['- a\n- list', 'name: [', ''])
def test_a_description_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    bundle = save(tmp_path / 'bundle')
    (bundle.path / 'model.yaml').write_text(text)

    with pytest.raises(CrodinoError, match=r'model\.yaml'):
        ModelBundle.load(bundle.path)


def test_an_earlier_bundle_is_replaced_as_a_whole(tmp_path: Path) -> None:
    first = save(tmp_path / 'bundle')
    (first.path / 'calibration.cache').write_text('of the earlier networks')

    second = save(tmp_path / 'bundle', 'better')

    assert ModelBundle.load(tmp_path / 'bundle') == second != first
    assert not (second.path / 'calibration.cache').exists()
    assert leftovers(tmp_path) == []


def test_a_folder_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos' / 'cat.jpg').write_text('cat')

    with pytest.raises(CrodinoError, match='is not a model bundle'):
        save(tmp_path / 'photos')

    assert (tmp_path / 'photos' / 'cat.jpg').read_text() == 'cat'


def test_a_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / 'bundle').write_text('a file')
    with pytest.raises(CrodinoError, match='is not a model bundle'):
        save(tmp_path / 'bundle')


def test_a_failed_save_leaves_the_earlier_bundle_and_no_rubbish(tmp_path: Path) -> None:
    first = save(tmp_path / 'bundle')

    with pytest.raises(FileNotFoundError):
        ModelBundle.save(
            first.path,
            dict.fromkeys(Modality, tmp_path / 'nowhere'),
            name='broken',
            labels=LABELS,
            input_size=(1, 1),
            rgb_mean=(0, 0, 0),
            rgb_std=(1, 1, 1),
            depth_range=(0.1, 10.0),
            opset=17,
        )

    assert ModelBundle.load(first.path) == first
    assert leftovers(tmp_path) == []


def test_scores_are_added_on_disk_too(tmp_path: Path) -> None:
    bundle = save(tmp_path / 'bundle').with_scores({'bags': {'rgb': {'miou': 60.0}}})

    assert ModelBundle.load(bundle.path).scores == {
        'test': {'rgb': {'miou': 55.5}},
        'bags': {'rgb': {'miou': 60.0}},
    }


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith('.')]

"""The methods that CroDiNo-KD is measured against, in the same trainer."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
import torch
import yaml
from small_data_set import small_config, write_small_data_set

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.labels import LabelSet
from crodino_core.learning import checkpoint, losses
from crodino_core.learning.config import TrainConfig, load_config
from crodino_core.learning.data.samples import training_batches
from crodino_core.learning.methods import make_method
from crodino_core.learning.models.fusion import FusionNetwork
from crodino_core.learning.models.twin import Architecture
from crodino_core.learning.train import Trainer, train
from crodino_core.learning.validate import read_both, read_depth, read_rgb
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdFolder

COUPLED = 'geometry.kind=coupled'
FUSION = 'method=early_fusion_zero_filled'


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_data_set(tmp_path_factory.mktemp('data') / 'room')


@pytest.fixture(scope='module')
def teacher(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished early fusion run."""
    run = tmp_path_factory.mktemp('runs') / 'teacher'
    train(make_config(data, FUSION, COUPLED, 'optimiser.steps=2'), run)
    return run


def make_config(data: Path, *overrides: str) -> TrainConfig:
    path = data.parent / 'config.yaml'
    path.write_text(yaml.safe_dump(small_config(data)))
    return load_config(path, overrides)


def take_a_step(config: TrainConfig, data: Path, run: Path) -> tuple[Trainer, dict[str, float]]:
    trainer = Trainer(config, RgbdFolder(data).labels, run)
    return trainer, trainer.train_step(next(training_batches(config, trainer.labels, 0)))


def test_independent_networks_share_no_loss(data: Path, tmp_path: Path) -> None:
    trainer, found = take_a_step(make_config(data, 'method=independent'), data, tmp_path)

    assert set(found) == {'segmentation_rgb', 'segmentation_depth'}
    assert all(p.grad is None for p in trainer.twin.auxiliary.parameters())


@pytest.mark.parametrize(('method', 'norms'), [('independent', 2), ('crodino', 1)])
def test_networks_that_share_no_loss_are_clipped_apart(
    data: Path, tmp_path: Path, method: str, norms: int
) -> None:
    config = make_config(data, f'method={method}', 'optimiser.clip_norm=0.001')
    trainer, _ = take_a_step(config, data, tmp_path)

    learners = trainer.method.learners(trainer.twin)
    found = [
        torch.stack([p.grad.norm() for p in part.parameters() if p.grad is not None]).norm()
        for part in learners
    ]
    assert [norm.item() for norm in found] == pytest.approx([0.001] * norms, rel=1e-3)


def test_an_independent_network_learns_the_same_whatever_the_other_one_meets(
    data: Path, tmp_path: Path
) -> None:
    config = make_config(data, 'method=independent', 'model.dropout=0', 'optimiser.clip_norm=0.1')
    weights = []
    for factor in (1.0, 3.0):
        torch.manual_seed(0)
        trainer = Trainer(config, RgbdFolder(data).labels, tmp_path)
        batch = next(training_batches(config, trainer.labels, 0))
        trainer.train_step(batch | {'depth': batch['depth'] * factor})
        weights.append(trainer.twin.network(Modality.RGB).state_dict())  # type: ignore[operator]

    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_independent_and_crodino_start_from_the_same_weights(data: Path, tmp_path: Path) -> None:
    weights = []
    for method in ('crodino', 'independent'):
        torch.manual_seed(0)
        config = make_config(data, f'method={method}')
        weights.append(Trainer(config, RgbdFolder(data).labels, tmp_path).twin.state_dict())

    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_early_fusion_is_scored_with_both_sensors_and_without_either(teacher: Path) -> None:
    with (teacher / 'metrics.csv').open() as stream:
        (row,) = csv.DictReader(stream)

    for name in ('fusion', 'fusion_without_rgb', 'fusion_without_depth'):
        assert math.isfinite(float(row[f'validation_miou_{name}']))
    assert [path.name for path in teacher.glob('best_*')] == ['best_fusion.pt']


def test_a_dead_sensor_is_zeros_to_the_fusion_network(data: Path) -> None:
    folder = RgbdFolder(data)
    sample, size = folder.read(folder.names('val')[0]), (32, 48)
    rgb, depth = read_rgb(sample, size), read_depth(sample, size)

    assert torch.equal(read_both()(sample, size), torch.cat([rgb, depth]))
    without_rgb = read_both(Modality.RGB)(sample, size)
    assert not without_rgb[:3].any() and torch.equal(without_rgb[3:], depth)
    without_depth = read_both(Modality.DEPTH)(sample, size)
    assert torch.equal(without_depth[:3], rgb) and not without_depth[3:].any()


@torch.no_grad()
def test_the_fusion_network_sees_both_sensors() -> None:
    network = FusionNetwork(Architecture(3, 'shufflenet_v2_x0_5', decoder_channels=8)).eval()
    image = torch.rand(1, 4, 64, 96) + 0.5
    logits = network(image)

    assert logits.shape == (1, 3, 16, 24)
    for channel in (0, 3):
        other = image.clone()
        other[:, channel] += 0.3
        assert not torch.equal(network(other), logits)


def test_students_learn_from_a_teacher_that_does_not(
    data: Path, teacher: Path, tmp_path: Path
) -> None:
    config = make_config(data, 'method=kd', COUPLED, f'teacher={teacher}')
    before = checkpoint.load(teacher / 'best_fusion.pt')['network']

    trainer, found = take_a_step(config, data, tmp_path)

    assert set(found) == {
        f'{name}_{m}' for name in ('segmentation', 'distillation') for m in Modality
    }
    assert all(value > 0 for value in found.values())
    after = trainer.method.teacher.state_dict()  # type: ignore[attr-defined]
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.fixture(scope='module')
def students(data: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of students."""
    run = tmp_path_factory.mktemp('runs') / 'students'
    train(make_config(data, 'method=kd', COUPLED, f'teacher={teacher}', 'optimiser.steps=1'), run)
    return run


def test_a_run_of_students_is_exported_like_one_of_the_twin(students: Path) -> None:
    for m in Modality:
        network, _, _ = checkpoint.load_best(students, m)
        assert not network.training


@pytest.mark.parametrize(
    'overrides', [['method=early_fusion_zero_filled'], ['method=kd', 'teacher=anywhere']]
)
def test_methods_that_see_both_images_need_one_geometry(data: Path, overrides: list[str]) -> None:
    config = make_config(data, *overrides)
    with pytest.raises(UsageError, match=r'geometry\.kind decoupled .* coupled or none'):
        make_method(config, RgbdFolder(data).labels, torch.device('cpu'))


def test_students_without_a_teacher_are_refused(data: Path) -> None:
    labels = RgbdFolder(data).labels
    with pytest.raises(UsageError, match='kd needs teacher'):
        make_method(make_config(data, 'method=kd', COUPLED), labels, torch.device('cpu'))
    with pytest.raises(CrodinoError, match=r'best_fusion\.pt does not exist'):
        make_method(
            make_config(data, 'method=kd', COUPLED, 'teacher=nowhere'), labels, torch.device('cpu')
        )


@pytest.mark.parametrize(
    ('overrides', 'answer'),
    [
        (['teacher=runs/t'], 'teacher is given, and the method crodino has none'),
        (['method=early_fusion_zero_filled', 'start_from=runs/a'], 'start_from and frozen are of'),
        (['method=kd', 'teacher=runs/t', 'frozen=[rgb]'], 'start_from and frozen are of'),
        (['frozen=[depth]'], 'frozen names a network that would stay as it was initialised'),
    ],
)
def test_settings_that_a_method_does_not_look_at_are_refused(
    data: Path, overrides: list[str], answer: str
) -> None:
    config = make_config(data, 'geometry.kind=coupled', *overrides)
    with pytest.raises(UsageError, match=answer):
        make_method(config, RgbdFolder(data).labels, torch.device('cpu'))


def test_a_teacher_of_other_classes_is_refused(data: Path, teacher: Path) -> None:
    config = make_config(data, 'method=kd', COUPLED, f'teacher={teacher}')
    labels = LabelSet(('sky',), ((0, 0, 0),))
    with pytest.raises(CrodinoError, match='knows background, box, picture'):
        make_method(config, labels, torch.device('cpu'))


def test_an_unknown_method_is_refused_with_the_known_ones(data: Path) -> None:
    with pytest.raises(UsageError, match="'crodino', 'independent', 'kd'"):
        make_config(data, 'method=alone')


def test_distillation_is_the_divergence_from_the_teacher_times_t_squared() -> None:
    student = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    taught = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1)
    label = torch.zeros(1, 1, 1, dtype=torch.long)

    found = losses.distillation_loss(student, taught, label, temperature=2.0)

    p, q = 1 / (1 + math.exp(-1.5)), 1 / (1 + math.exp(-0.5))
    expected = 4 * (p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q)))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_distillation_is_zero_for_equal_logits_and_where_nothing_is_labelled() -> None:
    logits = torch.rand(2, 3, 4, 4)
    label = torch.zeros(2, 16, 16, dtype=torch.long)

    assert losses.distillation_loss(logits, logits, label, 2.0).item() == pytest.approx(
        0, abs=1e-6
    )
    void = torch.full_like(label, 255)
    assert losses.distillation_loss(logits, logits.flip(1), void, 2.0).item() == 0


def test_a_frozen_network_teaches_and_does_not_change(data: Path, tmp_path: Path) -> None:
    first = tmp_path / 'first'
    train(make_config(data, 'optimiser.steps=2'), first)
    config = make_config(data, f'start_from={first}', 'frozen=[depth]')

    trainer, found = take_a_step(config, data, tmp_path / 'second')

    kept = checkpoint.load(first / checkpoint.best_name(Modality.DEPTH))['network']
    depth = trainer.twin.network(Modality.DEPTH).state_dict()
    assert all(torch.equal(depth[name], value) for name, value in kept.items())
    started = checkpoint.load(first / checkpoint.best_name(Modality.RGB))['network']
    rgb = trainer.twin.network(Modality.RGB).state_dict()
    assert any(not torch.equal(rgb[name], value) for name, value in started.items())
    assert 'contrastive' in found
    assert 'mixup_rgb' in found
    assert not any(name.endswith('depth') for name in found)


def test_a_run_with_every_network_frozen_is_refused(data: Path, tmp_path: Path) -> None:
    config = make_config(data, 'frozen=[rgb, depth]', 'start_from=anywhere')
    with pytest.raises(UsageError, match='nothing to train'):
        take_a_step(config, data, tmp_path)


@pytest.mark.parametrize(
    ('override', 'answer'),
    [
        ('model.split=halves', 'split is projection, and halves was expected'),
        ('model.backbone=resnet18', 'backbone is shufflenet_v2_x0_5, and resnet18'),
    ],
)
def test_a_run_that_starts_from_another_architecture_is_refused(
    data: Path, students: Path, tmp_path: Path, override: str, answer: str
) -> None:
    config = make_config(data, f'start_from={students}', override)
    with pytest.raises(CrodinoError, match=f'another architecture: {answer}') as error:
        take_a_step(config, data, tmp_path)
    assert '\n' not in str(error.value)


def test_a_run_that_starts_from_a_network_of_the_other_modality_is_refused(
    data: Path, students: Path, tmp_path: Path
) -> None:
    for name in ('best_rgb.pt', 'best_depth.pt'):
        (tmp_path / name).write_bytes((students / 'best_rgb.pt').read_bytes())
    config = make_config(data, f'start_from={tmp_path}')
    with pytest.raises(CrodinoError, match=r'best_depth\.pt holds the network of rgb'):
        take_a_step(config, data, tmp_path)


def test_a_run_that_starts_from_classes_in_another_order_is_refused(
    data: Path, students: Path, tmp_path: Path
) -> None:
    labels = RgbdFolder(data).labels
    reordered = LabelSet(labels.names[::-1], labels.colors)
    with pytest.raises(CrodinoError, match='knows background, box, picture, and picture, box'):
        Trainer(make_config(data, f'start_from={students}'), reordered, tmp_path)


def test_a_network_of_one_modality_is_no_teacher(
    data: Path, students: Path, tmp_path: Path
) -> None:
    (tmp_path / 'best_fusion.pt').write_bytes((students / 'best_rgb.pt').read_bytes())
    config = make_config(data, 'method=kd', COUPLED, f'teacher={tmp_path}')
    with pytest.raises(CrodinoError, match='network of rgb, and that of both modalities'):
        make_method(config, RgbdFolder(data).labels, torch.device('cpu'))


def test_the_state_of_a_run_is_no_network_to_start_from_or_to_learn_from(
    data: Path, students: Path, tmp_path: Path
) -> None:
    for name in ('best_rgb.pt', 'best_fusion.pt'):
        (tmp_path / name).write_bytes((students / 'last.pt').read_bytes())
    for overrides in (
        [f'start_from={tmp_path}'],
        ['method=kd', COUPLED, f'teacher={tmp_path}'],
    ):
        with pytest.raises(CrodinoError, match='of another kind: it has no network, facts; take'):
            take_a_step(make_config(data, *overrides), data, tmp_path)


def test_a_run_that_starts_from_no_run_says_what_a_run_has(data: Path, tmp_path: Path) -> None:
    config = make_config(data, f'start_from={tmp_path}')
    with pytest.raises(CrodinoError, match=r'best_rgb\.pt'):
        take_a_step(config, data, tmp_path)

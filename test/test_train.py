"""A training run from start to end, broken off, resumed, and refused."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torchvision
import yaml
from small_data_set import CLASSES, small_config, write_small_data_set
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.labels import LabelSet
from crodino_core.learning import checkpoint, methods
from crodino_core.learning.config import ScenesSource, TrainConfig, load_config, to_yaml
from crodino_core.learning.data.samples import TwinSamples, load_source, training_batches
from crodino_core.learning.data.scenes import CLASS_NAMES
from crodino_core.learning.decoupled_augment import DecoupledAugment
from crodino_core.learning.optimiser import learning_rate_factor, move_average
from crodino_core.learning.run_log import RunLog
from crodino_core.learning.train import Trainer, train
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdFolder, RgbdSample
from crodino_ros.commands.learning import train as command


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_data_set(tmp_path_factory.mktemp('data') / 'room')


@pytest.fixture(scope='module')
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    run = tmp_path_factory.mktemp('runs') / 'finished'
    train(make_config(data), run)
    return run


def make_config(data: Path, *overrides: str, **settings: Any) -> TrainConfig:
    path = data.parent / 'config.yaml'
    path.write_text(yaml.safe_dump(small_config(data, **settings)))
    return load_config(path, overrides)


def metrics(run: Path) -> list[dict[str, str]]:
    with (run / 'metrics.csv').open() as stream:
        return list(csv.DictReader(stream))


def equal(a: Any, b: Any) -> bool:
    """Equality of nested checkpoint content, to the last bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


def break_off_at(
    step: int, monkeypatch: pytest.MonkeyPatch, error: Callable[[], BaseException]
) -> None:
    """Let the run die in the middle of a step."""
    whole = Trainer.train_step

    def dying(self: Trainer, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        if self.step == step:
            raise error()
        return whole(self, batch)

    monkeypatch.setattr(Trainer, 'train_step', dying)


def test_a_run_writes_its_folder(finished: Path) -> None:
    assert {path.name for path in finished.iterdir()} == {
        'config.yaml', 'environment.yaml', 'metrics.csv', 'curves.png', 'confusion.png',
        'predictions.png', 'tensorboard', 'last.pt', 'best_rgb.pt', 'best_depth.pt',
    }  # fmt: skip
    for picture in ('curves.png', 'confusion.png', 'predictions.png'):
        assert cv2.imread(str(finished / picture)).std() > 10
    environment = yaml.safe_load((finished / 'environment.yaml').read_text())
    assert {'crodino_ros', 'Python', 'torch', 'pydantic'} <= environment['packages'].keys()
    assert environment['machine'].keys() == {'System', 'Processor'}


def test_tensorboard_shows_what_the_table_holds(finished: Path) -> None:
    events = EventAccumulator(str(finished / 'tensorboard'))
    events.Reload()

    rows = metrics(finished)
    shown = events.Scalars('validation mIoU/depth')
    assert [event.step for event in shown] == [2, 4]
    assert [event.value for event in shown] == pytest.approx(
        [float(row['validation_miou_depth']) for row in rows], rel=1e-4
    )
    assert len(events.Scalars('loss/contrastive')) == 2


def test_the_configuration_in_the_folder_repeats_the_run(finished: Path, data: Path) -> None:
    assert load_config(finished / 'config.yaml') == make_config(data)


def test_metrics_have_a_row_for_each_validation(finished: Path) -> None:
    rows = metrics(finished)

    assert [row['step'] for row in rows] == ['2', '4']
    for name in ('segmentation_rgb', 'contrastive', 'validation_miou_depth'):
        assert all(np.isfinite(float(row[name])) for row in rows)


def test_a_row_has_the_mean_losses_since_the_row_before(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    train(make_config(data, 'validate_every=1'), tmp_path / 'run')

    losses = [float(row['segmentation_rgb']) for row in metrics(tmp_path / 'run')]
    means = [float(row['segmentation_rgb']) for row in metrics(finished)]
    assert means == pytest.approx([np.mean(losses[:2]), np.mean(losses[2:])], rel=1e-5)


def test_without_a_terminal_each_validation_leaves_a_line(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(make_config(data), tmp_path / 'run')

    first, second = (line for line in capfd.readouterr().err.splitlines() if 'validation' in line)
    assert first.startswith('step 2 of 4: loss ')
    row = metrics(tmp_path / 'run')[1]
    best = max(float(row['validation_miou_depth']) for row in metrics(tmp_path / 'run'))
    assert second.endswith(f', depth {float(row["validation_miou_depth"]):.1f} (best {best:.1f})')


def test_each_modality_keeps_its_own_best_network(finished: Path) -> None:
    for m in Modality:
        network, labels, facts = checkpoint.load_best(finished, m)
        scores = {
            int(row['step']): float(row[f'validation_miou_{m}']) for row in metrics(finished)
        }
        assert labels.names == CLASSES
        assert facts['validation_miou'] == pytest.approx(max(scores.values()), rel=1e-4)
        assert scores[facts['step']] == max(scores.values())
        assert not network.training


def test_a_resumed_run_gives_the_numbers_of_an_unbroken_one(
    finished: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / 'run'
    config = make_config(data, 'data.workers=1')
    with monkeypatch.context() as patch:
        break_off_at(3, patch, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            train(config, run)
    torch.manual_seed(99)  # another process starts elsewhere

    train(config, run, resume=True)

    assert (run / 'metrics.csv').read_text() == (finished / 'metrics.csv').read_text()
    for name in ('last.pt', 'best_rgb.pt', 'best_depth.pt'):
        assert equal(checkpoint.load(run / name), checkpoint.load(finished / name)), name
    (resumed,) = yaml.safe_load((run / 'environment.yaml').read_text())['resumed']
    begun = yaml.safe_load((finished / 'environment.yaml').read_text())
    assert (resumed['step'], resumed['packages']) == (2, begun['packages'])


def test_a_finished_run_resumed_changes_nothing(finished: Path, data: Path) -> None:
    before = {path: path.read_bytes() for path in finished.rglob('*') if path.is_file()}

    best = train(make_config(data), finished, resume=True)

    after = {path: path.read_bytes() for path in finished.rglob('*') if path.is_file()}
    assert after == before
    assert set(best) == {'rgb', 'depth'}


def test_rows_after_the_last_checkpoint_are_written_once(
    finished: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / 'run'
    with monkeypatch.context() as patch:
        break_off_at(3, patch, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            train(make_config(data), run)
    row = (run / 'metrics.csv').read_text().splitlines()[1]
    with (run / 'metrics.csv').open('a') as stream:  # the kill came before the checkpoint
        stream.write('4' + row[1:] + '\r\n' + '1')  # and in the middle of another row

    train(make_config(data), run, resume=True)

    assert [row['step'] for row in metrics(run)] == ['2', '4']


def test_the_folder_of_a_run_is_not_used_twice(finished: Path, data: Path) -> None:
    with pytest.raises(CrodinoError, match='holds a run already; resume it'):
        train(make_config(data), finished)


def test_a_folder_with_files_of_the_user_is_not_written_to(data: Path, tmp_path: Path) -> None:
    own = tmp_path / 'config.yaml'
    own.write_text('# tuned by hand\n' + yaml.safe_dump(small_config(data)))
    for name in ('metrics.csv', 'environment.yaml'):
        (tmp_path / name).write_text('name: mine\n')
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}

    with pytest.raises(CrodinoError, match=r'is no folder of a run and not empty \(it has config'):
        command(own, out=tmp_path)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_a_run_broken_off_before_its_first_checkpoint_is_begun_again(
    finished: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / 'run'
    with monkeypatch.context() as patch:
        break_off_at(1, patch, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            train(make_config(data), run)
    own = run / 'config.yaml'
    with pytest.raises(UsageError, match='the configuration that was read'):
        train(load_config(own, ['seed=1']), run, config_file=own)

    train(load_config(own), run, config_file=own)

    assert (run / 'metrics.csv').read_text() == (finished / 'metrics.csv').read_text()


def test_the_networks_of_a_run_are_not_replaced_by_those_of_another(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    run = tmp_path / 'run'
    shutil.copytree(finished, run)
    (run / 'last.pt').unlink()  # it is the largest file, and not needed for an export

    with pytest.raises(CrodinoError, match='holds the networks of a run already'):
        train(make_config(data), run)


def test_a_file_is_no_folder_for_a_run(data: Path, tmp_path: Path) -> None:
    (tmp_path / 'run').write_text('')
    with pytest.raises(CrodinoError, match='is a file; the folder of a run was expected'):
        train(make_config(data), tmp_path / 'run')


def test_resuming_under_other_settings_is_refused(finished: Path, data: Path) -> None:
    with pytest.raises(UsageError, match=r'loss\.mixing is 0\.2, but the run .* has 0\.35'):
        train(make_config(data, 'loss.mixing=0.2'), finished, resume=True)


def test_resuming_a_run_that_does_not_say_its_settings_is_refused(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    run = tmp_path / 'run'
    shutil.copytree(finished, run)
    own = run / 'config.yaml'
    text = own.read_text()
    for content in (b'', b'- a list', b'a: [', text.encode('utf-16')):
        own.write_bytes(content)
        with pytest.raises(UsageError, match=r'run/config\.yaml: ') as error:
            train(make_config(data), run, resume=True)
        assert '\n' not in str(error.value)
    own.unlink()
    with pytest.raises(UsageError, match=r'config\.yaml does not exist, so that nobody can tell'):
        train(make_config(data, 'seed=7'), run, resume=True)


def test_resuming_a_run_of_a_version_with_other_settings_is_refused(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    run = tmp_path / 'run'
    shutil.copytree(finished, run)
    config = yaml.safe_load((run / 'config.yaml').read_text())
    del config['loss']['mixup_every']
    (run / 'config.yaml').write_text(yaml.safe_dump(config))

    with pytest.raises(UsageError, match=r'another version: only this .* loss\.mixup_every'):
        train(make_config(data), run, resume=True)


def test_a_missing_split_is_found_before_a_folder_is_made(data: Path, tmp_path: Path) -> None:
    source = f'data.sources=[{{kind: folder, path: {data}, split: nowhere}}]'
    with pytest.raises(CrodinoError, match='nowhere'):
        train(make_config(data, source), tmp_path / 'run')

    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
    ('overrides', 'answer'),
    [
        (['model.backbone=resnet99'], 'resnet99 is not a torchvision'),
        (['model.weights=nowhere.pth'], r'initial weights nowhere\.pth do not exist'),
        (['start_from=nowhere'], r'nowhere/best_rgb\.pt does not exist'),
        (['frozen=[rgb]'], 'frozen names a network that would stay'),
        (
            ['method=kd', 'teacher=nowhere', 'geometry.kind=coupled'],
            r'nowhere/best_fusion\.pt does not exist',
        ),
    ],
)
def test_a_wrong_setting_is_found_before_an_image_is_read_and_a_folder_is_made(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    overrides: list[str],
    answer: str,
) -> None:
    read: list[str] = []
    monkeypatch.setattr(RgbdFolder, 'read', lambda self, name: read.append(name))

    with pytest.raises(CrodinoError, match=answer):
        train(make_config(data, *overrides), tmp_path / 'run')

    assert not read and not (tmp_path / 'run').exists()


def test_training_data_that_cannot_be_read_leave_no_folder(data: Path, tmp_path: Path) -> None:
    damaged = tmp_path / 'damaged'
    shutil.copytree(data, damaged)
    name = RgbdFolder(damaged).names('train')[0].rpartition('/')[2]
    (damaged / 'room' / 'color' / f'{name}.png').write_bytes(b'no image')

    with pytest.raises(CrodinoError, match=name):
        train(make_config(damaged), tmp_path / 'run')

    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('setting', ['model.weights', 'start_from'])
def test_what_a_run_started_from_is_not_needed_to_resume_it(
    finished: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    origin = tmp_path / 'origin'
    if setting == 'start_from':
        shutil.copytree(finished, origin)
    else:
        torch.save(torchvision.models.shufflenet_v2_x0_5().state_dict(), origin)
    config = make_config(data, f'{setting}={origin}')
    with monkeypatch.context() as patch:
        break_off_at(3, patch, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / 'run')
    origin.rename(tmp_path / 'elsewhere')

    train(config, tmp_path / 'run', resume=True)

    (tmp_path / 'elsewhere').rename(origin)
    train(config, tmp_path / 'unbroken')
    states = (checkpoint.load(tmp_path / run / 'last.pt') for run in ('run', 'unbroken'))
    assert equal(*states)


def test_weights_that_are_not_finite_are_not_kept(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Trainer.train_step

    def spoil(self: Trainer, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        losses = real(self, batch)
        next(self.average.parameters()).fill_(float('nan'))
        return losses

    monkeypatch.setattr(Trainer, 'train_step', spoil)
    with pytest.raises(CrodinoError, match=r'the weight networks.* is nan'):
        train(make_config(data), tmp_path / 'run')

    assert not list((tmp_path / 'run').glob('*.pt'))


def test_a_checkpoint_of_another_architecture_is_refused(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    (tmp_path / 'last.pt').write_bytes((finished / 'last.pt').read_bytes())
    for other in ('model.split=halves', 'model.backbone=mobilenet_v2'):
        config = make_config(data, other)
        (tmp_path / 'config.yaml').write_text(to_yaml(config))
        with pytest.raises(CrodinoError, match='another architecture'):
            train(config, tmp_path, resume=True)


def test_a_checkpoint_of_other_classes_is_refused(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    content = checkpoint.load(finished / 'last.pt')
    content['architecture'] |= {'classes': 40}
    checkpoint.save(tmp_path / 'last.pt', content)
    shutil.copy(finished / 'config.yaml', tmp_path)

    with pytest.raises(CrodinoError, match='classes is 40, and 3 was expected') as error:
        train(make_config(data), tmp_path, resume=True)
    assert '\n' not in str(error.value)


def test_a_run_is_not_resumed_on_classes_in_another_order(data: Path, tmp_path: Path) -> None:
    run = tmp_path / 'run'
    train(make_config(data, 'optimiser.steps=2'), run)
    content = checkpoint.load(run / 'last.pt')
    content['labels'] = [
        entry | {'name': name}
        for entry, name in zip(content['labels'], reversed(CLASSES), strict=True)
    ]
    checkpoint.save(run / 'last.pt', content)

    with pytest.raises(CrodinoError, match=r'last\.pt knows picture, box, background, and'):
        train(make_config(data, 'optimiser.steps=2'), run, resume=True)


def test_the_state_of_an_earlier_version_is_resumed(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    run = tmp_path / 'run'
    shutil.copytree(finished, run)
    content = checkpoint.load(run / 'last.pt')
    del content['labels']
    checkpoint.save(run / 'last.pt', content)

    assert set(train(make_config(data), run, resume=True)) == {'rgb', 'depth'}


def test_resuming_without_a_checkpoint_says_what_is_missing(data: Path, tmp_path: Path) -> None:
    with pytest.raises(CrodinoError, match=r'last\.pt does not exist'):
        train(make_config(data), tmp_path / 'run', resume=True)
    assert not (tmp_path / 'run').exists()


def test_a_loss_that_is_not_finite_stops_the_run_and_is_named(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / 'run'
    real = methods.twin_losses

    def poisoned(twin: Any, batch: Any, settings: Any, frozen: Any) -> dict[str, torch.Tensor]:
        losses = real(twin, batch, settings, frozen)
        if (run / 'last.pt').exists():
            losses['contrastive'] = losses['contrastive'] * float('nan')
        return losses

    monkeypatch.setattr(methods, 'twin_losses', poisoned)
    answer = r'stopped at step 2: contrastive is nan; what .*run holds of earlier steps is good'
    with pytest.raises(CrodinoError, match=answer):
        train(make_config(data), run)

    assert checkpoint.load(run / 'last.pt')['step'] == 2


def test_a_gradient_that_is_not_finite_does_not_reach_the_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(data)
    trainer = Trainer(config, RgbdFolder(data).labels, tmp_path)
    parameter = next(trainer.twin.parameters())
    parameter.register_hook(lambda gradient: gradient * float('inf'))
    before = parameter.detach().clone()

    with pytest.raises(CrodinoError, match=r'norm of the gradient is .*; nothing was kept yet;'):
        trainer.train_step(next(training_batches(config, trainer.labels, 0)))

    assert torch.equal(parameter, before)


def test_a_full_disk_leaves_the_earlier_checkpoint_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'last.pt'
    checkpoint.save(path, {'step': 1})

    def full(content: Any, target: Path) -> None:
        target.write_bytes(b'half')
        raise RuntimeError('write failed: no space left on device')

    monkeypatch.setattr(torch, 'save', full)
    answer = r'last\.pt cannot be written: the disk is full or the file too large; .* resume the'
    with pytest.raises(CrodinoError, match=answer):
        checkpoint.save(path, {'step': 2})

    assert checkpoint.load(path) == {'step': 1}
    assert [p.name for p in tmp_path.iterdir()] == ['last.pt']


def test_a_disk_that_fills_up_in_a_run_leaves_the_checkpoint_to_resume_from(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / 'run'
    whole = torch.save

    def full(content: Any, target: Path) -> None:
        if (run / 'last.pt').exists():
            target.write_bytes(b'half')
            raise OSError(28, 'No space left on device')
        whole(content, target)

    with monkeypatch.context() as patch:
        patch.setattr(torch, 'save', full)
        with pytest.raises(CrodinoError, match=r'cannot be written: .*No space .* resume the run'):
            train(make_config(data), run)

    assert checkpoint.load(run / 'last.pt')['step'] == 2
    train(make_config(data), run, resume=True)
    assert checkpoint.load(run / 'last.pt')['step'] == 4


def test_a_disk_that_is_full_before_the_first_checkpoint_leaves_nothing_to_resume(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(content: Any, target: Path) -> None:
        raise RuntimeError('[enforce fail at inline_container.cc:671] . unexpected pos 64 vs 0')

    monkeypatch.setattr(torch, 'save', full)
    answer = r'the disk is full or the file too large; make room and start the run again'
    with pytest.raises(CrodinoError, match=answer):
        train(make_config(data), tmp_path / 'run')


def test_a_table_that_cannot_be_written_stops_the_run_in_one_line(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(RunLog, 'add', full)
    with pytest.raises(CrodinoError, match=r'run cannot be written: .*No space left'):
        train(make_config(data), tmp_path / 'run')


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 half a file', b'\x80\x02}.'])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'best_rgb.pt'
    path.write_bytes(content)
    with pytest.raises(
        CrodinoError, match=r'best_rgb\.pt (cannot be read: it is damaged|holds a)'
    ):
        checkpoint.load_best(tmp_path, Modality.RGB)


def test_a_checkpoint_with_code_in_it_is_refused_in_words_of_our_own(tmp_path: Path) -> None:
    path = tmp_path / 'best_rgb.pt'
    torch.save({'network': print}, path)
    with pytest.raises(CrodinoError, match='holds pickled objects beside tensors') as error:
        checkpoint.load(path)
    assert '\n' not in str(error.value) and 'weights_only' not in str(error.value)


@pytest.mark.parametrize('key', checkpoint.LAST_KEYS)
def test_a_state_without_one_of_its_parts_is_not_resumed(
    finished: Path, data: Path, tmp_path: Path, key: str
) -> None:
    run = tmp_path / 'run'
    shutil.copytree(finished, run)
    content = checkpoint.load(run / 'last.pt')
    del content[key]
    checkpoint.save(run / 'last.pt', content)

    with pytest.raises(CrodinoError, match=f'last.pt is .* of another kind: .* no {key};'):
        train(make_config(data), run, resume=True)


def test_best_networks_are_no_state_to_resume_from(
    finished: Path, data: Path, tmp_path: Path
) -> None:
    run = tmp_path / 'run'
    shutil.copytree(finished, run)
    (run / 'last.pt').write_bytes((run / 'best_rgb.pt').read_bytes())
    with pytest.raises(CrodinoError, match='of another kind: it has no step, twin, average'):
        train(make_config(data), run, resume=True)

    torch.save(torch.zeros(2), run / 'last.pt')
    with pytest.raises(CrodinoError, match='holds a Tensor; a checkpoint that crodino train'):
        train(make_config(data), run, resume=True)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('optimiser', {'state': {}, 'param_groups': []}),
        ('schedule', None),
        ('best', {}),
        ('step', 'two'),
        ('random', [{'cpu': torch.zeros(3)}]),
        ('twin', None),
    ],
)
def test_a_state_that_is_not_of_such_a_run_is_not_resumed(
    finished: Path, data: Path, tmp_path: Path, key: str, value: Any
) -> None:
    run = tmp_path / 'run'
    shutil.copytree(finished, run)
    checkpoint.save(run / 'last.pt', checkpoint.load(run / 'last.pt') | {key: value})

    with pytest.raises(CrodinoError, match=r'last\.pt (does not hold|holds another)') as error:
        train(make_config(data), run, resume=True)
    assert '\n' not in str(error.value)


def test_a_depth_network_is_no_rgb_network_of_another_backbone(
    finished: Path, tmp_path: Path
) -> None:
    content = checkpoint.load(finished / 'best_rgb.pt')
    content['architecture']['backbone'] = 'mobilenet_v3_large'
    checkpoint.save(tmp_path / 'best_rgb.pt', content)

    with pytest.raises(CrodinoError, match='another architecture'):
        checkpoint.load_best(tmp_path, Modality.RGB)


@pytest.mark.parametrize('device', ['tpu9', 'meta', 'cuda:99', 'cpu:x', 'mps:0', ''])
def test_the_device_must_be_one_that_computes(data: Path, tmp_path: Path, device: str) -> None:
    with pytest.raises(UsageError, match=f"'{device}' cannot be used: .*; auto, cpu") as error:
        train(make_config(data, f'device="{device}"'), tmp_path / 'run')
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'run').exists()


def test_a_device_that_torch_does_not_find_is_refused_in_one_line(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mps, 'is_available', lambda: False)
    with pytest.raises(UsageError, match="'mps' cannot be used: torch does not find it here; au"):
        train(make_config(data, 'device=mps'), tmp_path / 'run')


@pytest.mark.parametrize(
    'override',
    ['optimiser.precision=bfloat16', 'optimiser.ema=0', 'model.split=halves', 'loss.mixup=0'],
)
def test_options_of_the_trainer_take_a_step(data: Path, tmp_path: Path, override: str) -> None:
    config = make_config(data, override)
    trainer = Trainer(config, RgbdFolder(data).labels, tmp_path)

    losses = trainer.train_step(next(training_batches(config, trainer.labels, 0)))

    assert all(np.isfinite(value) for value in losses.values())
    if 'ema' in override:
        current = trainer.twin.state_dict()
        assert equal(trainer.average.state_dict(), current | untouched(trainer))


def untouched(trainer: Trainer) -> dict[str, torch.Tensor]:
    """Counters, which are not averaged."""
    return {k: v for k, v in trainer.average.state_dict().items() if not v.is_floating_point()}


def test_the_average_moves_by_what_the_decay_leaves() -> None:
    average, model = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    nn.init.constant_(average.weight, 1.0)
    nn.init.constant_(model.weight, 3.0)

    move_average(average, model, decay=0.9)

    assert average.weight.item() == pytest.approx(1.2)


def test_the_average_is_what_is_validated_and_kept(data: Path, tmp_path: Path) -> None:
    config = make_config(data, 'optimiser.ema=0.9')
    trainer = Trainer(config, RgbdFolder(data).labels, tmp_path)
    losses = trainer.train_step(next(training_batches(config, trainer.labels, 0)))

    validation = load_source(config.data.validation, trainer.labels, config.data.input_size)
    trainer.validate(validation, losses)

    kept = checkpoint.load_best(tmp_path, Modality.RGB)[0].state_dict()
    average = trainer.average.network(Modality.RGB).state_dict()
    current = trainer.twin.network(Modality.RGB).state_dict()
    assert equal(kept, average)
    assert not equal(kept, current)


def test_in_bfloat16_pointwise_convolutions_compute_in_it(data: Path, tmp_path: Path) -> None:
    config = make_config(data, 'optimiser.precision=bfloat16')
    trainer = Trainer(config, RgbdFolder(data).labels, tmp_path)
    seen: set[torch.dtype] = set()
    for module in trainer.twin.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
            module.register_forward_hook(lambda _, __, output: seen.add(output.dtype))

    trainer.train_step(next(training_batches(config, trainer.labels, 0)))

    assert seen == {torch.bfloat16}
    assert all(weight.dtype == torch.float32 for weight in trainer.twin.parameters())


def test_convolutions_give_their_channels_last(data: Path, tmp_path: Path) -> None:
    config = make_config(data, 'model.backbone=mobilenet_v3_small')
    trainer = Trainer(config, RgbdFolder(data).labels, tmp_path)
    seen: list[torch.Tensor] = []
    for module in trainer.twin.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _, given, made: seen.append(made))
    trainer.train_step(next(training_batches(trainer.config, trainer.labels, 0)))

    assert seen
    for tensor in seen:
        assert tensor.is_contiguous(memory_format=torch.channels_last)


def test_the_learning_rate_warms_up_and_decays_to_zero(data: Path) -> None:
    settings = make_config(data, 'optimiser.steps=100', 'optimiser.warmup_steps=10').optimiser

    factors = [learning_rate_factor(step, settings) for step in range(101)]

    assert factors[0] == pytest.approx(0.1) and factors[10] == 1.0
    assert factors[100] == pytest.approx(0) and factors[55] == pytest.approx(0.5)


# --- samples


def make_samples(seed: int, shares: tuple[float, ...] = (1.0,)) -> TwinSamples:
    """One source for each share, whose only image is of that number's brightness."""
    sources = [
        [
            RgbdSample(
                'frame',
                np.full((32, 48, 3), 10 * (i + 1), np.uint8),
                np.ones((32, 48), np.float32),
                np.zeros((32, 48), np.uint8),
            )
        ]
        for i in range(len(shares))
    ]
    return TwinSamples(sources, shares, DecoupledAugment((32, 48), (16, 24)), 400, seed)


def test_a_sample_depends_on_the_seed_and_its_index_alone() -> None:
    samples, again, other = make_samples(1), make_samples(1), make_samples(2)

    assert equal(samples[7], again[7])
    assert not equal(samples[7], samples[8])
    assert not equal(samples[7], other[7])


def test_sources_are_drawn_by_their_weights() -> None:
    samples = make_samples(0, (3.0, 1.0))
    plain = DecoupledAugment((32, 48), (16, 24))
    samples.augment = lambda rgb, *rest: plain(rgb, *rest)  # type: ignore[assignment]
    drawn: list[int] = []

    def note(rgb: np.ndarray, *rest: Any) -> Any:
        drawn.append(int(rgb[0, 0, 0]))
        return plain(rgb, *rest)

    samples.augment = note  # type: ignore[assignment]
    for index in range(400):
        samples[index]

    assert drawn.count(10) / len(drawn) == pytest.approx(0.75, abs=0.07)


def test_a_data_set_without_labelled_pixels_is_refused(data: Path, tmp_path: Path) -> None:
    blank = write_small_data_set(tmp_path / 'blank')
    for split in ('train', 'val'):
        for name in RgbdFolder(blank).names(split):
            path = blank / 'room' / 'label' / f'{name.rpartition("/")[2]}.png'
            cv2.imwrite(str(path), np.full((64, 96), 255, np.uint8))

        with pytest.raises(CrodinoError, match=f'no labelled pixel in split {split!r}'):
            train(make_config(blank), tmp_path / split)


def test_a_batch_of_which_the_networks_would_see_one_value_is_refused(
    data: Path, tmp_path: Path
) -> None:
    single = ('optimiser.batch_size=1', 'optimiser.steps=1')
    with pytest.raises(
        UsageError, match=r'batch_size is 1 and data\.view_size 16 x 16: .* of 2 or'
    ):
        train(make_config(data, *single, 'data.view_size=[16, 16]'), tmp_path / 'run')
    assert not (tmp_path / 'run').exists()

    assert train(make_config(data, *single, 'data.view_size=[16, 32]'), tmp_path / 'run')


def test_a_data_set_with_one_class_is_refused(tmp_path: Path) -> None:
    data = write_small_data_set(tmp_path / 'data')
    only = {'classes': [{'index': 0, 'name': 'floor', 'color_rgb': [1, 2, 3]}]}
    (data / 'classes.yaml').write_text(yaml.safe_dump(only))
    with pytest.raises(CrodinoError, match=r'has one class \(floor\).* 2 or more were expected'):
        train(make_config(data), tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_sources_with_other_classes_are_refused(data: Path) -> None:
    labels = LabelSet(('floor', 'sky'), ((0, 0, 0), (1, 1, 1)))
    config = make_config(data)

    with pytest.raises(CrodinoError, match='background, box, picture'):
        load_source(config.data.sources[0], labels, (64, 96))
    with pytest.raises(CrodinoError, match='synthetic scenes have the classes'):
        load_source(ScenesSource('scenes', 1, 1), labels, (64, 96))


def test_synthetic_scenes_are_a_source() -> None:
    labels = LabelSet(CLASS_NAMES, tuple((i, i, i) for i in range(len(CLASS_NAMES))))

    samples = load_source(ScenesSource('scenes', scenes=1, frames_per_scene=2), labels, (48, 64))

    assert [sample.rgb.shape for sample in samples] == [(64, 85, 3)] * 2
    assert all(sample.label[sample.label != 255].max() < len(labels) for sample in samples)

"""Training by two processes, as torchrun starts them, beside training by one."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import yaml
from small_data_set import small_config, write_small_data_set
from torch import nn

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.learning import checkpoint, losses, processes
from crodino_core.learning.config import load_config
from crodino_core.learning.data.samples import load_source, training_batches
from crodino_core.learning.train import train
from crodino_core.rgbd_folder import RgbdFolder

ROOT = Path(__file__).resolve().parents[1]
SAME = (
    'model.dropout=0', 'optimiser.steps=2', 'optimiser.batch_size=4', 'validate_every=1',
    'optimiser.learning_rate=1e-5',
)  # fmt: skip
"""Dropout alone draws other numbers in each process. The rate is low because Adam takes a step of
full length also where a gradient is hardly more than its rounding (in float64 the gradients of two
processes are those of one to 12 digits)."""


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_data_set(tmp_path_factory.mktemp('data') / 'room')


@pytest.fixture(scope='module')
def config_file(data: Path) -> Path:
    path = data.parent / 'config.yaml'
    path.write_text(yaml.safe_dump(small_config(data)))
    return path


@pytest.fixture(scope='module')
def alone(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp('runs') / 'alone'
    train(load_config(config_file, SAME), run)
    return run


@pytest.fixture(scope='module')
def together(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run by two processes on this machine."""
    run = tmp_path_factory.mktemp('runs') / 'together'
    train_by_two(config_file, SAME, run)
    return run


def train_by_two(config_file: Path, overrides: Sequence[str], run: Path, code: int = 0) -> str:
    """Train; return what was written on stderr."""
    command = [
        sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2',
        '-m', 'crodino_ros.cli', 'train', str(config_file), *overrides, '--out', str(run),
    ]  # fmt: skip
    environment = os.environ | {'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == code, done.stderr
    return done.stderr


def metrics(run: Path) -> list[dict[str, float]]:
    with (run / 'metrics.csv').open() as stream:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]


def test_two_processes_have_the_losses_of_one(alone: Path, together: Path) -> None:
    assert [row['step'] for row in metrics(together)] == [1, 2]
    for one, both in zip(metrics(alone), metrics(together), strict=True):
        assert both == pytest.approx(one, rel=1e-3, abs=1e-4)


def test_two_processes_of_which_one_has_no_mixed_image_have_the_losses_of_one(
    config_file: Path, tmp_path: Path
) -> None:
    overrides = [*SAME, 'optimiser.steps=1', 'loss.mixup_every=4']
    train(load_config(config_file, overrides), tmp_path / 'alone')
    train_by_two(config_file, overrides, tmp_path / 'together')

    (one,), (both,) = metrics(tmp_path / 'alone'), metrics(tmp_path / 'together')
    assert both == pytest.approx(one, rel=1e-4, abs=1e-5)


def test_two_processes_have_the_gradients_and_batch_norms_of_one(
    alone: Path, together: Path
) -> None:
    one, both = (checkpoint.load(run / 'last.pt') for run in (alone, together))

    # Adam's means of the gradients: weights move too little for a mistake to be seen in them.
    means, others = (
        torch.cat([state['exp_avg'].flatten() for state in each['optimiser']['state'].values()])
        for each in (one, both)
    )
    assert (means - others).norm() < 0.1 * means.norm()
    assert one['twin'].keys() == both['twin'].keys()
    for name in [name for name in one['twin'] if 'running' in name]:
        assert torch.allclose(one['twin'][name], both['twin'][name], rtol=1e-2, atol=1e-4), name


def test_one_of_the_processes_writes_the_folder(alone: Path, together: Path) -> None:
    assert {p.name for p in together.iterdir()} == {p.name for p in alone.iterdir()}
    assert yaml.safe_load((together / 'environment.yaml').read_text())['processes'] == 2
    assert len(checkpoint.load(together / 'last.pt')['random']) == 2


def test_a_run_of_two_processes_is_resumed_by_one(config_file: Path, together: Path) -> None:
    best = train(load_config(config_file, SAME), together, resume=True)

    assert set(best) == {'rgb', 'depth'}


def test_the_folder_of_a_run_is_refused_in_a_line_of_each_process(
    config_file: Path, together: Path
) -> None:
    before = {path: path.read_bytes() for path in together.iterdir() if path.is_file()}

    said = train_by_two(config_file, SAME, together, code=1).splitlines()

    ours = [line for line in said if line.startswith('crodino: ')]
    assert set(ours) == {
        f'crodino: {together} holds a run already; resume it or name another folder'
    }
    assert not any(line.startswith('[rank') for line in said)  # tracebacks begin so
    assert {path: path.read_bytes() for path in before} == before


def test_a_process_whose_partner_has_ended_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('WORLD_SIZE', '2')
    monkeypatch.setenv('RANK', '1')
    monkeypatch.setattr(torch.distributed, 'init_process_group', lambda backend: None)
    monkeypatch.setattr(torch.distributed, 'destroy_process_group', lambda: None)
    cpu = torch.device('cpu')

    lost = RuntimeError('[gloo/transport/tcp/pair.cc:561] Connection closed by peer')
    answer = 'process 1 has lost another one, which says why'
    with pytest.raises(CrodinoError, match=answer), processes.joined(cpu):
        raise lost
    with pytest.raises(RuntimeError, match='of our own'), processes.joined(cpu):
        raise RuntimeError('an error of our own')


def test_one_of_the_processes_shows_what_is_read(
    config_file: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    source, labels = load_config(config_file).data.validation, RgbdFolder(data).labels
    load_source(source, labels, (64, 96))
    assert 'reading val' in capfd.readouterr().err

    monkeypatch.setattr(processes, 'is_first', lambda: False)
    load_source(source, labels, (64, 96))
    assert not capfd.readouterr().err.strip()


def test_the_processes_share_every_batch(
    config_file: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, labels = load_config(config_file, SAME), RgbdFolder(data).labels
    whole = list(training_batches(config, labels, 1))

    monkeypatch.setattr(processes, 'count', lambda: 2)
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr(processes, 'rank', lambda rank=rank: rank)
        shares.append(list(training_batches(config, labels, 1)))

    assert [len(batches) for batches in shares] == [1, 1]
    for batch, first, second in zip(whole, *shares, strict=True):
        assert torch.equal(batch['rgb'], torch.cat([first['rgb'], second['rgb']]))


def test_a_batch_that_has_no_equal_shares_is_refused(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, 'count', lambda: 3)
    with pytest.raises(UsageError, match=r'batch_size is 4, of which 3 processes cannot'):
        train(load_config(config_file, SAME), tmp_path / 'run')


def test_the_mean_of_the_losses_of_two_is_the_loss_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    logits, label = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    label[0, 1:] = 255  # the first process has a quarter of the second one's labelled pixels
    whole = losses.segmentation_loss(logits, label)

    monkeypatch.setattr(processes, 'mean', lambda count: torch.tensor((4 + 16) / 2))
    halves = [losses.segmentation_loss(logits[i : i + 1], label[i : i + 1]) for i in (0, 1)]

    assert sum(halves).item() / 2 == pytest.approx(whole.item(), rel=1e-5)


def test_batch_norm_is_left_alone_where_there_is_one_process() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))

    assert type(processes.with_global_batch_norm(model, torch.device('cpu'))[1]) is nn.BatchNorm2d

"""What `crodino bench train` measures, on the smallest networks."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from rich.console import Console
from small_data_set import small_config, write_small_data_set
from torch import nn

from crodino_core.learning import bench
from crodino_core.modality import Modality
from crodino_ros.bench_training import bench_training
from crodino_ros.bench_words import print_training


@pytest.fixture(scope='module')
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp('bench')
    config = folder / 'config.yaml'
    config.write_text(yaml.safe_dump(small_config(write_small_data_set(folder / 'room'))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, 'loader_speed', lambda config, seconds: 500.0)
        return bench_training(config, rounds=1)


def test_every_method_is_timed_beside_two_plain_loops(found: dict[str, Any]) -> None:
    names = {'crodino', 'independent', 'kd', 'teacher', 'plain rgb', 'plain depth'}

    assert set(found['seconds']) == set(found['gflop']) == names
    assert all(
        value > 0 for costs in (found['seconds'], found['gflop']) for value in costs.values()
    )


def test_the_ratios_follow_from_the_seconds(found: dict[str, Any]) -> None:
    seconds, speed, ratios = found['seconds'], found['images_per_s'], found['ratios']

    plain = sum(seconds[f'plain {m}'] for m in Modality)
    assert ratios['twin_over_plain'] == pytest.approx(plain / seconds['crodino'])
    assert speed['twin'] == pytest.approx(4 / seconds['crodino'])  # two pairs of images a step
    assert ratios['loader_over_twin'] == pytest.approx(500 / speed['twin'])
    teaching = seconds['kd'] + seconds['teacher']
    assert ratios['crodino_over_kd']['seconds'] == pytest.approx(seconds['crodino'] / teaching)


def test_a_ratio_compares_what_was_measured_in_one_round() -> None:
    # The second round met a slow minute, the third an even slower one.
    times = {
        'plain rgb': np.array([1.0, 2.0, 4.0]),
        'plain depth': np.array([1.0, 2.0, 4.0]),
        'crodino': np.array([2.5, 5.0, 10.0]),
        'independent': np.array([2.0, 2.5, 20.0]),
    }
    gflop = {'crodino': 5.0, 'independent': 4.0}

    assert (bench._plain(times) / times['crodino'] == 0.8).all()
    found = bench._beside(times, gflop, 'independent')
    assert found == {'seconds': 1.25, 'flop': 1.25}


def test_independent_networks_compute_what_the_plain_loops_do(found: dict[str, Any]) -> None:
    gflop = found['gflop']

    plain = sum(gflop[f'plain {m}'] for m in Modality)
    assert gflop['independent'] == pytest.approx(plain)
    assert gflop['crodino'] > plain
    assert gflop['kd'] > plain


@pytest.mark.parametrize(
    ('name', 'peak'),
    [
        ('NVIDIA A100-SXM4-80GB', 312),
        ('NVIDIA A100-PCIE-40GB', 312),
        ('NVIDIA H200', 989),
        ('NVIDIA L40S', 362),
        ('NVIDIA L4', 121),
        ('NVIDIA GeForce RTX 4090', 165),
        ('NVIDIA GeForce RTX 4090 Laptop GPU', None),
        ('Orin', None),
    ],
)
def test_the_peak_of_a_device_is_known_by_its_name(name: str, peak: float | None) -> None:
    assert bench.peak_tflops(name) == peak


@pytest.mark.parametrize('groups', [1, 8])
def test_a_convolution_costs_twice_as_much_backward_as_forward(groups: int) -> None:
    convolution = nn.Conv2d(8, 8, 3, padding=1, groups=groups, bias=False)
    image = torch.rand(2, 8, 5, 6, requires_grad=True)
    forward = 2 * (2 * 8 * 5 * 6) * (8 // groups) * 9

    assert bench.count_flop(lambda: convolution(image)) == forward
    assert bench.count_flop(lambda: convolution(image).sum().backward()) == 3 * forward


def test_the_table_shows_figures_and_targets(found: dict[str, Any]) -> None:
    text = StringIO()
    print_training(found | {'gpu': {'tflops': 3.0, 'mfu': 0.25, 'peak_memory_mb': 900.0}},
                   Console(file=text, width=120))  # fmt: skip

    for words in ('x two plain loops (target 0.8)', 'loader 500.0 images/s', '25.0 % of the peak'):
        assert words in text.getvalue()


def test_rendered_rooms_are_the_default_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = {}

    def measure(config: Any, rounds: int) -> dict[str, Any]:
        folder = Path(config.data.validation.path)
        seen['frames'] = len(list(folder.rglob('label/*.png')))
        return {'rounds': rounds}

    monkeypatch.setattr(bench, 'bench_training', measure)

    assert bench_training(None, None) == {'rounds': 9}
    assert seen == {'frames': 8}

"""The measure of the data loader, with a clock by hand."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml
from small_data_set import small_config, write_small_data_set

from crodino_core.learning.config import TrainConfig, load_config
from crodino_core.learning.data import loader_speed as module
from crodino_core.learning.data.loader_speed import loader_speed


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    data = write_small_data_set(tmp_path / 'data')
    path = tmp_path / 'config.yaml'
    path.write_text(yaml.safe_dump(small_config(data)))
    return load_config(path)


def test_both_images_of_each_sample_count(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(0.0, 0.5)  # each batch takes half a second
    monkeypatch.setattr(module.time, 'perf_counter', lambda: next(clock))

    assert loader_speed(config, seconds=2.0) == pytest.approx(2 * 2 / 0.5)


def test_a_run_of_few_steps_does_not_end_the_measurement(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(0.0, 1.0)
    monkeypatch.setattr(module.time, 'perf_counter', lambda: next(clock))

    assert config.optimiser.steps == 4
    assert loader_speed(config, seconds=20.0) == pytest.approx(4)

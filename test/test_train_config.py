"""The configuration of a training run: what is read, and how mistakes are answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from small_data_set import small_config

from crodino_core.errors import UsageError
from crodino_core.learning.config import load_config, to_yaml

DATA = Path('data')


def write(folder: Path, content: Any) -> Path:
    path = folder / 'config.yaml'
    path.write_text(yaml.safe_dump(content))
    return path


def test_what_is_not_written_has_its_default(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, small_config(DATA)))

    assert config.loss.mixing == 0.35
    assert config.geometry.kind == 'decoupled'


def test_a_configuration_survives_writing_and_reading(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, small_config(DATA)))
    path = tmp_path / 'again.yaml'
    path.write_text(to_yaml(config))

    assert load_config(path) == config


def test_overrides_reach_nested_keys(tmp_path: Path) -> None:
    path = write(tmp_path, small_config(DATA))

    config = load_config(path, ['optimiser.steps=7', 'loss.contrast=global', 'seed=3'])

    assert (config.optimiser.steps, config.loss.contrast, config.seed) == (7, 'global', 3)
    assert config.optimiser.batch_size == 2


@pytest.mark.parametrize(
    ('override', 'answer'),
    [
        ('optimiser.stepz=7', 'unknown key optimiser.stepz; did you mean optimiser.steps?'),
        ('losses.mixing=0.2', 'unknown key losses; did you mean loss?'),
        ('data.sources.path=x', 'sources is no mapping'),
        ('steps', 'key=value was expected'),
        ('seed=[1', 'the value is not YAML'),
        ('loss.mixing=1.5', 'loss.mixing: .* less than or equal to 1 .*1.5'),
        ('geometry.min_scale=0', 'geometry.min_scale: .* greater than 0'),
        ('photometric.blur=2', 'photometric.blur: .* less than or equal to 1'),
        ('optimiser.steps=many', 'optimiser.steps: .*integer.*many'),
        ('loss.contrast=pixel', "loss.contrast: .*'prototype' or 'global'.*pixel"),
        ('data.path=x', 'unknown key data.path; did you mean data.sources.N.path?'),
        ('data.sources=[]', 'data.sources: .*at least 1 item'),
        (
            'model.depth_range=[10, 0.1]',
            'model.depth_range: .*first limit .* less than',
        ),
        ('geometry.min_scale=3', r'geometry: .*min_scale is 3\.0, more than max_scale'),
        ('geometry.max_scale=.inf', 'geometry.max_scale: .*finite'),
        ('optimiser.learning_rate=.inf', 'optimiser.learning_rate: .*finite'),
        ('optimiser.lr=1', 'unknown key optimiser.lr; optimiser has steps, .*learning_rate, '),
        ('optimiser.=1', 'unknown key optimiser.; optimiser has steps, batch_size'),
        ('lr=1', 'unknown key lr; the configuration has name, data, method'),
        ('=1', 'unknown key ; the configuration has name, data, method'),
        ('seed=99999999999999999999999', 'seed: .*less than'),
        ('name=""', "name: .*letters, digits.*found: ''"),
        ('name=../escaped', 'name: .*letters, digits.*escaped'),
        ('name=..', 'name: .*letters, digits'),
        ('name=a/b', 'name: .*letters, digits'),
        ('seed=-1', 'seed: .*greater than or equal to 0'),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected(
    tmp_path: Path, override: str, answer: str
) -> None:
    path = write(tmp_path, small_config(DATA))

    with pytest.raises(UsageError, match=answer) as error:
        load_config(path, [override])

    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    'override',
    [
        'optimiser.steps=true', 'optimiser.learning_rate=true', 'optimiser.ema=false',
        'optimiser.warmup_steps=false', 'data.view_size=[true, 32]', 'data.workers=true',
        'model.dropout=false', 'model.depth_range=[0.1, true]', 'loss.mixing=false',
        'geometry.max_aspect=true', 'geometry.flip=true', 'photometric.blur=true', 'seed=true',
    ],
)  # fmt: skip
def test_truth_is_no_number(tmp_path: Path, override: str) -> None:
    path = write(tmp_path, small_config(DATA))
    with pytest.raises(UsageError, match='a number was expected, and true and false are none'):
        load_config(path, [override])


@pytest.mark.parametrize(
    ('steps', 'warmup'), [(1500, 100), (800, 100), (560, 70), (50, 6), (1, 0)]
)
def test_the_warm_up_of_a_short_run_is_short(tmp_path: Path, steps: int, warmup: int) -> None:
    content = small_config(DATA, optimiser={'steps': steps})

    assert load_config(write(tmp_path, content)).optimiser.warmup_steps == warmup


def test_a_warm_up_longer_than_the_run_is_refused(tmp_path: Path) -> None:
    content = small_config(DATA, optimiser={'steps': 50, 'warmup_steps': 51})
    path = write(tmp_path, content)
    with pytest.raises(UsageError, match=r'optimiser: .*warmup_steps is 51, and steps is 50: '):
        load_config(path)
    with pytest.raises(UsageError, match=r'optimiser\.warmup_steps: .*greater than or equal to 0'):
        load_config(path, ['optimiser.warmup_steps=-1'])


def test_an_unknown_key_of_a_source_is_named(tmp_path: Path) -> None:
    content = small_config(DATA)
    content['data']['sources'][0]['wieght'] = 2
    with pytest.raises(UsageError, match=r'wieght; did you mean data\.sources\.N\.weight'):
        load_config(write(tmp_path, content))


def test_a_key_like_none_of_a_source_is_answered_with_those_it_has(tmp_path: Path) -> None:
    content = small_config(DATA)
    content['data']['sources'][0]['zzz'] = 2
    with pytest.raises(UsageError, match=r'zzz; data\.sources\.N has path, kind, split, weight$'):
        load_config(write(tmp_path, content))


def test_a_missing_setting_is_named(tmp_path: Path) -> None:
    content = small_config(DATA)
    del content['data']['validation']
    with pytest.raises(UsageError, match=r'data\.validation'):
        load_config(write(tmp_path, content))


@pytest.mark.parametrize('text', ['- a list', 'a: [', '', 'seed: 1\nseed: 2'])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'config.yaml'
    path.write_text(text)
    with pytest.raises(UsageError, match=r'config\.yaml'):
        load_config(path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'config.yaml'
    path.write_bytes('name: Küche'.encode('latin-1'))
    with pytest.raises(UsageError, match='cannot be read'):
        load_config(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='cannot be read'):
        load_config(tmp_path / 'nothing.yaml')


def test_the_shipped_configurations_are_valid() -> None:
    shipped = sorted((Path(__file__).parents[1] / 'config' / 'train').glob('*.yaml'))

    assert shipped
    for path in shipped:
        load_config(path)

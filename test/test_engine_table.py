"""`crodino bench engines`: which rows there are, and what they are compared with."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_bundle import make_tiny_bundle

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.evaluation import engine_row
from crodino_core.evaluation import engine_table as module
from crodino_core.evaluation.engine_row import Contestant, measure_apart
from crodino_core.evaluation.engine_table import engine_table
from crodino_core.modality import Modality
from crodino_ros import cli

MEDIANS = {'float32': 20.0, 'int8': 8.0}


@pytest.fixture(scope='module')
def bundle(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    """In float32 and int8, and in float32 at another resolution."""
    bundle = make_tiny_bundle(tmp_path_factory.mktemp('models') / 'tiny')
    files = {m: bundle.onnx_path(m) for m in Modality}
    return bundle.with_variant('int8', files).with_variant('float32', files, (12, 16))


def stand_in(arithmetic: str = 'f32') -> Any:
    """Return what measures nothing: int8 takes 8 ms, float32 20 ms, and exact twice as long."""

    def measure(c: Contestant) -> dict[str, Any]:
        if c.engine == 'torch':
            raise CrodinoError('torch is not installed')
        if c.engine == 'onnxruntime' and c.precision == 'int8':
            raise CrodinoError('no int8 here')
        median = MEDIANS[c.precision] * (1 + c.exact)
        return {
            'engine': c.engine,
            'device': f'CPU (1 threads, {"f32" if c.exact else arithmetic})',
            'precision': c.precision,
            'resolution': f'{c.resolution[0]}x{c.resolution[1]}',
            'exact': c.exact,
            **{str(m): {'median_ms': median} for m in Modality},
        }

    return measure


def rows_of(table: dict[str, Any], engine: str) -> list[tuple[str, str, bool]]:
    return [
        (r['precision'], r['resolution'], r['exact'])
        for r in table['rows']
        if r['engine'] == engine
    ]


def test_every_engine_meets_every_precision_and_resolution(bundle):
    table = engine_table(bundle, measure=stand_in(), engines=('openvino', 'onnxruntime'))
    assert rows_of(table, 'openvino') == [
        ('float32', '24x32', False),
        ('int8', '24x32', False),
        ('float32', '12x16', False),
    ]
    assert rows_of(table, 'onnxruntime') == [
        ('float32', '24x32', False),
        ('float32', '12x16', False),
    ]


def test_where_the_processor_is_faster_in_bfloat16_float32_is_measured_too(bundle):
    table = engine_table(bundle, measure=stand_in('bf16'), engines=('openvino',))
    assert ('float32', '24x32', True) in rows_of(table, 'openvino')
    assert ('int8', '24x32', True) in rows_of(table, 'openvino')


def test_a_precision_is_compared_with_float32_in_the_same_engine_and_arithmetic(bundle):
    table = engine_table(bundle, measure=stand_in('bf16'), engines=('openvino',))
    found = {(r['precision'], r['exact']): r['over_float32']['rgb'] for r in table['rows']}
    assert found == {
        ('float32', False): 1.0,
        ('float32', True): 1.0,
        ('int8', False): 2.5,
        ('int8', True): 2.5,
    }


def test_what_cannot_be_measured_is_listed_once_with_the_reason(bundle):
    table = engine_table(bundle, measure=stand_in(), engines=('onnxruntime', 'torch'))
    assert table['skipped'] == {
        'onnxruntime int8': 'no int8 here',
        'torch': 'torch is not installed',
    }


def test_a_row_is_measured_in_a_process_of_its_own(bundle):
    pytest.importorskip('onnxruntime')
    contestant = Contestant(
        str(bundle.path), 'onnxruntime', 'int8', (24, 32), False, (48, 64), rounds=3, threads=1
    )
    row = measure_apart(contestant)
    assert (row['engine'], row['precision'], row['resolution']) == ('onnxruntime', 'int8', '24x32')
    assert row['memory_mb'] > 10
    for m in map(str, Modality):
        assert 0 < row[m]['median_ms'] <= row[m]['p95_ms']
        assert row[m]['frames_per_s'] == pytest.approx(1000 / row[m]['median_ms'], rel=0.1)
        assert row[m]['over_bare'] > 0


def test_a_process_that_fails_gives_its_reason(bundle):
    contestant = Contestant(
        str(bundle.path), 'openvino', 'fp16', (24, 32), False, (48, 64), rounds=1, threads=1
    )
    with pytest.raises(CrodinoError, match='has no fp16 networks'):
        measure_apart(contestant)


def test_a_process_that_dies_gives_its_last_word(bundle, monkeypatch, tmp_path: Path):
    stand = tmp_path / 'python'
    stand.write_text('#!/bin/sh\necho no memory >&2\nexit 9\n')
    stand.chmod(0o755)
    monkeypatch.setattr(engine_row.sys, 'executable', str(stand))
    contestant = Contestant(str(bundle.path), 'torch', 'float32', (24, 32), False, (8, 8), 1, None)
    with pytest.raises(CrodinoError, match='no memory'):
        measure_apart(contestant)


def test_the_command_prints_one_json_object_with_the_machine(bundle, monkeypatch, capsys):
    monkeypatch.setattr(module, 'ENGINE_NAMES', ('onnxruntime',))
    monkeypatch.setattr(module, 'measure_apart', stand_in())
    arguments = ['bench', 'engines', '--model', str(bundle.path), '--json']
    monkeypatch.setattr(sys, 'argv', ['crodino', *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {'size', 'rounds', 'rows', 'skipped', 'environment'}
    assert {row['engine'] for row in found['rows']} == {'onnxruntime'}

"""What the tables of docs/results.md say of the rows they are made from."""

import runpy
import shutil
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / 'docs'
sys.path.append(str(DOCS))  # the scripts there import each other
TABLES = runpy.run_path(str(DOCS / 'training_tables.py'))


def row(arm: str, seed: int, **miou: float) -> dict[str, str]:
    """A line of results.csv; `test_rgb` stands for the column `test rgb`."""
    figures = {name.replace('_', ' '): str(value) for name, value in miou.items()}
    return {'arm': arm, 'seed': str(seed), **figures}


def test_a_gain_compares_only_runs_of_the_same_seed():
    rows = [
        row('independent', 1, test_rgb=50),
        row('independent', 3, test_rgb=10),
        row('crodino', 3, test_rgb=12),
        row('crodino', 2, test_rgb=99),
    ]
    assert TABLES['gains'](rows, 'crodino', 'independent', 'test rgb') == [2]


def test_one_seed_has_no_deviation():
    assert TABLES['spread']([41.25]) == '41.2'
    assert TABLES['spread']([2.0, 4.0], '+') == '+3.0 ± 1.4'
    assert TABLES['spread']([]) == ''


def test_a_missing_sensor_weighs_as_often_as_it_is_missing():
    arms = ('independent', 'crodino', 'early_fusion_zero_filled')
    rows = [row(arm, 1, test_full=60, test_rgb=50, test_depth=40) for arm in arms]
    line = TABLES['missing_table'](rows).splitlines()[2].split(' | ')
    # (1-p)^2 60 + p (1-p) (50 + 40), by the weights' sum, at p = 0.2: 38.4 + 14.4 over 0.96.
    assert line[5:7] == ['50.0', '55.0']


def test_the_cost_of_distillation_holds_that_of_the_teacher():
    costs = {'independent': 1.0, 'balanced': 1.2, 'kd': 1.5, 'teacher': 0.5}
    rows = [{'step': k, 'seconds': str(v), 'gflop': str(10 * v)} for k, v in costs.items()]
    last = TABLES['cost_table'](rows).splitlines()[-1]
    assert last == '| `kd` in all | 2.000 | 2.00 | 20.0 | 2.00 |'


def test_the_page_holds_what_its_rows_say(tmp_path):
    rows = TABLES['read_rows'](DOCS / 'results.csv')
    if not rows:
        pytest.skip('the study has not been run')
    page, again = DOCS / 'results.md', tmp_path / 'results.md'
    shutil.copy(page, again)
    endings = ('_damaged', '_trained', '_gradients', '_cost')
    probes = [TABLES['read_rows'](DOCS / f'results{ending}.csv') for ending in endings]
    TABLES['write_page'](again, rows, *probes, TABLES['read_rows'](DOCS / 'larger/results.csv'))

    told = 'run: python docs/training_study.py --write'
    assert again.read_text(encoding='utf-8') == page.read_text(encoding='utf-8'), told

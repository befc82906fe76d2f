"""The leaderboard and the table, from records written by hand."""

from __future__ import annotations

import csv

import pytest
from failure_stubs import summary

from crodino_core.evaluation.leaderboard import (
    leaderboard_markdown,
    score_of,
    scores_by_scenario,
    standings,
    write_table,
)


def record(policy='prefer', scenario='fog', bag='hall', error='', severity=None, **figures):
    return {
        'bag': bag,
        'bundle': 'indoor',
        'policy': policy,
        'scenario': scenario,
        'severity': severity,
        'status': 'failed' if error else 'done',
        'error': error,
        'summary': None if error else summary(**figures),
    }


def test_a_policy_that_falls_silent_does_not_win_by_it():
    silent = record('silent', miou=80.0, masks_lost=60)
    worse = record('brave', miou=50.0)
    assert score_of(silent) == pytest.approx(32.0)
    assert [standing.policy for standing in standings([silent, worse])] == ['brave', 'silent']


def test_contenders_are_compared_where_all_have_a_result():
    records = [
        record('a', 'fog', miou=50.0), record('a', 'night', miou=10.0),
        record('b', 'fog', miou=40.0), record('b', 'night', error='torn'),
    ]  # fmt: skip
    first, second = standings(records)
    assert (first.policy, first.score, second.score) == ('a', 50.0, 40.0)


def test_a_contender_without_any_result_holds_nobody_up():
    records = [record('a'), record('b', error='no engine')]
    assert [standing.policy for standing in standings(records)] == ['a']


def test_the_worst_job_is_named():
    records = [record(scenario='fog', miou=20.0, severity=5), record(scenario='night', miou=40.0)]
    (standing,) = standings(records)
    assert standing.worst == 20.0
    assert standing.worst_at == 'fog, severity 5 on hall'
    assert standing.miou == pytest.approx(30.0)


def test_losses_add_up_and_gaps_do_not():
    records = [
        record(scenario='a', masks_lost=2, max_gap_s=0.4, false_switches=1),
        record(scenario='b', masks_lost=3, max_gap_s=1.2, max_gap_expected_s=1.0),
    ]
    (standing,) = standings(records)
    assert (standing.masks_lost, standing.false_switches) == (5, 1)
    assert standing.longest_gap_s == pytest.approx(0.3)


def test_the_hardest_scenario_comes_first():
    records = [record('a', 'easy', miou=70.0), record('a', 'hard', miou=5.0)]
    assert list(scores_by_scenario(records)['indoor', 'a']) == ['hard', 'easy']


def test_without_ground_truth_the_clean_run_is_the_measure_and_that_is_said():
    agreement = {'pixels': 95.0, 'miou': 80.0}
    records = [record(miou=None, agreement=agreement), record(scenario='clean', miou=None)]
    records[1]['summary']['scenario'] = None
    assert score_of(records[0]) == 80.0
    assert score_of(records[1]) is None
    assert 'without ground truth in hall' in leaderboard_markdown(records, 2)


def test_what_failed_is_listed():
    text = leaderboard_markdown([record(), record(scenario='night', error='torn')], 3)
    assert '1 of 3 jobs done, 1 failed.' in text
    assert '- night on hall, indoor, prefer: torn' in text


def test_a_plan_that_gave_nothing_has_an_empty_board(tmp_path):
    assert '0 of 4 jobs done' in leaderboard_markdown([], 4)
    write_table([], tmp_path / 'results.csv')
    assert (tmp_path / 'results.csv').read_text().startswith('bag,bundle,policy')


def test_a_bar_in_a_name_does_not_break_the_table():
    line = next(
        line for line in leaderboard_markdown([record('a|b')], 1).splitlines() if 'a\\|b' in line
    )
    assert line.count('|') - line.count('\\|') == 12


def test_the_table_has_one_plain_value_in_each_cell(tmp_path):
    found = record(
        miou_ci=[41.0, 59.0],
        miou_by_modality={'rgb': 52.0, 'depth': None},
        failovers=[{}, {}],
    )
    write_table([found, record(error='no, not "this"')], tmp_path / 'results.csv')
    with (tmp_path / 'results.csv').open() as file:
        done, failed = csv.DictReader(file)
    assert (done['miou'], done['miou_low'], done['miou_high']) == ('50.0', '41.0', '59.0')
    assert (done['miou_rgb'], done['miou_depth'], done['failovers']) == ('52.0', '', '2')
    assert failed['error'] == 'no, not "this"'
    assert failed['miou'] == failed['failovers'] == ''

"""Plans of failure evaluations: what they may say, and the jobs they make."""

from __future__ import annotations

from pathlib import Path

import pytest
from failure_stubs import PLAN

from crodino_core.errors import UsageError
from crodino_core.evaluation.failure_plan import FailurePlan, load_plan, with_severity
from crodino_core.evaluation.scenario import load_scenario, scenario_names
from crodino_core.modality import Modality

BUNDLE = Path('models/indoor')


def plan(folder: Path, text: str = PLAN) -> FailurePlan:
    """Write a plan and read it."""
    file = folder / 'plan.yaml'
    file.write_text(text)
    return load_plan(file, BUNDLE)


def test_every_combination_is_a_job(tmp_path):
    jobs = plan(tmp_path).jobs()
    assert len(jobs) == 2 * 3 * 2
    assert len({job.identity() for job in jobs}) == 12
    assert [job.bag.name for job in jobs] == ['hall'] * 6 + ['yard'] * 6
    assert {job.bundle.name for job in jobs} == {'indoor'}


def test_paths_are_those_beside_the_plan(tmp_path):
    (tmp_path / 'mine.yaml').write_text('faults: [{sensor: rgb, kind: drop, from: 1}]')
    read = plan(tmp_path, 'bags: [data/hall]\nscenarios: [mine.yaml]\nbundles: [nets/small]')
    (job,) = read.jobs()
    assert job.bag.path == tmp_path / 'data/hall'
    assert job.bundle.path == tmp_path / 'nets/small'
    assert job.scenario_name == 'mine'


def test_a_plan_needs_nothing_but_bags(tmp_path):
    read = plan(tmp_path, 'bags: [hall]')
    assert [s.name if s else 'clean' for s in read.scenarios] == ['clean', *scenario_names()]
    assert [policy.name for policy in read.policies] == ['prefer']
    assert read.severities == (None,)


def test_entries_may_say_more(tmp_path):
    read = plan(
        tmp_path,
        'bags: [{path: x/hall.mcap, name: hall, topics: {rgb: /left}}]\n'
        'scenarios: [clean]\n'
        'policies: [{name: careful, prefer: depth, when_none: void}, {prefer: depth}]\n'
        'inference_time: 15\nmemory_mb: 0\nengine: onnxruntime',
    )
    first, second = read.jobs()
    assert first.bag.name == 'hall' and first.bag.topics == {'rgb': '/left'}
    assert (first.policy.name, first.policy.when_none) == ('careful', 'void')
    assert first.policy.prefer is second.policy.prefer is Modality.DEPTH
    assert second.policy.name == 'prefer depth'
    assert (first.inference_time, first.memory_mb, first.engine) == (15.0, 0, 'onnxruntime')


def test_severities_multiply_the_scenarios_but_not_the_clean_run(tmp_path):
    text = 'bags: [hall]\nscenarios: [clean, fog_bank]\nseverities: [1, 5]'
    jobs = plan(tmp_path, text).jobs()
    assert [(job.scenario_name, job.severity) for job in jobs] == [
        ('clean', None), ('fog_bank', 1), ('fog_bank', 5)
    ]  # fmt: skip
    assert {fault.parameters['severity'] for fault in jobs[2].scenario.faults} == {5}


def test_a_severity_goes_before_a_measure_that_was_given(tmp_path):
    file = tmp_path / 'fog.yaml'
    file.write_text('faults: [{sensor: rgb, kind: fog, from: 1, visibility_m: 50}]')
    (fault,) = with_severity(load_scenario(file), 4).faults
    assert (fault.parameters['severity'], fault.parameters['visibility_m']) == (4, 0)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('bag: [hall]', "did you mean 'bags'"),
        ('bags: []', 'at least one entry'),
        ('bags: hall', 'a list'),
        ('bags: [7]', 'bags, entry 1'),
        ('bags: [{path: x, topic: {}}]', "did you mean 'topics'"),
        ('bags: [{path: x, topics: {color: /a}}]', 'known are: rgb, depth, label'),
        ('bags: [a/hall, b/hall]', "2 entries are called 'hall'"),
        ('bags: [a]\nscenarios: [camera_blakout]', "did you mean 'camera_blackout'"),
        ('bags: [a]\nscenarios: [camera_blakout]', 'yaml: scenarios, entry 1: there is no'),
        ('bags: [a]\nscenarios: [clean, {a: 1}]', 'yaml: scenarios, entry 2 is'),
        ('bags: [a]\nscenarios: some', "'all' or a list"),
        ('bags: [a]\nscenarios: [clean, clean]', "2 scenarios are called 'clean'"),
        ('bags: [a]\npolicies: [prefers]', 'policies, entry 1: policy is'),
        ('bags: [a]\npolicies: [{prefer: lidar}]', 'known are: rgb, depth'),
        ('bags: [a]\npolicies: [{whennone: void}]', "did you mean 'when_none'"),
        ('bags: [a]\nseverities: [0]', 'from 1'),
        ('bags: [a]\nseverities: [1, 1]', 'different'),
        ('bags: [a]\ninference_time: soon', "'measured'"),
        ('bags: [a]\nmemory_mb: lots', 'megabytes'),
        ('bags: [a]\nengine: openvno', "did you mean 'openvino'"),
        ('bags: [a]\nbundles: [{path: n, precision: int4}]', 'bundles, entry 1: the precision'),
        ('bags: [a]\nbundles: [{path: n, resolution: wide}]', 'bundles, entry 1: '),
        ('[1, 2]', 'a mapping'),
        ('{', 'cannot be read'),
    ],
)
def test_what_is_wrong_with_a_plan_is_said_before_anything_runs(tmp_path, text, expected):
    with pytest.raises(UsageError) as error:
        plan(tmp_path, text)
    assert expected in str(error.value)
    assert '\n' not in str(error.value)


def test_one_bundle_may_be_there_with_several_of_its_networks(tmp_path):
    read = plan(
        tmp_path,
        'bags: [hall]\nscenarios: [clean]\n'
        'bundles: [net, {path: net, precision: int8}, {path: net, resolution: 192x256}]',
    )
    jobs = read.jobs()
    assert [job.bundle.name for job in jobs] == ['net', 'net int8', 'net 192x256']
    assert [job.bundle.precision for job in jobs] == ['float32', 'int8', 'float32']
    assert [job.bundle.resolution for job in jobs] == [None, None, (192, 256)]
    digests = {job.identity().rsplit('--')[-1] for job in jobs}
    assert len(digests) == 3


def test_a_plan_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match='cannot be read'):
        load_plan(tmp_path / 'none.yaml', BUNDLE)


def test_a_job_gets_another_name_when_its_result_may_change(tmp_path):
    text = 'bags: [hall]\nscenarios: [mine.yaml]\nbundles: [net]'
    scenario, bag, net = tmp_path / 'mine.yaml', tmp_path / 'hall', tmp_path / 'net'
    net.mkdir()

    def name(**changes: str) -> str:
        for file, content in changes.items():
            {'scenario': scenario, 'bag': bag, 'net': net / 'model.yaml'}[file].write_text(content)
        (job,) = plan(tmp_path, text).jobs()
        return job.identity()

    names = [
        name(scenario='faults: [{sensor: rgb, kind: drop, from: 1}]'),
        name(scenario='faults: [{sensor: rgb, kind: drop, from: 2}]'),
        name(bag='recorded'),
        name(net='name: first'),
        name(net='name: second'),
    ]
    assert len(set(names)) == 5
    assert name() == names[-1]
    assert names[0].startswith('hall--net--prefer--mine--')

"""The command line as its users and their scripts see it."""

import errno
import importlib.util
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_bag import LABELS, write_small_bag
from small_data_set import write_small_data_set
from tiny_bundle import make_tiny_bundle

import crodino_core
from crodino_core.learning.data.folder_writer import RgbdFolderWriter
from crodino_ros import cli, replay_run
from crodino_ros.commands import data, failures, options
from crodino_ros.mask_bag import MaskBagWriter


@pytest.fixture(scope='module')
def bundle(tmp_path_factory):
    """Folder of a bundle of two classes."""
    return make_tiny_bundle(tmp_path_factory.mktemp('bundle') / 'tiny').path


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Folder of a bag of three seconds."""
    path = tmp_path_factory.mktemp('bag') / 'walk'
    write_small_bag(path, frames=30)
    return path


@pytest.fixture
def crodino(monkeypatch, capsys, tmp_path):
    """Run the command line in an empty folder; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['crodino', *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
            raise SystemExit(0)
        captured = capsys.readouterr()
        return stop.value.code or 0, captured.out, captured.err

    return run


def assert_one_line(text):
    """An error is one line of ours, not a traceback."""
    lines = [line for line in text.splitlines() if line.startswith('crodino:')]
    assert len(lines) == 1, text
    assert 'Traceback' not in text
    return lines[0]


def test_the_version_is_that_of_the_package(crodino):
    code, out, _ = crodino('--version')
    assert (code, out.strip()) == (0, f'crodino_ros {crodino_core.__version__}')


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [
        (['train', '--model', 'indoor'], 'bench train has no use for --model; it reads --config'),
        (['replay', '--rounds', '3', '--width', '640'], 'no use for --rounds, --width'),
        (['--frames', '60'], 'bench without a part has no use for --frames'),
    ],
)
def test_bench_refuses_what_a_part_would_not_look_at(crodino, arguments, named):
    code, _, err = crodino('bench', *arguments)
    assert code == 2
    assert named in assert_one_line(err)


@pytest.mark.parametrize('form', [(), ('--json',)])
def test_a_replay_says_which_engines_were_passed_over_and_why(
    crodino, bag, bundle, monkeypatch, form
):
    hide(monkeypatch, 'openvino')
    code, out, err = crodino('replay', bag, '--model', bundle, '--out', 'run', *form)
    assert code == 0
    assert 'openvino was passed over: ' in err and 'pip install openvino' in err
    report = json.loads(Path('run', 'report.json').read_text())
    assert report['engine'].startswith('onnxruntime 1.') and report['device']
    assert 'openvino' in report['engines_passed_over']
    if form:
        assert json.loads(out)['engines_passed_over'] == report['engines_passed_over']


@pytest.mark.parametrize('there', [True, False])
def test_engines_for_gpus_are_missed_only_where_there_is_one(monkeypatch, capsys, there):
    monkeypatch.setattr(options, '_has_gpu', lambda: there)
    options.say_passed_over({'tensorrt': 'no library', 'openvino': 'broken'})
    err = capsys.readouterr().err
    assert ('tensorrt was passed over: no library' in err) is there
    assert 'openvino was passed over: broken' in err


def test_scores_name_the_engine_and_those_that_were_passed_over(
    crodino, bundle, monkeypatch, tmp_path
):
    hide(monkeypatch, 'openvino')
    data = write_small_data_set(tmp_path / 'data', classes=('background', 'thing'))
    code, out, err = crodino('evaluate', '--model', bundle, '--data', data)
    assert code == 0, err
    assert 'openvino was passed over: ' in err
    assert 'engine: onnxruntime 1.' in out


def hide(monkeypatch, library):
    """Have a library not installed."""
    installed = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name, *of: None if name == library else installed(name)
    )


def test_json_is_one_object_on_stdout_with_the_promised_keys(crodino, bag, bundle):
    code, out, _ = crodino(
        'replay', bag, '--model', bundle, '--scenario', 'camera_blackout', '--json'
    )
    assert code == 0
    summary = json.loads(out)
    promised = {
        'frames', 'masks', 'availability', 'masks_lost', 'stale_masks', 'max_gap_s', 'failovers',
        'time_to_detect_s', 'time_to_recover_s', 'false_switches', 'miou', 'miou_by_phase',
        'latency_ms', 'engine',
    }  # fmt: skip
    assert promised <= set(summary)
    assert summary['frames'] == {'rgb': 30, 'depth': 30}
    assert summary['masks_lost'] == 0
    assert [f['to'] for f in summary['failovers']] == ['depth', 'rgb']
    assert {'p50', 'p95', 'p99'} <= set(summary['latency_ms'])


def test_a_bundle_is_not_calibrated_with_other_classes(crodino, bundle, tmp_path):
    write_small_data_set(tmp_path / 'data')
    before = (bundle / 'model.yaml').read_bytes()
    code, _, err = crodino('calibrate', '--data', 'data', '--model', bundle, '--scenes', 0)
    assert code == 1
    assert 'those of the bundle' in assert_one_line(err)
    assert (bundle / 'model.yaml').read_bytes() == before


def test_exact_means_float32_on_the_command_line_too(crodino, bag, bundle, monkeypatch):
    given, load = [], replay_run.load_engines

    def note_and_load(*arguments, **options):
        given.append(options['exact'])  # a processor without bfloat16 would not show it
        return load(*arguments, **options)

    monkeypatch.setattr(replay_run, 'load_engines', note_and_load)
    chosen = ['--model', bundle, '--engine', 'openvino']
    code, out, _ = crodino('replay', bag, *chosen, '--exact', '--json')
    assert code == 0 and given == [True]
    assert json.loads(out)['device'].endswith(', f32)')


@pytest.mark.parametrize(
    'arguments',
    [
        ['replay', 'walk', '--out', ''],
        ['demo', '--out', ' '],
        ['train', 'my.yaml', '--out', ''],
        ['export', 'runs/a', '--out', ''],
        ['evaluate-failures', 'plan.yaml', '--out', ''],
        ['data', 'from-bag', 'walk', ''],
    ],
    ids=' '.join,
)
def test_an_empty_path_to_write_to_is_refused_and_not_taken_for_the_working_folder(
    crodino, tmp_path, arguments
):
    code, _, error = crodino(*arguments)
    assert code == 2
    assert 'the path is empty' in error
    assert not list(tmp_path.iterdir())


def test_a_replay_leaves_report_and_masks_in_a_folder_named_after_bag_and_scenario(
    crodino, bag, bundle, tmp_path
):
    code, out, _ = crodino('replay', bag, '--model', bundle, '--scenario', 'camera_black')
    assert code == 0
    folder = tmp_path / 'walk-camera_black'
    assert {path.name for path in folder.iterdir()} == {
        'report.html', 'report.json', 'report.md', 'masks'
    }  # fmt: skip
    assert (folder / 'masks' / 'metadata.yaml').is_file()
    assert 'report.html' in out


def test_a_model_may_be_given_by_the_name_it_ships_under(crodino, bag, bundle, monkeypatch):
    share = bundle.parent / 'share'
    (share / 'models').mkdir(parents=True)
    (share / 'models' / 'tiny').symlink_to(bundle)
    monkeypatch.setattr('crodino_core.resources.share_directory', lambda: share)
    code, out, _ = crodino('replay', bag, '--model', 'tiny', '--json')
    assert code == 0 and json.loads(out)['masks'] > 0


def test_without_a_scenario_nothing_switches(crodino, bag, bundle):
    _, out, _ = crodino('replay', bag, '--model', bundle, '--json')
    summary = json.loads(out)
    assert summary['failovers'] == []
    assert summary['masks'] == summary['expected_masks'] == 30


def not_a_bag(folder):
    (folder / 'notes.txt').write_text('hello')
    return folder / 'notes.txt'


def missing_network(folder):
    path = make_tiny_bundle(folder / 'broken').path
    (path / 'depth.onnx').unlink()
    return path


def replaced_network(folder):
    path = make_tiny_bundle(folder / 'replaced').path
    with (path / 'rgb.onnx').open('ab') as stream:
        stream.write(b'x')
    return path


@pytest.mark.parametrize(
    ('bad', 'expected'),
    [
        ({'bag': not_a_bag}, 'notes.txt'),
        ({'bag': lambda folder: folder / 'nowhere'}, 'nowhere'),
        ({'model': missing_network}, 'depth.onnx'),
        ({'model': replaced_network}, 'sha256'),
        ({'model': lambda folder: folder}, 'model.yaml'),
    ],
    ids=['a text file', 'no file', 'a missing network', 'a replaced network', 'no bundle'],
)
def test_bad_files_get_one_line_and_leave_nothing_behind(
    crodino, bag, bundle, tmp_path, tmp_path_factory, bad, expected
):
    elsewhere = tmp_path_factory.mktemp('bad')
    paths = {key: make(elsewhere) for key, make in bad.items()}
    code, out, err = crodino(
        'replay', paths.get('bag', bag), '--model', paths.get('model', bundle), '--json'
    )
    assert code == 1
    assert out == ''
    assert expected in assert_one_line(err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('option', 'value', 'expected'),
    [
        ('--scenario', 'camera_blakout', 'camera_blackout'),
        ('--engine', 'tensorflow', 'openvino'),
        ('--policy', 'best-of-three', 'prefer'),
        ('--topics', 'colour=/image', 'rgb'),
        ('--topics', 'rgb=/camera/aligned_depth_to_color/image_raw', 'both rgb and depth'),
        ('--scenario', '', 'camera_blackout'),
        ('--inference-time', '1e99', '60000'),
    ],
)
def test_wrong_options_name_what_would_be_right_and_exit_with_2(
    crodino, bag, bundle, tmp_path, option, value, expected
):
    code, out, err = crodino('replay', bag, '--model', bundle, option, value)
    assert code == 2
    assert out == ''
    assert expected in assert_one_line(err)
    assert list(tmp_path.iterdir()) == []


def test_topics_that_are_not_in_the_bag_are_answered_with_those_that_are(crodino, bag, bundle):
    code, _, err = crodino('replay', bag, '--model', bundle, '--topics', 'rgb=/left/image')
    assert code == 1
    line = assert_one_line(err)
    assert '/left/image' in line
    assert 'sensor_msgs/msg/Image' in line


def test_masks_never_replace_a_bag_that_no_replay_has_made(crodino, bag, bundle, tmp_path):
    mine = tmp_path / 'out' / 'masks'
    shutil.copytree(bag, mine)
    code, _, err = crodino('replay', bag, '--model', bundle, '--out', 'out')
    assert code == 1
    assert 'name a new folder' in assert_one_line(err)
    code, _, err = crodino('replay', mine, '--model', bundle, '--out', 'out')
    assert code == 2
    assert 'the bag itself' in assert_one_line(err)
    assert {file.name for file in mine.iterdir()} == {file.name for file in bag.iterdir()}
    shutil.rmtree(mine)
    for _ in range(2):  # an earlier result may be replaced
        assert crodino('replay', bag, '--model', bundle, '--out', 'out')[0] == 0


def test_a_folder_that_cannot_be_made_is_one_line_before_the_work(crodino, bag, bundle, tmp_path):
    (tmp_path / 'file').write_text('')
    for out in ('file', 'file/below'):
        code, _, err = crodino('replay', bag, '--model', bundle, '--out', out)
        assert code == 1
        assert 'name another with --out' in assert_one_line(err)


def test_a_disk_that_is_full_is_one_line_and_leaves_no_half_report(
    crodino, bag, bundle, tmp_path, monkeypatch
):
    crodino('replay', bag, '--model', bundle, '--out', 'out')
    for file in (tmp_path / 'out').glob('report.*'):
        file.unlink()
    monkeypatch.setattr(os, 'fdopen', lambda descriptor, mode: open('/dev/full', mode))  # noqa: SIM115
    code, _, err = crodino('replay', bag, '--model', bundle, '--out', 'out')
    assert code == 1
    line = assert_one_line(err)
    assert 'out/report.' in line and 'No space left' in line
    assert [file.name for file in (tmp_path / 'out').iterdir()] == ['masks']


def test_a_disk_that_fills_up_under_the_masks_is_one_line_and_leaves_the_earlier_ones(
    crodino, bag, bundle, tmp_path, monkeypatch
):
    crodino('replay', bag, '--model', bundle, '--out', 'out')
    earlier = {f: f.read_bytes() for f in (tmp_path / 'out').rglob('*') if f.is_file()}

    def no_room(self, segmentation, now):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as of `write`: without a name

    monkeypatch.setattr(MaskBagWriter, 'write', no_room)
    code, _, err = crodino('replay', bag, '--model', bundle, '--out', 'out')
    assert code == 1
    assert 'No space left' in assert_one_line(err)
    assert {f: f.read_bytes() for f in (tmp_path / 'out').rglob('*') if f.is_file()} == earlier


def test_an_engine_that_is_not_installed_is_named_with_the_way_to_install_it(
    crodino, bag, bundle, monkeypatch
):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: None if name == 'onnxruntime' else find(name)
    )
    code, _, err = crodino('replay', bag, '--model', bundle, '--engine', 'onnxruntime')
    assert code == 1
    assert 'pip install onnxruntime' in assert_one_line(err)


def test_a_truncated_bag_is_used_as_far_as_it_goes_and_the_loss_is_said(
    crodino, bundle, tmp_path_factory
):
    folder = tmp_path_factory.mktemp('cut')
    bag = write_small_bag(folder / 'whole', frames=40, size=(96, 160))
    cut = folder / 'cut.mcap'
    whole = next(bag.glob('*.mcap')).read_bytes()
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    code, out, err = crodino('replay', cut, '--model', bundle, '--json')
    assert code == 0, err
    assert 0 < json.loads(out)['masks'] < 40
    assert 'warning' in err


def test_an_unknown_key_in_a_training_configuration_names_the_nearest(crodino, tmp_path):
    pytest.importorskip('torch')
    config = tmp_path / 'run.yaml'
    config.write_text(
        'name: x\ndata: {sources: [{kind: folder, path: a}], validation: {path: a}}\n'
        'optimiser: {stepz: 3}\n'
    )
    code, _, err = crodino('train', config)
    assert code == 2
    assert 'did you mean optimiser.steps' in assert_one_line(err)


def test_export_of_a_folder_that_is_no_run_says_what_a_run_has(crodino, tmp_path):
    pytest.importorskip('torch')
    code, _, err = crodino('export', tmp_path, '--out', tmp_path / 'bundle')
    assert code == 1
    assert 'best_rgb.pt' in assert_one_line(err)
    assert not (tmp_path / 'bundle').exists()


# -- scenarios -------------------------------------------------------------------------------


def test_scenarios_are_listed_and_shown(crodino, bag):
    _, out, _ = crodino('scenario', 'list')
    assert 'camera_blackout' in out and 'fog_bank' in out
    _, out, _ = crodino('scenario', 'show', 'camera_blackout')
    assert 'rgb drop' in out and '%' in out
    _, out, _ = crodino('scenario', 'show', 'camera_blackout', '--bag', bag)
    assert '%' not in out and ' s to ' in out


def test_scenarios_are_data_too(crodino):
    _, out, _ = crodino('scenario', 'list', '--json')
    names = json.loads(out)['scenarios']
    assert len(names) >= 15
    for name in names:
        _, out, _ = crodino('scenario', 'show', name, '--json')
        assert json.loads(out)['faults']
    code, out, _ = crodino('scenario', 'check', *names, '--json')
    assert code == 0
    assert set(json.loads(out)['checked']) == set(names)


def test_a_scenario_is_checked_without_a_replay(crodino, bag, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text('faults: [{sensor: rgb, kind: drop, from: 1, to: 60}]')
    code, out, err = crodino('scenario', 'check', file, '--bag', bag)
    assert (code, out.strip()) == (0, f'{file}: 1 fault, all well')
    assert 'ends with the recording' in err
    file.write_text('faults: [{sensor: rgb, kind: drop, from: 1, severity: 6}]')
    code, _, err = crodino('scenario', 'check', file)
    assert code == 2
    assert 'from 1 (slight) to 5 (worst)' in assert_one_line(err)


# -- failure plans ---------------------------------------------------------------------------


def write_plan(folder, bag, bundle, more=''):
    plan = folder / 'plan.yaml'
    plan.write_text(
        f'bags: [{{path: {bag}, name: walk}}{more}]\n'
        f'scenarios: [clean, camera_blackout]\nbundles: [{bundle}]\n'
    )
    return plan


def test_a_plan_is_worked_off_and_the_best_is_named(crodino, bag, bundle, tmp_path):
    plan = write_plan(tmp_path, bag, bundle)
    code, out, err = crodino('evaluate-failures', plan, '--workers', 1, '--json')
    assert code == 0, err
    found = json.loads(out)
    assert found['jobs'] == 2 and found['failed'] == []
    assert found['leaderboard'][0]['masks_lost'] == 0
    rows = (tmp_path / 'plan' / 'results.csv').read_text().splitlines()
    assert len(rows) == 3 and rows[2].startswith('walk,tiny,prefer,camera_blackout,,done,')
    code, out, _ = crodino('evaluate-failures', plan, '--workers', 1)
    assert code == 0 and 'leaderboard' in out


def test_a_plan_with_a_bag_that_is_not_there_does_the_rest_and_says_so(
    crodino, bag, bundle, tmp_path
):
    plan = write_plan(tmp_path, bag, bundle, more=', nowhere')
    code, out, err = crodino('evaluate-failures', plan, '--workers', 1, '--json')
    assert code == 1
    assert len(json.loads(out)['failed']) == 2
    assert '2 of 4 jobs failed' in assert_one_line(err)
    assert 'nowhere' in assert_one_line(err)


def test_a_plan_that_is_stopped_says_how_to_go_on(crodino, bag, bundle, tmp_path, monkeypatch):
    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(failures, 'run_matrix', stop)
    code, out, err = crodino('evaluate-failures', write_plan(tmp_path, bag, bundle))
    assert (code, out) == (130, '')
    assert 'run it again to go on' in err and 'Traceback' not in err


def test_a_plan_with_an_unknown_key_runs_nothing(crodino, bag, bundle, tmp_path):
    plan = write_plan(tmp_path, bag, bundle)
    plan.write_text(plan.read_text() + 'policy: [prefer]\n')
    code, _, err = crodino('evaluate-failures', plan)
    assert code == 2
    assert "did you mean 'policies'" in assert_one_line(err)
    assert not (tmp_path / 'plan').exists()


def test_an_inference_time_is_an_option_of_replay(crodino, bag, bundle):
    code, out, _ = crodino('replay', bag, '--model', bundle, '--inference-time', '20', '--json')
    assert code == 0
    assert json.loads(out)['latency_ms']['p99'] == 20.0
    code, _, err = crodino('replay', bag, '--model', bundle, '--inference-time', 'soon')
    assert code == 2
    assert 'measured' in assert_one_line(err)


def test_a_labelled_bag_becomes_a_data_set_that_passes_the_check(crodino, bag, tmp_path):
    code, out, _ = crodino('data', 'from-bag', bag, 'new', '--every', '10', '--split', 'val')

    assert code == 0 and 'new: val 3 frames' in out
    assert 'left: 27 labelled frames by --every' in out and 'crodino data check new' in out
    assert crodino('data', 'check', tmp_path / 'new')[0] == 0


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (['from-bag', 'no_bag', 'new'], (1, 'there is no bag no_bag')),
        (['import', 'potsdam', '.', 'new'], (1, 'top_potsdam_2_10_RGB.tif')),
        (['import', 'potsdam', '.', 'new', '--val', '9_9'], (2, '9_9')),
        (['import', 'midair', '.', 'new'], (1, 'color_left/trajectory_NNNN')),
        (['import', 'nyudepth', '.', 'new', '--classes', '37'], (2, '40 and 13')),
    ],
)
def test_a_source_that_cannot_be_converted_is_one_line(crodino, tmp_path, arguments, expected):
    code, _, err = crodino('data', *arguments)

    assert code == expected[0]
    assert expected[1] in assert_one_line(err)
    assert list(tmp_path.iterdir()) == []


def test_a_precision_that_the_bundle_lacks_is_answered_with_those_it_has(crodino, bag, bundle):
    code, _, err = crodino('replay', bag, '--model', bundle, '--precision', 'int8')
    assert code == 1
    assert 'has no int8 networks' in assert_one_line(err)
    assert 'it has float32 24x32' in err
    code, _, err = crodino('replay', bag, '--model', bundle, '--resolution', 'small')
    assert code == 2
    assert 'HEIGHTxWIDTH' in assert_one_line(err)


def test_a_replay_that_is_terminated_leaves_nothing_behind(
    crodino, bag, bundle, monkeypatch, tmp_path
):
    def be_terminated(*arguments, **options):
        assert list((tmp_path / 'out').iterdir())  # what is being written
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr('crodino_ros.replay_run.replay_with', be_terminated)
    before = signal.getsignal(signal.SIGTERM)

    code, _, _ = crodino('replay', bag, '--model', bundle, '--out', 'out')

    assert code == 143
    assert not (tmp_path / 'out').exists()
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_check_shows_no_figure_where_nothing_was_measured(crodino, tmp_path):
    folder = write_small_data_set(tmp_path / 'data')
    splits = json.loads((folder / 'splits.json').read_text())
    (folder / 'splits.json').write_text(json.dumps(splits | {'test': []}))
    for number in (4, 5):
        path = str(folder / f'room/depth/{number:04d}.png')
        cv2.imwrite(path, np.zeros((64, 96), np.uint16))

    _, out, _ = crodino('data', 'check', folder)

    rows = {row.split('│')[1].strip(): row.split('│')[2:-1] for row in out.splitlines()
            if row.startswith('│')}  # fmt: skip
    cells = {name: [cell.strip() for cell in row] for name, row in rows.items()}
    assert cells['frames'] == ['4', '2', '0']
    assert cells['depth median, m'] == ['3.05', '-', '-']
    assert cells['without depth %'] == ['2.1', '100.0', '-']
    assert cells['box %'][2] == '-'


def test_a_data_set_ended_by_a_service_manager_leaves_no_temporary_folder(
    crodino, bag, tmp_path, monkeypatch
):
    def end(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(RgbdFolderWriter, 'add', end)
    before = signal.getsignal(signal.SIGTERM)
    code, _, _ = crodino('data', 'from-bag', bag, 'data')
    assert code == 128 + signal.SIGTERM
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize('importer', ['nyudepth', 'potsdam', 'midair'])
def test_an_import_is_ended_by_a_service_manager_as_by_ctrl_c(
    crodino, tmp_path, monkeypatch, importer
):
    def end(*_):
        with RgbdFolderWriter('data', LABELS, ''):
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(data, f'import_{importer}', end)
    code, _, _ = crodino('data', 'import', importer, 'source', 'data')
    assert code == 128 + signal.SIGTERM
    assert not list(tmp_path.iterdir())


@pytest.fixture
def same_classes(tmp_path, bundle):
    """Folder of a data set with the classes of the tiny bundle."""
    folder = write_small_data_set(tmp_path / 'data')
    shutil.copyfile(bundle / 'model.yaml', folder / 'classes.yaml')
    for path in folder.glob('*/label/*.png'):
        cv2.imwrite(str(path), np.minimum(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), 1))
    return folder


def test_evaluate_fuses_a_damaged_sensor_with_the_whole_one_if_asked(
    crodino, bundle, same_classes
):
    options = ('--model', bundle, '--data', same_classes, '--protocol', 'nm')

    code, out, err = crodino('evaluate', *options, '--policy', 'average', '--seed', 3, '--json')
    assert code == 0, err
    report = json.loads(out)
    assert (report['policy'], report['seed']) == ('average', 3)
    assert {'rgb low', 'rgb low full', 'depth high full'} <= set(report['scores'])

    code, out, _ = crodino('evaluate', *options, '--policy', 'average')
    assert code == 0
    assert out.count('policy average') == 2  # two tables of six states
    assert 'miou depth full: ' in out

    code, _, err = crodino('evaluate', *options, '--policy', 'prefer')
    assert code == 2
    assert 'makes no difference in the protocol nm' in assert_one_line(err)


def test_evaluate_serves_the_sensor_that_is_preferred(crodino, bundle, same_classes):
    options = ('evaluate', '--model', bundle, '--data', same_classes, '--json')

    code, out, err = crodino(*options, '--protocol', 'emm', '--prefer', 'depth')
    assert code == 0, err
    report = json.loads(out)
    assert report['policy'] == 'prefer depth'
    assert report['scores']['full'] == report['scores']['depth'] != report['scores']['rgb']

    code, _, err = crodino(*options, '--prefer', 'depth')
    assert code == 2
    assert 'the protocol clean' in assert_one_line(err)

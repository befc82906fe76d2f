"""`crodino export` on a bundle: fp16 and int8 networks, measured before they are kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from layered_bundle import make_layered_bundle
from small_bag import write_small_bag
from small_data_set import write_small_data_set

from crodino_core.bundle import ModelBundle
from crodino_core.learning import quantize
from crodino_core.modality import Modality
from crodino_ros import cli
from crodino_ros.calibration_frames import calibration_frames


@pytest.fixture
def bundle(tmp_path: Path) -> ModelBundle:
    return make_layered_bundle(tmp_path / 'layered')


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_small_data_set(tmp_path / 'rooms')


@pytest.fixture
def export(monkeypatch, capsys, bundle):
    """Run `crodino export BUNDLE ...`; return exit code and stderr."""

    def run(*arguments: object, source: Path = bundle.path) -> tuple[int, str]:
        monkeypatch.setattr(sys, 'argv', ['crodino', 'export', str(source), *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
            raise SystemExit(0)
        return int(stop.value.code or 0), capsys.readouterr().err

    return run


def test_fp16_networks_are_added_with_their_agreement(export, bundle):
    assert export('--fp16')[0] == 0
    added = ModelBundle.load(bundle.path, 'fp16')
    assert added.onnx_path(Modality.DEPTH).name == 'depth.fp16.onnx'
    assert min(added.variants[0].facts['agreement'].values()) > 0.99


def test_int8_networks_are_added_with_what_they_cost(export, bundle, data):
    assert export('--int8', '--calibrate', data, '--frames', 3)[0] == 0
    (variant,) = ModelBundle.load(bundle.path).variants
    assert variant.precision == 'int8'
    assert variant.facts['calibration'] == {
        'data': 'rooms train',
        'frames': {'rgb': 3, 'depth': 3},
    }
    assert variant.facts['convolutions_in_float32']['rgb'] == '1 of 5'
    miou = variant.facts['miou']
    assert miou['data'] == 'rooms test'
    for m in map(str, Modality):
        assert miou[m]['before'] > 30
        assert miou[m]['before'] - miou[m]['after'] <= 1


def test_each_resolution_gets_its_own_int8_networks(export, bundle, data):
    files = {m: bundle.onnx_path(m) for m in Modality}
    bundle.with_variant('float32', files, (48, 64))
    assert export('--int8', '--calibrate', data)[0] == 0
    for size in ((24, 32), (48, 64)):
        assert ModelBundle.load(bundle.path, 'int8', size).precision == 'int8'


def test_a_loss_above_the_limit_is_refused_and_nothing_is_written(
    export, bundle, data, monkeypatch
):
    monkeypatch.setattr(quantize, 'REQUIRED_SNR_DB', float('-inf'))  # spares no layer
    before = {path: path.read_bytes() for path in bundle.path.iterdir()}
    code, error = export('--int8', '--calibrate', data, '--max-loss', 2)
    assert code == 1
    assert 'int8 costs the rgb network' in error
    assert 'more than the 2 allowed; nothing was written' in error
    assert {path: path.read_bytes() for path in bundle.path.iterdir()} == before
    assert [path.name for path in bundle.path.parent.iterdir() if path.name[0] == '.'] == []


def test_a_loss_below_the_limit_is_accepted(export, bundle, data, monkeypatch):
    monkeypatch.setattr(quantize, 'REQUIRED_SNR_DB', float('-inf'))
    assert export('--int8', '--calibrate', data, '--max-loss', 100)[0] == 0
    miou = ModelBundle.load(bundle.path).variants[0].facts['miou']['rgb']
    assert miou['before'] - miou['after'] > 2


def test_a_bag_calibrates_without_labels_and_the_loss_is_then_unknown(export, bundle, tmp_path):
    write_small_bag(tmp_path / 'walk', frames=6)
    code, error = export('--int8', '--calibrate', tmp_path / 'walk')
    assert code == 0
    assert 'the loss of mIoU is not measured' in error
    facts = ModelBundle.load(bundle.path).variants[0].facts
    assert facts['calibration'] == {'data': 'walk', 'frames': {'rgb': 6, 'depth': 6}}
    assert 'miou' not in facts


def test_a_bag_calibrates_and_a_data_set_judges(export, bundle, tmp_path, data):
    write_small_bag(tmp_path / 'walk', frames=6)
    limit = ('--max-loss', 100)
    assert export('--int8', '--calibrate', tmp_path / 'walk', '--data', data, *limit)[0] == 0
    facts = ModelBundle.load(bundle.path).variants[0].facts
    assert (facts['calibration']['data'], facts['miou']['data']) == ('walk', 'rooms test')


def test_a_limit_without_labels_to_measure_it_is_a_wrong_usage(export, tmp_path):
    write_small_bag(tmp_path / 'walk', frames=3)
    code, error = export('--int8', '--calibrate', tmp_path / 'walk', '--max-loss', 1)
    assert code == 2
    assert 'no labels to measure the loss with; name labelled data: --data' in error


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((), '--fp16 or --int8 was expected'),
        (('--int8',), 'int8 needs calibration frames'),
        (('--fp16', '--calibrate', 'somewhere'), 'add --int8'),
        (('--fp16', '--max-loss', 1), 'add --int8'),
        (('--fp16', '--out', 'elsewhere'), 'is a bundle: precisions are added in place'),
        (('--fp16', '--resolution', '48x64'), 'made of the training run'),
    ],
)
def test_options_that_make_no_sense_together_are_a_wrong_usage(export, arguments, message):
    code, error = export(*arguments)
    assert code == 2
    assert message in error


def test_a_run_without_a_name_for_the_bundle_is_a_wrong_usage(export, tmp_path):
    code, error = export(source=tmp_path)
    assert code == 2
    assert '--out DIR' in error


def test_a_calibration_folder_that_is_not_there_is_named(export, tmp_path):
    code, error = export('--int8', '--calibrate', tmp_path / 'nowhere')
    assert code == 1
    assert 'nowhere does not exist; a data set folder or a bag was expected' in error


def test_a_calibration_folder_without_depth_is_named(export, data):
    for path in (data / 'room' / 'depth').iterdir():
        path.unlink()
    code, error = export('--int8', '--calibrate', data)
    assert code == 1
    assert 'depth/0000.png does not exist' in error


def test_a_calibration_folder_whose_depth_is_all_invalid_is_refused(export, data):
    for path in (data / 'room' / 'depth').iterdir():
        cv2.imwrite(str(path), np.zeros((64, 96), np.uint16))
    code, error = export('--int8', '--calibrate', data)
    assert code == 1
    assert 'has no depth frames that can be segmented' in error


def test_a_calibration_folder_without_a_training_split_says_what_it_has(export, data):
    splits = json.loads((data / 'splits.json').read_text()) | {'train': []}
    (data / 'splits.json').write_text(json.dumps(splits))
    code, error = export('--int8', '--calibrate', data)
    assert code == 1
    assert "no frames in a split 'train'" in error


def test_calibration_frames_are_spread_over_the_whole_recording(bundle, tmp_path):
    write_small_bag(tmp_path / 'walk', frames=9)
    every = calibration_frames(tmp_path / 'walk', bundle, 100)
    few = calibration_frames(tmp_path / 'walk', bundle, 3)
    for m in Modality:
        assert (len(every[m]), len(few[m])) == (9, 3)
        for found, index in zip(few[m], (0, 3, 6), strict=True):
            np.testing.assert_array_equal(found, every[m][index])

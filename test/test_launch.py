"""The launch files, where ROS 2 is installed."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('launch_ros')
pytest.importorskip('rclpy')

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch.actions import DeclareLaunchArgument
from launch.launch_description_sources import get_launch_description_from_python_launch_file
from small_bag import write_small_bag

from crodino_ros.segment_settings import CHOICES
from launch import LaunchContext

ROOT = Path(__file__).resolve().parents[1]
LAUNCH_TESTS = sorted((ROOT / 'test' / 'launch').glob('*_launch.py'))
LAUNCH_FILES = sorted(path.name for path in (ROOT / 'launch').glob('*.launch.py'))


def is_installed() -> bool:
    try:
        get_package_share_directory('crodino_ros')
    except PackageNotFoundError:
        return False
    return True


needs_installation = pytest.mark.skipif(
    not is_installed(), reason='crodino_ros is not in the ament index: build it with colcon'
)


@pytest.mark.parametrize('name', LAUNCH_FILES)
def test_every_argument_of_a_launch_file_is_described(name):
    description = get_launch_description_from_python_launch_file(str(ROOT / 'launch' / name))
    arguments = [e for e in description.entities if isinstance(e, DeclareLaunchArgument)]
    assert arguments
    assert all(len(argument.description) > 10 for argument in arguments)


def test_the_arguments_are_those_of_the_conventions():
    file = ROOT / 'launch' / 'segment.launch.py'
    description = get_launch_description_from_python_launch_file(str(file))
    names = {each.name for each in description.get_launch_arguments()}
    assert names >= {
        *('namespace', 'use_sim_time', 'params_file', 'model', 'engine'),
        *('autostart', 'log_level', 'use_respawn', 'color_topic', 'depth_topic'),
    }


@pytest.mark.parametrize('name', LAUNCH_FILES)
def test_a_launch_file_offers_what_the_node_takes(name):
    description = get_launch_description_from_python_launch_file(str(ROOT / 'launch' / name))
    arguments = {a.name: a for a in description.entities if isinstance(a, DeclareLaunchArgument)}
    assert 'engine' in arguments
    for parameter, choices in CHOICES.items():
        if parameter in arguments:
            offered = [each for each in arguments[parameter].choices or () if each]
            assert offered == choices, parameter


@pytest.fixture
def made(monkeypatch):
    """Processes that the `start` of a launch file makes, as their options; nothing runs."""

    def start(name: str, **given: str) -> list[dict]:
        file, options = ROOT / 'launch' / name, []
        start = runpy.run_path(str(file))['start']
        scope = start.__globals__

        def noting(kind):
            return lambda **given: options.append(given) or kind(**given)

        for kind in ('Node', 'ExecuteProcess'):
            if kind in scope:
                monkeypatch.setitem(scope, kind, noting(scope[kind]))
        if 'get_package_share_directory' in scope:
            monkeypatch.setitem(scope, 'get_package_share_directory', lambda name: str(ROOT))
        context = LaunchContext()
        description = get_launch_description_from_python_launch_file(str(file))
        for argument in description.get_launch_arguments():
            default = argument.default_value
            context.launch_configurations[argument.name] = default[0].text if default else ''
        context.launch_configurations.update(given)
        start(context)
        return options

    return start


def test_a_bag_with_other_topics_is_replayed_and_reported(made, tmp_path):
    names = {'rgb': '/left', 'depth': '/range'}
    bag = write_small_bag(tmp_path / 'bag', frames=4, topics=names)
    topics = 'rgb=/left,depth=/range,label=none'
    options = made('replay.launch.py', bag=str(bag), topics=topics, out=str(tmp_path / 'out'))
    of = {each['executable']: each for each in options if 'executable' in each}
    assert dict(of['fault_injector_node']['remappings']) == {
        'input/color/image_raw': '/left',
        'input/depth/image_rect': '/range',
    }
    assert of['bag_starter_node']['parameters'][0]['topics'][:2] == ['/left', '/range']
    [report] = [each['cmd'] for each in options if 'crodino' in each.get('cmd', ())]
    assert report[report.index('--topics') + 1] == topics


def test_a_bag_with_other_topics_is_demonstrated(made, tmp_path):
    names = {'rgb': '/left', 'depth': '/range'}
    bag = write_small_bag(tmp_path / 'bag', frames=4, topics=names)
    options = made('demo.launch.py', bag=str(bag), topics='rgb=/left,depth=/range')
    [player] = [each for each in options if each['executable'] == 'bag_player_node']
    assert player['parameters'][0]['topics'] == 'rgb=/left,depth=/range'


@pytest.mark.parametrize('given', [{}, {'autostart': 'false'}, {'use_sim_time': 'true'}])
def test_the_parameter_file_stands_where_no_argument_was_given(monkeypatch, given):
    file = ROOT / 'launch' / 'segment.launch.py'
    start = runpy.run_path(str(file))['start']
    made = {}
    monkeypatch.setitem(start.__globals__, 'Node', lambda **options: made.update(options))
    monkeypatch.setitem(start.__globals__, 'get_package_share_directory', lambda name: str(ROOT))
    context = LaunchContext()
    description = get_launch_description_from_python_launch_file(str(file))
    context.launch_configurations.update(
        {
            a.name: a.default_value[0].text if a.default_value else ''
            for a in description.get_launch_arguments()
        },
        params_file='my.param.yaml',
        **given,
    )
    start(context)
    expected = {name: text == 'true' for name, text in given.items()}
    assert made['parameters'] == ['my.param.yaml', *([expected] if expected else [])]


@needs_installation
@pytest.mark.parametrize('camera', ['realsense', 'oakd', 'zed', 'sim'])
def test_every_camera_has_topics_and_a_parameter_file(camera):
    file = ROOT / 'launch' / 'segment.launch.py'
    description = get_launch_description_from_python_launch_file(str(file))
    context = LaunchContext()
    context.launch_configurations['camera'] = camera
    for entity in description.entities:
        made = entity.visit(context)
    [node] = made
    assert node.node_package == 'crodino_ros'
    share = Path(get_package_share_directory('crodino_ros'))
    assert (share / 'config' / f'{camera}.param.yaml').is_file()


@needs_installation
@pytest.mark.parametrize('file', LAUNCH_TESTS, ids=lambda file: file.stem)
def test_launched(file):
    """What the launch files start behaves; launch_testing runs each in a process of its own."""
    pytest.importorskip('launch_testing')
    paths = [str(ROOT / 'test'), os.environ.get('PYTHONPATH', '')]
    done = subprocess.run(
        [sys.executable, '-m', 'launch_testing.launch_test', str(file)],
        env={
            **os.environ,
            'PYTHONPATH': os.pathsep.join(path for path in paths if path),
            'ROS_DOMAIN_ID': str(61 + os.getpid() % 30),
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]

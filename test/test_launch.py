"""The launch files, where ROS 2 is installed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytest.importorskip('launch_ros')
pytest.importorskip('rclpy')

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch.actions import DeclareLaunchArgument
from launch.launch_description_sources import get_launch_description_from_python_launch_file
from node_world import SIZE, NodeWorld, tiny_model, world  # noqa: F401

from launch import LaunchContext

ROOT = Path(__file__).resolve().parents[1]
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


class Launched:
    """`ros2 launch` in a process of its own, which writes into a file."""

    def __init__(self, log: Path, domain_id: int, *command: str) -> None:
        self._log = log
        with log.open('w') as stream:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, 'ROS_DOMAIN_ID': str(domain_id), 'PYTHONUNBUFFERED': '1'},
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # A shell in the background has its children ignore SIGINT.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )

    @property
    def text(self) -> str:
        return self._log.read_text()

    def said(self, words: str) -> bool:
        assert self.process.poll() is None, self.text
        return words in self.text

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise


@pytest.fixture
def launch(world: NodeWorld, tmp_path: Path) -> Iterator:  # noqa: F811
    started: list[Launched] = []

    def start(*words: str) -> Launched:
        command = ('ros2', 'launch', 'crodino_ros', *words)
        started.append(Launched(tmp_path / 'log.txt', world.domain_id, *command))
        return started[-1]

    yield start
    for each in started:
        each.end()


@needs_installation
def test_a_plain_launch_just_works(world: NodeWorld, launch):  # noqa: F811
    size = world.folder.parent / 'size.yaml'
    size.write_text(yaml.safe_dump({'/**': {'ros__parameters': {'warm_up_size': list(SIZE)}}}))
    launched = launch(
        *('segment.launch.py', f'model:={world.folder}', 'engine:=onnxruntime'),
        *(f'params_file:={size}', 'color_topic:=/cam/color', 'depth_topic:=/cam/depth'),
        'namespace:=robot',
    )
    masks = world.listen('/robot/segmentation/mask')
    cameras = world.cameras(color='/cam/color', depth='/cam/depth')
    world.until(lambda: launched.said('model tiny'), patience=60)
    world.play(cameras, lambda: len(masks) > 5)
    assert launched.end() == 0
    assert 'has finished cleanly' in launched.text
    assert 'Traceback' not in launched.text


@needs_installation
def test_a_launch_without_its_model_says_so_in_one_line(world: NodeWorld, launch):  # noqa: F811
    launched = launch('segment.launch.py', 'model:=/nowhere')
    world.until(lambda: launched.said('cannot configure'), patience=60)
    assert launched.end() == 0
    assert 'Traceback' not in launched.text


@needs_installation
def test_a_parameter_of_the_wrong_type_ends_the_node_with_a_reason(tmp_path):
    file = tmp_path / 'wrong.yaml'
    file.write_text('/**: {ros__parameters: {timeout: soon}}')
    command = [
        sys.executable,
        '-m',
        'crodino_ros.segment_node',
        '--ros-args',
        '--params-file',
        file,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert 'timeout' in done.stderr
    assert 'Traceback' not in done.stderr

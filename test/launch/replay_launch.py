"""`replay.launch.py` with launch_testing: no mask of the bag is lost, neither first nor last.

PYTHONPATH=test:$PYTHONPATH launch_test test/launch/replay_launch.py
"""

import tempfile
import unittest
from pathlib import Path

import launch_testing
import launch_testing.actions
import launch_testing.asserts
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from rosbags.highlevel import AnyReader
from small_bag import write_small_bag
from tiny_bundle import make_tiny_bundle

from launch import LaunchDescription

LAUNCH = Path(__file__).resolve().parents[2] / 'launch'
FRAMES = 30
SCRATCH = tempfile.TemporaryDirectory()


def generate_test_description():
    scratch = Path(SCRATCH.name)
    write_small_bag(scratch / 'bag', frames=FRAMES)
    arguments = {
        'bag': str(scratch / 'bag'),
        'model': str(make_tiny_bundle(scratch / 'tiny').path),
        'engine': 'onnxruntime',
        'out': str(scratch / 'out'),
        'report': 'false',
    }
    source = PythonLaunchDescriptionSource(str(LAUNCH / 'replay.launch.py'))
    return LaunchDescription(
        [
            IncludeLaunchDescription(source, launch_arguments=arguments.items()),
            launch_testing.actions.ReadyToTest(),
        ]
    )


class WhileItRuns(unittest.TestCase):
    def test_the_bag_begins_and_ends(self, proc_info, proc_output):
        proc_output.assertWaitFor('Resuming play', timeout=60)
        proc_info.assertWaitForShutdown('ros2', cmd_args='play', timeout=60)


@launch_testing.post_shutdown_test()
class AfterIt(unittest.TestCase):
    def test_every_frame_has_its_mask(self):
        with AnyReader([Path(SCRATCH.name) / 'out' / 'masks']) as reader:
            counts = {c.topic: c.msgcount for c in reader.connections}
        self.assertEqual(counts['/segmentation/mask'], FRAMES)

    def test_every_process_has_ended_cleanly(self, proc_info):
        launch_testing.asserts.assertExitCodes(proc_info)

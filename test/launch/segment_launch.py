"""`segment.launch.py` with launch_testing: a plain launch just works.

PYTHONPATH=test:$PYTHONPATH launch_test test/launch/segment_launch.py
"""

import os
import tempfile
import unittest
from pathlib import Path

import launch_testing
import launch_testing.actions
import launch_testing.asserts
import yaml
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from node_world import SIZE, NodeWorld
from tiny_bundle import make_tiny_bundle

from launch import LaunchDescription

LAUNCH = Path(__file__).resolve().parents[2] / 'launch'
SCRATCH = tempfile.TemporaryDirectory()


def generate_test_description():
    scratch = Path(SCRATCH.name)
    size = scratch / 'size.param.yaml'
    size.write_text(yaml.safe_dump({'/**': {'ros__parameters': {'warm_up_size': list(SIZE)}}}))
    arguments = {
        'model': str(make_tiny_bundle(scratch / 'tiny').path),
        'engine': 'onnxruntime',
        'params_file': str(size),
        'color_topic': '/cam/color',
        'depth_topic': '/cam/depth',
        'namespace': 'robot',
    }
    source = PythonLaunchDescriptionSource(str(LAUNCH / 'segment.launch.py'))
    return LaunchDescription(
        [
            IncludeLaunchDescription(source, launch_arguments=arguments.items()),
            launch_testing.actions.ReadyToTest(),
        ]
    )


class WhileItRuns(unittest.TestCase):
    def setUp(self):
        self.world = NodeWorld(Path(SCRATCH.name), int(os.environ.get('ROS_DOMAIN_ID', 0)))
        self.addCleanup(self.world.close)

    def test_masks_come_for_the_images_of_the_arguments(self, proc_output):
        masks = self.world.listen('/robot/segmentation/mask')
        cameras = self.world.cameras(color='/cam/color', depth='/cam/depth')
        self.world.play(cameras, lambda: len(masks) > 5, patience=90)
        proc_output.assertWaitFor('model tiny', timeout=10)
        proc_output.assertWaitFor('serving rgb', timeout=10)


@launch_testing.post_shutdown_test()
class AfterIt(unittest.TestCase):
    def test_the_node_has_ended_cleanly(self, proc_info, proc_output):
        launch_testing.asserts.assertExitCodes(proc_info)
        said = ''.join(line.text.decode() for line in proc_output)
        self.assertNotIn('Traceback', said)

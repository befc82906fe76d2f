"""`segment.launch.py` with launch_testing: without its model the node says so and goes on.

PYTHONPATH=test:$PYTHONPATH launch_test test/launch/no_model_launch.py
"""

import unittest
from pathlib import Path

import launch_testing
import launch_testing.actions
import launch_testing.asserts
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import LaunchDescription

LAUNCH = Path(__file__).resolve().parents[2] / 'launch'


def generate_test_description():
    source = PythonLaunchDescriptionSource(str(LAUNCH / 'segment.launch.py'))
    return LaunchDescription(
        [
            IncludeLaunchDescription(source, launch_arguments=[('model', '/nowhere')]),
            launch_testing.actions.ReadyToTest(),
        ]
    )


class WhileItRuns(unittest.TestCase):
    def test_the_reason_is_logged(self, proc_output):
        reason = 'cannot configure: /nowhere is not a model bundle'
        proc_output.assertWaitFor(reason, timeout=60)


@launch_testing.post_shutdown_test()
class AfterIt(unittest.TestCase):
    def test_the_node_has_gone_on_until_it_was_ended(self, proc_info, proc_output):
        launch_testing.asserts.assertExitCodes(proc_info)
        said = ''.join(line.text.decode() for line in proc_output)
        self.assertNotIn('Traceback', said)

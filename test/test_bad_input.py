"""Bad input to the live node: one clear line, a diagnostic, and the node goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from array import array
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from node_world import (  # noqa: F401
    HEALTHY,
    NodeWorld,
    color_image,
    depth_image,
    from_rgb,
    image_message,
    mentions,
    set_parameter,
    states,
    tiny_model,
    world,
)

from crodino_core.modality import Modality
from crodino_core.runtime.health import SensorState
from crodino_ros.middleware import (
    DurabilityPolicy,
    Parameter,
    QoSProfile,
    TransitionCallbackReturn,
    qos_profile_sensor_data,
    rclpy,
)
from crodino_ros.middleware.msg import CompressedImage, DiagnosticStatus, Image, String
from crodino_ros.node_main import run_node
from crodino_ros.node_parameters import declare, unused_qos_overrides
from crodino_ros.segment_settings import PARAMETERS

RGB, DEPTH = Modality.RGB, Modality.DEPTH
EMPTY = np.zeros((0, 0, 3), np.uint8)
BAD_MESSAGES = {
    (RGB, 'unsupported encoding'): lambda: image_message(color_image(), '8UC7'),
    (RGB, 'empty'): lambda: image_message(EMPTY, 'rgb8'),
    (RGB, 'cut off'): lambda: image_message(color_image(), 'rgb8', data=array('B', bytes(100))),
    (RGB, 'step lies'): lambda: image_message(color_image(), 'rgb8', step=7),
    (RGB, 'step promises more'): lambda: image_message(color_image(), 'rgb8', step=100_000),
    (DEPTH, 'unsupported encoding'): lambda: image_message(depth_image(), '64FC1'),
    (DEPTH, 'empty'): lambda: image_message(EMPTY[..., 0], '16UC1'),
    (DEPTH, 'cut off'): lambda: image_message(depth_image(), '32FC1', data=array('B', bytes(9))),
    (DEPTH, 'step lies'): lambda: image_message(depth_image(), '32FC1', step=5),
}


class Log:
    """What the node has logged."""

    def __init__(self, capfd) -> None:
        self._capfd, self._text = capfd, ''

    def lines(self, words: str) -> list[str]:
        """Return the lines with these words."""
        self._text += self._capfd.readouterr().err
        return [line for line in self._text.splitlines() if words in line]


@pytest.fixture
def log(capfd) -> Log:
    return Log(capfd)


@pytest.mark.parametrize(('modality', 'kind'), BAD_MESSAGES)
def test_a_bad_message_is_one_line_and_a_diagnostic_and_the_node_goes_on(
    world: NodeWorld,  # noqa: F811
    log,
    modality,
    kind,
):
    node, tasks = world.segment_node(), world.diagnostics()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    good, cameras.make[modality] = cameras.make[modality], BAD_MESSAGES[modality, kind]
    world.play(cameras, lambda: len(masks) > 3 and states(node)[modality] is SensorState.INVALID)
    world.until(lambda: tasks[str(modality)].level == DiagnosticStatus.ERROR)
    topic = node._stream._inputs[modality].topic
    assert len(log.lines(f'{topic}: the ')) == 1
    cameras.make[modality] = good
    world.play(cameras, lambda: states(node)[modality] is SensorState.OK)


@pytest.mark.parametrize('stamp', [(5, 4_000_000_000), (-3, 0), (2**31 - 1, 2**32 - 1)])
def test_a_stamp_that_is_no_time_is_one_line_and_a_diagnostic_and_the_other_sensor_serves(
    world: NodeWorld,  # noqa: F811
    log,
    stamp,
):
    node, tasks = world.segment_node(), world.diagnostics()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')

    def spoil(message):
        message.header.stamp.sec, message.header.stamp.nanosec = stamp

    cameras.spoil[RGB] = spoil
    world.play(cameras, lambda: len(masks) > 3 and states(node)[RGB] is SensorState.INVALID)
    world.until(lambda: mentions(tasks, 'rgb', 'the stamp is no time'))
    assert tasks['rgb'].level == DiagnosticStatus.ERROR
    assert not any(from_rgb(mask) for mask in masks)
    [line] = log.lines('/color/image_raw: the stamp is no time')
    assert f'sec {stamp[0]}, nanosec {stamp[1]}' in line
    del cameras.spoil[RGB]
    world.play(cameras, lambda: states(node) == HEALTHY)


def test_damaged_compressed_images_are_one_line_for_each_sensor(world: NodeWorld, log):  # noqa: F811
    node, tasks = (
        world.segment_node(color_transport='compressed', depth_transport='compressedDepth'),
        world.diagnostics(),
    )
    cameras = world.cameras(
        color='color/image_raw/compressed', depth='depth/image_rect/compressedDepth'
    )
    jpeg = cv2.imencode('.jpg', color_image())[1].tobytes()
    cut, lossy = array('B', jpeg[:40]), array('B', jpeg)
    cameras.make[RGB] = lambda: CompressedImage(format='jpeg', data=cut)
    cameras.make[DEPTH] = lambda: CompressedImage(format='16UC1; jpeg', data=lossy)
    invalid = dict.fromkeys(Modality, SensorState.INVALID)
    world.play(cameras, lambda: states(node) == invalid and mentions(tasks, 'depth', 'JPEG'))
    assert len(log.lines('/compressed: the compressed colour image')) == 1
    assert len(log.lines('/compressedDepth: the depth topic holds JPEG')) == 1


def test_a_topic_of_the_wrong_type_is_explained_and_the_other_sensor_serves(
    world: NodeWorld,  # noqa: F811
    log,
):
    world.segment_node()
    tasks, masks = world.diagnostics(), world.listen('segmentation/mask')
    wrong = world.observer.create_publisher(String, 'color/image_raw', 1)
    cameras = world.cameras(color='elsewhere')
    world.play(
        cameras,
        lambda: mentions(tasks, 'rgb', 'std_msgs/msg/String'),
    )
    assert tasks['rgb'].level == DiagnosticStatus.STALE
    wrong.publish(String(data='no image'))
    world.play(cameras, lambda: len(masks) > 3 and log.lines('std_msgs/msg/String there'))
    assert len(log.lines('std_msgs/msg/String there')) == 1


def test_images_in_the_other_transport_are_pointed_out(world: NodeWorld):  # noqa: F811
    world.segment_node()
    tasks = world.diagnostics()
    world.observer.create_publisher(CompressedImage, 'color/image_raw/compressed', 1)
    world.until(lambda: mentions(tasks, 'rgb', 'set color_transport to compressed'))


def test_a_driver_with_incompatible_qos_is_explained(world: NodeWorld, log):  # noqa: F811
    world.segment_node(**{'qos_overrides./color/image_raw.subscription.reliability': 'reliable'})
    tasks = world.diagnostics()
    world.observer.create_publisher(Image, 'color/image_raw', qos_profile_sensor_data)
    world.until(lambda: mentions(tasks, 'rgb', 'another reliability'))
    cameras, masks = world.cameras(color='elsewhere'), world.listen('segmentation/mask')
    world.play(cameras, lambda: len(masks) > 3 and log.lines('offers another reliability'))
    assert len(log.lines('offers another reliability')) == 1


def test_a_subscriber_with_incompatible_qos_is_explained_until_it_leaves(
    world: NodeWorld,  # noqa: F811
    log,
):
    node, tasks = world.segment_node(), world.diagnostics()
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    wrong = world.observer.create_subscription(Image, 'segmentation/mask', print, latched)
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    words = '/segmentation/mask wants another durability and gets nothing'
    world.play(cameras, lambda: states(node) == HEALTHY and mentions(tasks, 'output', words))
    assert tasks['output'].level == DiagnosticStatus.WARN
    world.play(cameras, lambda: len(masks) > 3)
    assert len(log.lines(words)) == 1
    world.observer.destroy_subscription(wrong)
    world.play(cameras, lambda: tasks['output'].level == DiagnosticStatus.OK)


def test_two_publishers_on_one_topic_are_pointed_out_while_both_are_there(
    world: NodeWorld,  # noqa: F811
    log,
):
    world.segment_node()
    tasks = world.diagnostics()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    second = world.observer.create_publisher(Image, 'depth/image_rect', 1)
    # The task may have been written before the first image came, and say so at another level.
    world.play(
        cameras,
        lambda: (
            mentions(tasks, 'depth', '2 publishers')
            and tasks['depth'].level == DiagnosticStatus.WARN
        ),
    )
    assert '/cameras, /observer' in tasks['depth'].message
    world.play(cameras, lambda: len(masks) > 3 and log.lines('2 publishers'))
    world.observer.destroy_publisher(second)
    world.play(cameras, lambda: tasks['depth'].level == DiagnosticStatus.OK)
    assert len(log.lines('2 publishers')) == 1


def test_masks_of_two_nodes_on_one_topic_are_pointed_out_in_one_line(
    world: NodeWorld,  # noqa: F811
    log,
):
    node, tasks = world.segment_node(), world.diagnostics()
    cameras, words = world.cameras(), '2 publishers mix on /segmentation/mask'
    second = world.observer.create_publisher(Image, 'segmentation/mask', 1)
    world.play(cameras, lambda: mentions(tasks, 'output', words) and log.lines(words))
    world.play(cameras, lambda: states(node) == HEALTHY)
    # The task may have been written before that, and say so at another level.
    world.play(cameras, lambda: tasks['output'].level == DiagnosticStatus.WARN)
    assert words in tasks['output'].message
    world.observer.destroy_publisher(second)
    world.play(cameras, lambda: tasks['output'].level == DiagnosticStatus.OK)
    assert len(log.lines(words)) == 1


NO_QOS = 'qos_overrides./{}.reliability'


def test_a_subscription_that_cannot_be_made_leaves_the_node_inactive_and_says_why(
    world: NodeWorld,  # noqa: F811
    log,
):
    tasks, threads = world.diagnostics(), set(threading.enumerate())
    override = NO_QOS.format('depth/image_rect.subscription')
    node = world.segment_node(wait=False, **{override: 'nonsense'})
    world.until(lambda: log.lines('cannot activate'))
    words = log.lines('cannot activate')[0].split('cannot activate: ')[1].strip()
    world.until(lambda: mentions(tasks, 'output', words))
    assert tasks['output'].level == DiagnosticStatus.ERROR
    assert node._stream is None
    assert not any(t.name == 'inference' for t in set(threading.enumerate()) - threads)
    assert world.observer.count_subscribers('color/image_raw') == 0
    assert node.trigger_cleanup() is TransitionCallbackReturn.SUCCESS


def test_a_publisher_that_cannot_be_made_takes_those_before_it_along(
    world: NodeWorld,  # noqa: F811
    log,
):
    override = NO_QOS.format('segmentation/overlay.publisher')
    world.segment_node(wait=False, **{override: 'nonsense'})
    world.until(lambda: log.lines('cannot configure'))
    world.until(lambda: world.observer.count_publishers('segmentation/mask') == 0)
    assert len(log.lines('cannot configure')) == 1


class SecretiveNode:
    """A node of a client library that does not tell which parameters were given."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.declared: list[str] = []

    def declare_parameter(self, name, value, descriptor):
        self.declared.append(name)

    def get_parameters_by_prefix(self, prefix):
        return {}

    def get_logger(self):
        return SimpleNamespace(warning=lambda text, once=False: self.said.append(text))


def test_parameters_work_where_it_is_unknown_which_were_given():
    node = SecretiveNode()
    assert declare(node, PARAMETERS) == []
    assert node.declared == [spec.name for spec in PARAMETERS]
    assert 'unknown ones go unnoticed' in node.said[0]
    assert unused_qos_overrides(node) == []


def test_an_unknown_parameter_is_named_with_the_nearest_known_one(world: NodeWorld, log):  # noqa: F811
    file = world.folder.parent / 'unknown.param.yaml'
    file.write_text('/**: {ros__parameters: {tiemout: 0.3}}')
    node = world.segment_node(f'--params-file {file}')
    line = "'tiemout' is unknown and ignored; did you mean 'timeout'?"
    assert len(log.lines(line)) == 1
    cameras, tasks = world.cameras(), world.diagnostics()
    world.play(cameras, lambda: states(node) == HEALTHY and mentions(tasks, 'output', 'tiemout'))
    world.play(cameras, lambda: tasks['output'].level == DiagnosticStatus.WARN)


def test_a_qos_override_for_a_topic_the_node_does_not_have_is_named_once(world: NodeWorld, log):  # noqa: F811
    override = 'qos_overrides./{}/image_raw.subscription.reliability'
    node = world.segment_node(
        **{override.format('colour'): 'reliable', override.format('color'): 'reliable'}
    )
    line = f'{override.format("colour")!r} is unknown and ignored'
    nearest = f'did you mean {override.format("color")!r}?'
    cameras, tasks = world.cameras(), world.diagnostics()
    world.play(cameras, lambda: states(node) == HEALTHY and mentions(tasks, 'output', 'colour'))
    node.trigger_deactivate()
    node.trigger_activate()
    world.play(cameras, lambda: states(node) == HEALTHY)
    assert len(log.lines(line)) == 1
    assert nearest in log.lines(line)[0]
    assert not any("'qos_overrides./color/" in text.split(';')[0] for text in log.lines('ignored'))


def test_a_qos_override_that_finds_its_topic_later_is_named_no_more(world: NodeWorld, log):  # noqa: F811
    node = world.segment_node(
        **{'qos_overrides./color/image_raw/compressed.subscription.reliability': 'reliable'}
    )
    tasks = world.diagnostics()
    cameras = world.cameras()
    world.play(cameras, lambda: mentions(tasks, 'output', 'compressed.subscription'))
    node.trigger_deactivate()
    node.trigger_cleanup()
    assert node.set_parameters([Parameter('color_transport', value='compressed')])[0].successful
    node.trigger_configure()
    node.trigger_activate()
    world.until(lambda: 'output' in tasks and not mentions(tasks, 'output', 'compressed.sub'))
    assert len(log.lines('is unknown and ignored')) == 1


def damaged(folder):
    (folder / 'rgb.onnx').write_bytes(b'no network')


BAD_MODELS = {
    'not there': shutil.rmtree,
    'without its description': lambda folder: (folder / 'model.yaml').unlink(),
    'without a network': lambda folder: (folder / 'depth.onnx').unlink(),
    'damaged': damaged,
}


@pytest.mark.parametrize('kind', BAD_MODELS)
def test_without_its_model_the_node_stays_unconfigured_and_says_why(
    world: NodeWorld,  # noqa: F811
    tmp_path,
    log,
    kind,
):
    folder = shutil.copytree(world.folder, tmp_path / 'model')
    BAD_MODELS[kind](folder)
    tasks = world.diagnostics()
    node = world.segment_node(model=str(folder), wait=False)
    world.until(lambda: mentions(tasks, 'output', str(folder)))
    assert tasks['output'].level == DiagnosticStatus.ERROR
    [line] = log.lines('cannot configure')
    assert str(folder) in line
    assert node._stream is None
    assert set_parameter(node, 'model', str(world.folder)).successful
    for trigger in (node.trigger_configure, node.trigger_activate):
        assert trigger() is TransitionCallbackReturn.SUCCESS
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    world.play(cameras, lambda: masks)


BAD_FILES = {
    'not there': None,
    'no YAML': 'a: [1',
    'without ros__parameters': 'segment_node: {timeout: 3.0}',
    'of the wrong type': '/**: {ros__parameters: {timeout: soon}}',
    'out of range': '/**: {ros__parameters: {timeout: -1.0}}',
    'without a value': '/**: {ros__parameters: {timeout: null}}',
    'of two types': '/**: {ros__parameters: {timeout: [1, 2.0]}}',
    'of the middleware': '/**: {ros__parameters: {use_sim_time: 5}}',
    'no choice': '/**: {ros__parameters: {policy: loudest}}',
}


@pytest.mark.parametrize('kind', BAD_FILES)
def test_a_bad_parameter_file_ends_the_node_with_one_line(tmp_path, kind):
    file = tmp_path / 'bad.param.yaml'
    if BAD_FILES[kind] is not None:
        file.write_text(BAD_FILES[kind])
    command = [sys.executable, '-m', 'crodino_ros.segment_node', '--ros-args', '--params-file']
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [*command, str(file)],
        cwd=root,
        env={**os.environ, 'ROS_DOMAIN_ID': str(61 + os.getpid() % 30)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if 'FATAL' in line]
    assert any(word in line for word in (str(file), 'timeout', 'loudest', 'use_sim_time'))
    assert 'Traceback' not in done.stderr


def test_a_node_that_the_middleware_refuses_ends_with_one_line(log):
    def refused():
        raise RuntimeError('failed to initialize rcl node:\nthe domain is out of range')

    assert run_node(refused, args=[]) == 2
    [line] = log.lines('the domain is out of range')
    assert 'FATAL' in line


@pytest.mark.parametrize('interrupted', [True, False])
def test_an_error_is_one_only_while_nobody_has_interrupted_the_node(interrupted):
    def until(node):
        if interrupted:
            rclpy.try_shutdown()
        raise RuntimeError("publisher's context is invalid")

    def run():
        return run_node(lambda: rclpy.create_node('eyes'), args=[], until=until)

    if interrupted:
        assert run() == 0
    else:
        with pytest.raises(RuntimeError, match='context is invalid'):
            run()

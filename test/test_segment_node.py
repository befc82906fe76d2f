"""The live node, on rclpy or on the embedded middleware."""

from __future__ import annotations

import importlib.util
import struct
import threading
import time
from array import array

import cv2
import numpy as np
import pytest
from node_world import (  # noqa: F401
    HEALTHY,
    SIZE,
    NodeWorld,
    color_image,
    depth_image,
    from_rgb,
    image_message,
    pixels,
    set_parameter,
    states,
    tiny_model,
    world,
)
from tiny_bundle import make_tiny_bundle

from crodino_core.modality import Modality
from crodino_core.runtime.health import SensorState
from crodino_ros.messages import stamp_ns
from crodino_ros.middleware import (
    Parameter,
    QoSProfile,
    TransitionCallbackReturn,
    qos_profile_sensor_data,
    rclpy,
)
from crodino_ros.middleware.msg import Clock as ClockMessage
from crodino_ros.middleware.msg import (
    CompressedImage,
    DiagnosticStatus,
    Image,
    LabelInfo,
    SetParametersResult,
)
from crodino_ros.networks import Networks
from crodino_ros.segment_settings import PARAMETERS

RGB, DEPTH = Modality.RGB, Modality.DEPTH
BRIGHT_LEFT = np.repeat(np.array([[1, 0]], np.uint8), SIZE[1] // 2, axis=1)


def yuv422(order: tuple[int, ...]) -> np.ndarray:
    """Grey image with U = V = 128 in the given places of luma and chroma."""
    luma = color_image()[..., 0]
    planes = (luma, np.full_like(luma, 128))
    return np.stack([planes[i] for i in order], axis=-1).reshape(*SIZE, 2)


def one_plane() -> np.ndarray:
    return color_image()[..., 0]


COLORS = {
    'rgb8': color_image,
    'bgr8': color_image,
    'rgba8': lambda: cv2.cvtColor(color_image(), cv2.COLOR_RGB2RGBA),
    'bgra8': lambda: cv2.cvtColor(color_image(), cv2.COLOR_RGB2BGRA),
    'mono8': one_plane,
    **dict.fromkeys(('yuv422', 'uyvy'), lambda: yuv422((1, 0))),
    **dict.fromkeys(('yuv422_yuy2', 'yuyv'), lambda: yuv422((0, 1))),
    **dict.fromkeys((f'bayer_{p}8' for p in ('rggb', 'bggr', 'gbrg', 'grbg')), one_plane),
}


@pytest.mark.parametrize('encoding', COLORS)
def test_every_colour_encoding_gives_a_mask(world: NodeWorld, encoding):  # noqa: F811
    world.segment_node()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    cameras.make[RGB] = lambda: image_message(np.ascontiguousarray(COLORS[encoding]()), encoding)
    world.play(cameras, lambda: masks, depth=False)
    assert (pixels(masks.last) == BRIGHT_LEFT).mean() > 0.9


@pytest.mark.parametrize('encoding', ['16UC1', 'mono16', '32FC1'])
def test_every_depth_encoding_gives_a_mask(world: NodeWorld, encoding):  # noqa: F811
    world.segment_node(timeout=0.1)
    cameras, masks = world.cameras(), world.listen('segmentation/mask')

    def make():
        image = depth_image()
        return image_message(
            image if encoding == '32FC1' else (image * 1000).astype(np.uint16), encoding
        )

    cameras.make[DEPTH] = make
    world.play(cameras, lambda: masks, rgb=False)
    assert (pixels(masks.last) == 1 - BRIGHT_LEFT).mean() > 0.9


def compressed(image: np.ndarray, extension: str, text: str, head: bytes = b''):
    data = head + cv2.imencode(extension, image)[1].tobytes()
    return CompressedImage(format=text, data=array('B', data))


@pytest.mark.parametrize('kind', ['jpeg and 16UC1', 'png and 32FC1'])
def test_both_sensors_may_come_compressed(world: NodeWorld, kind):  # noqa: F811
    node = world.segment_node(
        '-r color/image_raw:=/cam/rgb',
        color_transport='compressed',
        depth_transport='compressedDepth',
    )
    cameras = world.cameras(color='/cam/rgb/compressed', depth='depth/image_rect/compressedDepth')
    if kind.startswith('jpeg'):
        cameras.make[RGB] = lambda: compressed(color_image(), '.jpg', 'rgb8; jpeg compressed bgr8')
        cameras.make[DEPTH] = lambda: compressed(
            (depth_image() * 1000).astype(np.uint16), '.png', '16UC1; compressedDepth', bytes(12)
        )
    else:
        cameras.make[RGB] = lambda: compressed(color_image(), '.png', 'rgb8; png compressed bgr8')
        head = struct.pack('<iff', 0, 10_000.0, 0.0)  # depth = A / (v - B)
        cameras.make[DEPTH] = lambda: compressed(
            (10_000 / depth_image()).astype(np.uint16), '.png', '32FC1; compressedDepth png', head
        )
    masks = world.listen('segmentation/mask')
    world.play(cameras, lambda: masks and states(node)[DEPTH] is SensorState.OK)
    assert from_rgb(masks.last)
    world.play(cameras, lambda: not from_rgb(masks.last), rgb=False)


@pytest.mark.parametrize('size', [SIZE, (50, 70), (31, 17), (480, 640)])
def test_a_mask_has_the_size_stamp_and_frame_of_its_image(world: NodeWorld, size):  # noqa: F811
    world.segment_node()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    cameras.make[RGB] = lambda: image_message(color_image(size), 'rgb8', 'left_eye')
    cameras.stamp_from = iter(range(5_000_000_001, 9_000_000_000, 50_000_000)).__next__
    world.play(cameras, lambda: masks, depth=False)
    mask = masks.last
    assert (mask.height, mask.width, mask.encoding, mask.step) == (*size, 'mono8', size[1])
    assert mask.header.frame_id == 'left_eye'
    assert mask.header.stamp.sec >= 5
    assert mask.header.stamp.nanosec % 50_000_000 == 1


def test_unregistered_depth_keeps_its_own_size_and_frame(world: NodeWorld):  # noqa: F811
    world.segment_node()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    cameras.make[DEPTH] = lambda: image_message(depth_image((20, 40)), '32FC1', 'infra')
    world.play(cameras, lambda: masks and masks.last.header.frame_id == 'camera')
    world.play(cameras, lambda: masks.last.header.frame_id == 'infra', rgb=False)
    assert (masks.last.height, masks.last.width) == (20, 40)


def test_depth_takes_over_when_the_camera_is_cut_and_gives_back(world: NodeWorld):  # noqa: F811
    node = world.segment_node()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    served = world.listen_latched('segmentation/active_modality')
    world.play(cameras, lambda: len(masks) > 8 and states(node) == HEALTHY)
    assert from_rgb(masks.last)
    world.play(cameras, lambda: not from_rgb(masks.last), rgb=False)
    world.play(cameras, lambda: states(node)[RGB] is SensorState.LOST, rgb=False)
    assert served.last.data == 'depth'
    world.play(cameras, lambda: from_rgb(masks.last))
    assert states(node)[RGB] is SensorState.OK
    assert len({(m.header.stamp.sec, m.header.stamp.nanosec) for m in masks}) == len(masks)


def test_a_black_image_is_not_served(world: NodeWorld):  # noqa: F811
    node = world.segment_node()
    cameras, tasks = world.cameras(), world.diagnostics()
    masks = world.listen('segmentation/mask')
    cameras.make[RGB] = lambda: image_message(np.zeros((*SIZE, 3), np.uint8), 'rgb8')
    world.play(
        cameras, lambda: masks and tasks.get('rgb') and 'black image' in tasks['rgb'].message
    )
    assert not any(from_rgb(mask) for mask in masks)
    assert states(node)[RGB] is SensorState.INVALID
    assert tasks['rgb'].level == DiagnosticStatus.ERROR


def test_with_no_sensor_left_there_is_silence_or_void(world: NodeWorld):  # noqa: F811
    node = world.segment_node()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    cameras.make[RGB] = lambda: image_message(np.zeros((*SIZE, 3), np.uint8), 'rgb8')
    cameras.make[DEPTH] = lambda: image_message(np.zeros(SIZE, np.float32), '32FC1')
    invalid = {RGB: SensorState.INVALID, DEPTH: SensorState.INVALID}
    world.play(cameras, lambda: states(node) == invalid)
    assert not masks
    assert set_parameter(node, 'when_none', 'void').successful
    world.play(cameras, lambda: masks)
    assert (pixels(masks.last) == 255).all()


def test_a_late_subscriber_is_told_the_classes_and_who_is_served(world: NodeWorld):  # noqa: F811
    world.segment_node()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    world.play(cameras, lambda: masks)
    labels = world.listen_latched('segmentation/label_info', LabelInfo)
    served = world.listen_latched('segmentation/active_modality')
    world.until(lambda: labels and served)
    assert served.last.data == 'rgb'
    names = {entry.class_id: entry.class_name for entry in labels.last.class_map}
    assert names == {0: 'background', 1: 'thing', 255: 'unlabelled'}


def test_nothing_is_computed_for_nobody(world: NodeWorld):  # noqa: F811
    node, tasks = world.segment_node(), world.diagnostics()
    cameras = world.cameras()
    served = world.listen_latched('segmentation/active_modality')
    world.play(cameras, lambda: states(node) == HEALTHY and served and served.last.data == 'rgb')
    world.play(cameras, lambda: 'output' in tasks and 'nobody' in tasks['output'].message)
    assert node._stream.masks == 0


def test_diagnostics_name_the_engine_and_those_that_were_passed_over(
    world: NodeWorld,  # noqa: F811
    monkeypatch,
):
    installed = importlib.util.find_spec
    hidden = ('tensorrt', 'openvino')
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: None if name in hidden else installed(name)
    )
    node, tasks = world.segment_node(engine='openvino', engine_fallback=True), world.diagnostics()
    world.until(lambda: 'output' in tasks and tasks['output'].values)
    values = {pair.key: pair.value for pair in tasks['output'].values}
    engine = node._segmenter.engines[RGB]
    assert values['engine'] == 'onnxruntime'
    assert (values['engine_version'], values['engine_device']) == (engine.version, engine.device)
    assert 'pip install openvino' in values['passed_over openvino']


def test_confidence_and_overlay_come_when_somebody_listens(world: NodeWorld):  # noqa: F811
    world.segment_node(overlay_opacity=1.0)
    cameras = world.cameras()
    confidence, overlay = (
        world.listen('segmentation/confidence'),
        world.listen('segmentation/overlay'),
    )
    world.play(cameras, lambda: confidence and overlay, depth=False)
    assert confidence.last.encoding == 'mono8'
    picture = np.frombuffer(overlay.last.data, np.uint8).reshape(*SIZE, 3)
    assert tuple(picture[5, 5]) == (255, 0, 0)
    assert tuple(picture[5, -5]) == (0, 0, 0)


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('policy', 'avrage', 'prefer, average'),
        ('prefer', 'lidar', 'rgb, depth'),
        ('timeout', 0.0, '0.01'),
        ('late_factor', 1.0, '1.05'),
        ('depth_range', [5.0, 1.0], 'nearest, farthest'),
        ('depth_range', [5.0], 'two numbers'),
        ('model', 'other', 'deactivate'),
        ('autostart', False, 'read'),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_the_reason(
    world: NodeWorld,  # noqa: F811
    name,
    value,
    reason,
):
    node = world.segment_node()
    before = node.get_parameter(name).value
    result = set_parameter(node, name, value)
    assert not result.successful
    assert reason in result.reason
    assert node.get_parameter(name).value == before


def test_parameters_that_are_set_to_what_they_are_are_taken(world: NodeWorld):  # noqa: F811
    node = world.segment_node()
    for spec in PARAMETERS:
        if not spec.read_only:
            result = set_parameter(node, spec.name, node.get_parameter(spec.name).value)
            assert result.successful, result.reason
    assert set_parameter(node, 'warm_up_size', array('q', SIZE)).successful
    assert 'deactivate' in set_parameter(node, 'warm_up_size', [96, 128]).reason


def test_what_another_callback_refuses_is_not_applied(world: NodeWorld):  # noqa: F811
    node = world.segment_node()
    before = node._stream.settings
    no = SetParametersResult(successful=False, reason='not now')
    node.add_on_set_parameters_callback(lambda changed: no)
    node.add_on_set_parameters_callback(node._on_set_parameters)  # the last added is asked first
    changes = [Parameter('prefer', value='depth'), Parameter('timeout', value=0.3)]
    assert node.set_parameters_atomically(changes).reason == 'not now'
    assert node.get_parameter('prefer').value == 'rgb'
    assert node._stream.settings == node._settings == before


def test_the_preferred_sensor_can_be_changed_while_running(world: NodeWorld):  # noqa: F811
    node = world.segment_node()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    world.play(cameras, lambda: masks and states(node) == HEALTHY)
    assert set_parameter(node, 'prefer', 'depth').successful
    world.play(cameras, lambda: not from_rgb(masks.last))


def test_other_limits_while_running_forget_nothing_and_lose_no_mask(world: NodeWorld):  # noqa: F811
    node = world.segment_node(timeout=0.2)
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    served = world.listen_latched('segmentation/active_modality')
    world.play(cameras, lambda: len(masks) > 8 and states(node) == HEALTHY)
    world.play(cameras, lambda: states(node)[RGB] is SensorState.LOST, rgb=False)
    before, count = node._segmenter.sensors[DEPTH].period, len(masks)
    for name, value in (('late_factor', 3.0), ('frozen_frames', 5), ('depth_range', [0.2, 9.0])):
        assert set_parameter(node, name, value).successful
    assert node._segmenter.sensors[DEPTH].period == before
    assert states(node) == {RGB: SensorState.LOST, DEPTH: SensorState.OK}
    world.play(cameras, lambda: len(masks) > count + 3, rgb=False)
    assert [message.data for message in served][-2:] == ['rgb', 'depth']


def test_depth_is_valid_as_far_as_the_model_looks_until_a_range_is_given(
    world: NodeWorld,  # noqa: F811
    tmp_path,
):
    make_tiny_bundle(tmp_path / 'far', depth_range=(1.0, 1250.0))
    node = world.segment_node(model=str(tmp_path / 'far'))
    cameras = world.cameras()
    cameras.make[DEPTH] = lambda: image_message(depth_image() * 100, '32FC1')
    world.play(cameras, lambda: states(node)[DEPTH] is SensorState.OK)
    assert set_parameter(node, 'depth_range', [0.1, 20.0]).successful
    world.play(cameras, lambda: states(node)[DEPTH] is SensorState.INVALID)
    assert set_parameter(node, 'depth_range', [0.0, 0.0]).successful
    world.play(cameras, lambda: states(node)[DEPTH] is SensorState.OK)


def test_averaging_can_be_switched_on_while_running(world: NodeWorld):  # noqa: F811
    node = world.segment_node()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    served = world.listen_latched('segmentation/active_modality')
    world.play(cameras, lambda: masks)
    assert set_parameter(node, 'policy', 'average').successful
    world.play(cameras, lambda: served.last.data == 'both')
    count = len(masks)
    world.play(cameras, lambda: len(masks) > count + 2)


def test_parameters_that_change_while_networks_load_start_no_further_load(
    world: NodeWorld,  # noqa: F811
    monkeypatch,
):
    node = world.segment_node()
    load, asked, at_work, allowed = Networks.load, [], [], threading.Event()

    def slowly(settings, *rest):
        asked.append(settings)
        at_work.append(sum(thread.name == 'loading' for thread in threading.enumerate()))
        assert allowed.wait(20)
        return load(settings, *rest)

    monkeypatch.setattr(Networks, 'load', slowly)
    try:
        assert set_parameter(node, 'policy', 'average').successful
        for timeout in (0.7, 0.8, 0.9):
            assert set_parameter(node, 'timeout', timeout).successful
        for trigger in ('deactivate', 'cleanup'):
            assert getattr(node, f'trigger_{trigger}')() is TransitionCallbackReturn.SUCCESS
        monkeypatch.setattr(Networks, 'load', load)
        assert set_parameter(node, 'policy', 'prefer').successful
        for trigger in ('configure', 'activate'):
            assert getattr(node, f'trigger_{trigger}')() is TransitionCallbackReturn.SUCCESS
        monkeypatch.setattr(Networks, 'load', slowly)
        assert set_parameter(node, 'policy', 'average').successful
        assert len(asked) == 1
    finally:
        allowed.set()
    world.until(lambda: node._networks.can_fuse)
    assert at_work == [1, 1]
    assert asked[1].health.timeout == 0.9


def test_a_deactivated_node_serves_nobody(world: NodeWorld):  # noqa: F811
    node = world.segment_node()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    world.play(cameras, lambda: masks)
    assert node.trigger_deactivate() is TransitionCallbackReturn.SUCCESS
    served = world.listen_latched('segmentation/active_modality')
    world.until(lambda: served)
    assert served.last.data == 'none'


def test_an_inference_that_an_interrupt_cuts_off_is_no_error(world: NodeWorld, capfd):  # noqa: F811
    node = world.segment_node()
    stream = node._stream
    stream._inference_failed(RuntimeError('out of memory'))
    rclpy.try_shutdown(context=world.context)
    stream._inference_failed(RuntimeError("publisher's context is invalid"))
    assert stream.error == 'out of memory'
    assert 'context is invalid' not in capfd.readouterr().err


def test_a_node_can_go_through_its_life_again(world: NodeWorld):  # noqa: F811
    node = world.segment_node()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    world.play(cameras, lambda: masks)
    for _ in range(2):
        for trigger in ('deactivate', 'cleanup', 'configure', 'activate'):
            assert getattr(node, f'trigger_{trigger}')() is TransitionCallbackReturn.SUCCESS
        count = len(masks)
        world.play(cameras, lambda count=count: len(masks) > count)
    assert node.trigger_shutdown() is TransitionCallbackReturn.SUCCESS
    assert node._stream is None


@pytest.mark.parametrize('sender', [QoSProfile(depth=5), qos_profile_sensor_data])
@pytest.mark.parametrize('listener', [QoSProfile(depth=5), qos_profile_sensor_data])
def test_reliable_and_best_effort_partners_are_served(world: NodeWorld, sender, listener):  # noqa: F811
    world.segment_node()
    cameras = world.cameras(qos=sender)
    masks = world.listen('segmentation/mask', Image, listener)
    world.play(cameras, lambda: len(masks) > 2)


def test_two_nodes_live_side_by_side_in_namespaces(world: NodeWorld):  # noqa: F811
    for name in ('left', 'right'):
        world.segment_node(namespace=name)
    masks = {name: world.listen(f'/{name}/segmentation/mask') for name in ('left', 'right')}
    left = world.cameras('left')
    world.play(left, lambda: len(masks['left']) > 3)
    assert not masks['right']
    right = world.cameras('right')
    world.play(right, lambda: masks['right'])


def test_two_nodes_in_one_namespace_serve_from_the_same_cameras(world: NodeWorld):  # noqa: F811
    nodes = [
        world.segment_node(f'-r segmentation/mask:={name}/mask', prefer=prefer)
        for name, prefer in (('first', 'rgb'), ('second', 'depth'))
    ]
    first, second = world.listen('first/mask'), world.listen('second/mask')
    cameras = world.cameras()
    world.play(cameras, lambda: all(states(node) == HEALTHY for node in nodes))
    count = {id(masks): len(masks) + 2 for masks in (first, second)}  # some are on their way
    world.play(cameras, lambda: all(len(m) > count[id(m)] + 3 for m in (first, second)))
    assert all(map(from_rgb, first[count[id(first)] :]))
    assert not any(map(from_rgb, second[count[id(second)] :]))


def test_stamps_that_go_back_are_no_dropout(world: NodeWorld):  # noqa: F811
    node = world.segment_node()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    served = world.listen_latched('segmentation/active_modality')
    world.play(cameras, lambda: len(masks) > 5 and states(node)[DEPTH] is SensorState.OK)
    sent = []

    def from_the_beginning() -> int:
        sent.append(time.time_ns() - 10_000_000_000)
        return sent[-1]

    cameras.stamp_from = from_the_beginning  # a bag begins anew
    count = len(masks)
    world.play(cameras, lambda: len(masks) > count + 5)
    first = next(m for m in masks if m.header.stamp.sec < sent[0] // 1_000_000_000 + 5)
    assert stamp_ns(first.header) == sent[0]
    for sensor in node._stream._segmenter.sensors.values():
        assert not {'lost', 'frozen', 'invalid'} & set(sensor.counts)
    assert served.last.data == 'rgb'


class SlowEngine:
    """An engine that answers only when it is allowed to."""

    def __init__(self, engine) -> None:
        self._engine = engine
        self.allowed = threading.Event()
        self.asked = 0

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def infer(self, image):
        self.asked += 1
        assert self.allowed.wait(20)
        return self._engine.infer(image)


def test_a_slow_engine_never_makes_a_sensor_look_dead(world: NodeWorld):  # noqa: F811
    node = world.segment_node()
    engine = SlowEngine(node._segmenter.engines[RGB])
    node._segmenter.engines[RGB] = engine
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    try:
        world.play(cameras, lambda: engine.asked and states(node)[DEPTH] is SensorState.OK)
        world.play(cameras, lambda: node._stream._worker.dropped > 20)
        for sensor in node._stream._segmenter.sensors.values():
            assert 'lost' not in sensor.counts
        assert (engine.asked, len(masks)) == (1, 0)
    finally:
        engine.allowed.set()
    world.play(cameras, lambda: len(masks) > 2)


def test_an_engine_that_fails_does_not_end_the_node(world: NodeWorld, capfd):  # noqa: F811
    node, tasks = world.segment_node(), world.diagnostics()
    good = node._segmenter.engines[RGB]

    class Broken:
        def infer(self, image):
            raise RuntimeError('out of memory')

    node._segmenter.engines[RGB] = Broken()
    cameras, masks = world.cameras(), world.listen('segmentation/mask')
    world.play(cameras, lambda: 'output' in tasks and 'out of memory' in tasks['output'].message)
    assert capfd.readouterr().err.count('inference failed') == 1
    node._segmenter.engines[RGB] = good
    world.play(cameras, lambda: masks and tasks['output'].level == DiagnosticStatus.OK)


class Simulation:
    """Publishes /clock; `run` plays both cameras by it."""

    STEP = 0.01

    def __init__(self, world: NodeWorld, cameras) -> None:  # noqa: F811
        self._world, self._cameras = world, cameras
        self._clock = world.observer.create_publisher(ClockMessage, '/clock', 10)
        self.now = 100.0
        cameras.stamp_from = lambda: round(self.now * 1e9)

    def tick(self) -> None:
        message = ClockMessage()
        message.clock.sec, message.clock.nanosec = divmod(round(self.now * 1e9), 1_000_000_000)
        self._clock.publish(message)

    def run(self, node, condition, rgb=True, seconds=60.0) -> None:
        """Let simulated time pass, as fast as the node takes it in."""
        begin, sent = self.now, round(self.now / 0.05)
        while not condition():
            assert self.now - begin < seconds, 'it did not happen in that time'
            self.now += self.STEP
            self.tick()
            wanted = round(self.now * 1e9)
            self._world.until(lambda w=wanted: node.get_clock().now().nanoseconds == w)
            if round(self.now / 0.05) > sent:
                sent = round(self.now / 0.05)
                for modality in (RGB, DEPTH) if rgb else (DEPTH,):
                    seen = node._stream._inputs[modality].stamp_ns
                    self._cameras.send(modality)
                    self._world.until(
                        lambda m=modality, s=seen: node._stream._inputs[m].stamp_ns != s
                    )


@pytest.fixture
def simulated(world: NodeWorld):  # noqa: F811
    node = world.segment_node(use_sim_time=True)
    cameras = world.cameras()
    simulation = Simulation(world, cameras)
    world.until(lambda: simulation.tick() or node.get_clock().now().nanoseconds > 0)
    return node, simulation


def test_ages_go_by_simulated_time(world: NodeWorld, simulated):  # noqa: F811
    node, simulation = simulated
    masks = world.listen('segmentation/mask')
    simulation.run(node, lambda: len(masks) > 5 and states(node) == HEALTHY)
    simulation.run(node, lambda: states(node)[RGB] is SensorState.LOST, rgb=False, seconds=1.0)
    simulation.run(node, lambda: not from_rgb(masks.last), rgb=False, seconds=1.0)


def test_the_delay_of_a_sensor_is_that_of_its_last_image_however_long_ago(
    world: NodeWorld,  # noqa: F811
    simulated,
):
    node, simulation = simulated
    simulation.run(node, lambda: states(node) == HEALTHY)
    simulation.run(node, lambda: states(node)[RGB] is SensorState.LOST, rgb=False)
    color, _ = node._stream.sensor_reports()
    assert color.age_s > 0.5
    assert 0 <= color.delay_from_realtime_s < 0.05


def test_rates_go_by_simulated_time_however_fast_it_goes(world: NodeWorld, simulated):  # noqa: F811
    node, simulation = simulated
    masks = world.listen('segmentation/mask')
    simulation.run(node, lambda: len(masks) > 20 and states(node) == HEALTHY)
    for sensor in node._stream.sensor_reports():
        assert sensor.frame_rate == pytest.approx(20.0, rel=0.1)
        assert sensor.expected_rate == pytest.approx(20.0, rel=0.1)


def test_a_paused_clock_is_no_dropout(world: NodeWorld, simulated):  # noqa: F811
    node, simulation = simulated
    masks = world.listen('segmentation/mask')
    simulation.run(node, lambda: len(masks) > 5 and states(node) == HEALTHY)
    beats = []
    node.create_timer(0.1, lambda: beats.append(1), clock=node._heartbeat.clock)
    world.until(lambda: len(beats) >= 9)  # longer than `timeout`, by the steady clock
    assert states(node) == HEALTHY


def test_a_clock_that_goes_back_is_no_dropout(world: NodeWorld, simulated):  # noqa: F811
    node, simulation = simulated
    served, masks = (
        world.listen_latched('segmentation/active_modality'),
        world.listen('segmentation/mask'),
    )
    simulation.run(node, lambda: len(masks) > 5 and states(node) == HEALTHY)
    counts = {m: dict(s.counts) for m, s in node._stream._segmenter.sensors.items()}
    simulation.now = 50.0
    count = len(masks)
    simulation.run(node, lambda: len(masks) > count + 5 and states(node) == HEALTHY)
    assert {m: dict(s.counts) for m, s in node._stream._segmenter.sensors.items()} == counts
    assert [message.data for message in served if message.data != 'none'] == ['rgb']
    assert from_rgb(masks.last)

"""A ROS graph for tests of our nodes: on rclpy where it is importable, else the embedded one.

Nothing sleeps: `until` spins until a condition holds, `play` publishes as two drivers would.
"""

from __future__ import annotations

import itertools
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_bundle import make_tiny_bundle

from crodino_core.modality import Modality
from crodino_core.runtime.health import SensorState
from crodino_ros.middleware import NATIVE

if not NATIVE:
    pytest.importorskip('cyclonedds')

from crodino_ros.middleware import (
    Context,
    DurabilityPolicy,
    Node,
    Parameter,
    QoSProfile,
    SingleThreadedExecutor,
    rclpy,
)
from crodino_ros.middleware.msg import CompressedImage, DiagnosticArray, Header, Image, String
from crodino_ros.segment_node import SegmentNode

PATIENCE = 30.0
PERIOD = 0.05
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SENDER = QoSProfile(depth=5)
SIZE = (24, 32)
BRIGHT, DARK = 200, 60
NEAR, FAR = 1.0, 3.0
TOPICS = {Modality.RGB: 'color/image_raw', Modality.DEPTH: 'depth/image_rect'}
HEALTHY = dict.fromkeys(Modality, SensorState.OK)
_domains = itertools.cycle(range(40, 60))
_seeds, _numbers = itertools.count(), itertools.count()


def halves(left: float, right: float, noise: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return an image of two halves with some noise, another one every time: float32 [H, W]."""
    image = np.full(size, right, np.float32)
    image[:, : size[1] // 2] = left
    return image + np.random.default_rng(next(_seeds)).uniform(-noise, noise, size)


def color_image(size: tuple[int, int] = SIZE) -> np.ndarray:
    """Bright on the left: class 1 there, class 0 on the right. uint8 [H, W, 3]."""
    return np.repeat(halves(BRIGHT, DARK, 20, size).astype(np.uint8)[..., None], 3, axis=2)


def depth_image(size: tuple[int, int] = SIZE) -> np.ndarray:
    """Far on the left, near on the right: class 0, class 1. float32 [H, W]."""
    return halves(FAR, NEAR, 0.2, size).astype(np.float32)


def image_message(image: np.ndarray, encoding: str, frame_id: str = 'frame', **fields: Any) -> Any:
    """Return a sensor_msgs/Image; `fields` replace what would be right."""
    right = {
        'header': Header(frame_id=frame_id),
        'height': image.shape[0],
        'width': image.shape[1],
        'encoding': encoding,
        'step': image.nbytes // max(image.shape[0], 1),
        'data': array('B', image.tobytes()),
    }
    return Image(**{**right, **fields})


def pixels(message: Any) -> np.ndarray:
    """Return the bytes of an image: uint8 [H, step]."""
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)


def from_rgb(message: Any) -> bool:
    """Whether a mask was made from colour (class 1 on the left) and not from depth."""
    mask = pixels(message)
    return bool(mask[:, : mask.shape[1] // 2].mean() > 0.5)


def states(node: SegmentNode) -> dict[Modality, SensorState]:
    assert node._stream is not None
    return {m: sensor.state for m, sensor in node._stream._segmenter.sensors.items()}


def mentions(tasks: dict[str, Any], task: str, words: str) -> bool:
    """Whether the newest status of a task, see `NodeWorld.diagnostics`, says these words."""
    return task in tasks and words in tasks[task].message


def set_parameter(node: SegmentNode, name: str, value: Any) -> Any:
    return node.set_parameters([Parameter(name, value=value)])[0]


class Seen(list):
    """Messages of a topic, newest last."""

    @property
    def last(self) -> Any:
        return self[-1]


class Cameras(Node):
    """Both drivers: publishes what `make` returns for a modality."""

    def __init__(
        self, context: Context, namespace: str, topics: dict[Modality, str], qos: Any
    ) -> None:
        super().__init__('cameras', context=context, namespace=namespace)
        self.make: dict[Modality, Callable[[], Any]] = {
            Modality.RGB: lambda: image_message(color_image(), 'rgb8', 'camera'),
            Modality.DEPTH: lambda: image_message(depth_image(), '32FC1', 'depth_camera'),
        }
        self.senders = {
            modality: self.create_publisher(
                CompressedImage if topic.endswith(('compressed', 'compressedDepth')) else Image,
                topic,
                qos,
            )
            for modality, topic in topics.items()
        }
        self.stamp_from: Callable[[], int] = time.time_ns
        self.spoil: dict[Modality, Callable[[Any], None]] = {}
        """What a broken driver does to its message before it goes out."""

    def send(self, modality: Modality, **header: Any) -> Any:
        """Publish one image of now; return the message."""
        message = self.make[modality]()
        seconds, nanoseconds = divmod(self.stamp_from(), 1_000_000_000)
        message.header.stamp.sec, message.header.stamp.nanosec = seconds, nanoseconds
        if modality in self.spoil:
            self.spoil[modality](message)
        self.senders[modality].publish(message)
        return message


class NodeWorld:
    """One context with its nodes, spun by one executor."""

    def __init__(self, folder: Path, domain_id: int | None = None) -> None:
        self.folder = folder
        self.context = Context()
        self.domain_id = next(_domains) if domain_id is None else domain_id
        rclpy.init(args=[], context=self.context, domain_id=self.domain_id)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.nodes: list[Any] = []
        self.observer = self.add(Node('observer', context=self.context))
        self._next = dict.fromkeys(Modality, 0.0)

    def add(self, node: Any) -> Any:
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def cameras(
        self,
        namespace: str = '',
        color: str = TOPICS[Modality.RGB],
        depth: str = TOPICS[Modality.DEPTH],
        qos: Any = SENDER,
    ) -> Cameras:
        """Return both drivers, silent until `play` or `send`."""
        topics = {Modality.RGB: color, Modality.DEPTH: depth}
        return self.add(Cameras(self.context, namespace, topics, qos))

    def segment_node(
        self, *given: str, namespace: str = '', wait: bool = True, **parameters: Any
    ) -> SegmentNode:
        """Return a node that has activated itself; `given` are as `-r a:=b`."""
        settings = {
            'model': str(self.folder),
            'engine': 'onnxruntime',
            'warm_up_size': list(SIZE),
            'timeout': 0.6,
            'diagnostics_period': 0.1,
            **parameters,
        }
        overrides = [Parameter(name, value=value) for name, value in settings.items()]
        node = self.add(
            SegmentNode(
                f'eyes{next(_numbers)}',  # loggers, and what they throttle, outlive their node
                context=self.context,
                namespace=namespace or None,
                cli_args=['--ros-args', *(w for each in given for w in each.split())],
                parameter_overrides=overrides,
            )
        )
        if wait and settings.get('autostart', True):
            self.until(lambda: node._stream is not None)
        return node

    def listen(self, topic: str, kind: Any = Image, qos: Any = 10) -> Seen:
        """Return the messages of a topic, as they come."""
        seen = Seen()
        self.observer.create_subscription(kind, topic, seen.append, qos)
        return seen

    def listen_latched(self, topic: str, kind: Any = String) -> Seen:
        return self.listen(topic, kind, LATCHED)

    def diagnostics(self) -> dict[str, Any]:
        """Return the newest status by task ('rgb', 'depth', 'output'), kept up to date."""
        found: dict[str, Any] = {}

        def note(array: Any) -> None:
            found.update({status.name.split(': ')[1]: status for status in array.status})

        self.observer.create_subscription(DiagnosticArray, '/diagnostics', note, 10)
        return found

    def until(self, condition: Callable[[], object], patience: float = PATIENCE) -> None:
        """Spin until the condition holds."""
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, 'it did not happen in time'
            self.executor.spin_once(timeout_sec=0.01)

    def play(
        self,
        cameras: Cameras,
        condition: Callable[[], object],
        rgb: bool = True,
        depth: bool = True,
        period: float = PERIOD,
        patience: float = PATIENCE,
    ) -> None:
        """Publish images of the sensors that are on until the condition holds."""
        on = {Modality.RGB: rgb, Modality.DEPTH: depth}

        def step() -> object:
            now = time.monotonic()
            for modality in Modality:
                if on[modality] and now >= self._next[modality]:
                    behind = now - self._next[modality] > period
                    self._next[modality] = (now if behind else self._next[modality]) + period
                    cameras.send(modality)
            return condition()

        self.until(step, patience)

    def close(self) -> None:
        for node in self.nodes:
            node.destroy_node()
        self.executor.shutdown()
        rclpy.try_shutdown(context=self.context)


@pytest.fixture(scope='session')
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the tiny bundle."""
    pytest.importorskip('onnxruntime')
    folder = tmp_path_factory.mktemp('models') / 'tiny'
    make_tiny_bundle(folder)
    return folder


@pytest.fixture
def world(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeWorld]:
    """Return a new graph of its own."""
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST' if NATIVE else 'OFF')
    for name in ('ROS_STATIC_PEERS', 'CYCLONEDDS_URI'):
        monkeypatch.delenv(name, raising=False)
    made = NodeWorld(tiny_model)
    yield made
    made.close()

"""How fast the live node is here: what it adds to the engine, its gaps, its memory.

As in the live demonstration, a driver and the segment node are processes of their own; the masks
are received here. A straightforward node is then measured with the same driver.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.modality import Modality
from crodino_core.runtime.engines import load_engines
from crodino_ros.bench_driver_node import RATE
from crodino_ros.bench_node_figures import MaskSeen, Observed, figures, latency_percentiles
from crodino_ros.live_demo import START_PATIENCE
from crodino_ros.mask_outputs import LATCHED, RELIABLE
from crodino_ros.middleware import NATIVE, Node, SingleThreadedExecutor
from crodino_ros.middleware.msg import DiagnosticArray, Image
from crodino_ros.node_process import NAMESPACE, check_running, in_graph, node_process
from crodino_ros.sensor_input import TOPICS

TARGETS = {
    'overhead_p50_ms': 5.0,
    'overhead_p95_ms': 10.0,
    'longest_gap_periods': 2.0,
    'plain_over_node': 3.0,
}
"""At most, but for the last: at least."""
PLAY_PATIENCE = 30.0
"""Seconds that the driver may take on top of what its frames last."""
PLAIN_FRAMES = 300
"""The straightforward node is measured with no more frames than these."""
_CUT_FROM, _CUT_LENGTH, _CUT_FRAMES = 0.25, 0.2, 90
"""When the camera is cut, and for how long, as parts of the run; no more frames than these."""


@dataclass(frozen=True)
class NodeBench:
    """What is measured."""

    model: Path
    engine: str = 'auto'
    threads: int | None = None
    size: tuple[int, int] = (480, 640)
    """Height and width of the images."""
    frames: int = 600
    """Of each sensor; the camera misses some of them."""
    compare: bool = True
    """Whether to measure the straightforward node too."""


class BenchMonitor(Node):
    """Listens to the node that is measured."""

    def __init__(self) -> None:
        super().__init__('bench_monitor', namespace=NAMESPACE)
        self.seen = Observed()
        self.problem = ''
        self.create_subscription(Image, 'segmentation/mask', self._on_mask, RELIABLE)
        self.create_subscription(DiagnosticArray, 'segmentation/status', self._on_status, LATCHED)

    def _on_mask(self, message: Any) -> None:
        now = self.get_clock().now().nanoseconds
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        source = str(message.header.frame_id)
        self.seen.masks.append(MaskSeen(time.monotonic(), (now - stamp) * 1e-9, source))

    def _on_status(self, message: Any) -> None:
        output = message.status[-1]
        values = {pair.key: pair.value for pair in output.values}
        failed = output.level in (2, b'\x02') and values.get('state') == 'unconfigured'
        self.problem = output.message if failed else ''
        self.seen.output = values


def bench_node(bench: NodeBench) -> dict[str, Any]:
    """Measure the segment node, then the straightforward one, in a ROS domain of their own.

    :raises CrodinoError: a node could not be started or made no progress.
    """
    load = [round(value, 2) for value in os.getloadavg()]
    with _own_domain():
        missed = min(round(bench.frames * _CUT_LENGTH), _CUT_FRAMES)
        cut = (round(bench.frames * _CUT_FROM), missed)
        arguments = ['-p', f'model:={bench.model.resolve()}', '-p', f'engine:={bench.engine}']
        arguments += ['-p', f'threads:={bench.threads or 0}']
        node = figures(_observe('segment_node', arguments, bench, bench.frames, cut))
        plain = _bench_plain(bench)
    found = {
        'middleware': 'rclpy' if NATIVE else 'embedded',
        'size': list(bench.size),
        'rate': RATE,
        'frames': bench.frames,
        'load_before': load,
        'node': node,
        'plain': plain,
        'targets': TARGETS,
    }
    if 'latency_ms' in plain:
        ratio = plain['latency_ms']['p50'] / node['latency_ms']['p50']
        found['plain_over_node'] = round(ratio, 2)
    return found


def _bench_plain(bench: NodeBench) -> dict[str, Any]:
    """The same of the straightforward node, or why there is none."""
    if not bench.compare:
        return {'skipped': 'it was not asked for'}
    try:
        load_engines(ModelBundle.load(bench.model), 'torch', bench.threads)
    except CrodinoError as error:
        return {'skipped': str(error)}
    arguments = ['-p', f'model:={bench.model.resolve()}', '-p', f'threads:={bench.threads or 0}']
    arguments += [*('-p', f'height:={bench.size[0]}'), *('-p', f'width:={bench.size[1]}')]
    frames = min(bench.frames, PLAIN_FRAMES)
    seen = _observe('bench_plain_node', arguments, bench, frames, (-1, 0))
    return {'masks': len(seen.masks), 'latency_ms': latency_percentiles(seen.masks)}


def _observe(
    module: str, arguments: Sequence[str], bench: NodeBench, frames: int, cut: tuple[int, int]
) -> Observed:
    """Run a node and the driver until the driver has published all its frames."""
    driver = [*('-p', f'height:={bench.size[0]}'), *('-p', f'width:={bench.size[1]}')]
    driver += [*('-p', f'frames:={frames}'), *('-p', f'cut_from:={cut[0]}')]
    driver += ['-p', f'cut_frames:={cut[1]}']
    with in_graph():
        monitor = BenchMonitor()
        seen = monitor.seen
        executor = SingleThreadedExecutor()
        executor.add_node(monitor)

        def spin(patience: float, until: Callable[[], bool], step: Callable[[], object]) -> None:
            deadline = time.monotonic() + patience
            while not until():
                if monitor.problem:
                    raise CrodinoError(f'the segment node reports: {monitor.problem}')
                if time.monotonic() > deadline:
                    raise CrodinoError(f'{module} made no progress for {patience:.0f} s')
                executor.spin_once(timeout_sec=0.1)
                step()

        topic = monitor.resolve_topic_name(TOPICS[Modality.RGB])
        with node_process(module, arguments) as node:

            def listens() -> bool:
                check_running(**{module: node})
                return bool(monitor.count_subscribers(topic))

            spin(START_PATIENCE, listens, lambda: None)
            with node_process('bench_driver_node', driver) as player:
                seen.began = time.monotonic()
                patience = frames / RATE + PLAY_PATIENCE
                sampler = _MemorySampler(node.pid, seen)

                def has_played() -> bool:
                    check_running(**{module: node})
                    return player.poll() is not None

                spin(patience, has_played, sampler)
                if player.returncode:
                    check_running(bench_driver_node=player)
            masks = [mask.at for mask in seen.masks]
            if not masks:
                raise CrodinoError(f'{module} published no mask in {frames} frames')
            seen.began, seen.ended = masks[0], masks[-1]
        return seen


class _MemorySampler:
    """Notes the resident memory of a process, at most ten times a second."""

    def __init__(self, pid: int, seen: Observed) -> None:
        self._statm = Path(f'/proc/{pid}/statm')
        self._seen = seen
        self._next = 0.0
        self._page = os.sysconf('SC_PAGESIZE')

    def __call__(self) -> None:
        now = time.monotonic()
        if now < self._next or not self._statm.exists():
            return
        self._next = now + 0.1
        pages = int(self._statm.read_text().split()[1])
        self._seen.memory.append((now, pages * self._page / 1e6))


@contextmanager
def _own_domain() -> Iterator[None]:
    """Keep the nodes apart from everything else on this machine, and on this machine."""
    ours = {
        'ROS_DOMAIN_ID': str(20 + os.getpid() % 80),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

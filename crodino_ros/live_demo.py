"""The live demonstration: drivers, a fault injector and the segment node, each a process.

A player publishes the bundled sample as two drivers would, the fault injector plays the scenario
`demo`, the segment node publishes masks, and the monitor here shows what arrives.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from crodino_core.errors import CrodinoError
from crodino_core.modality import Modality
from crodino_ros.bags import BagRecording
from crodino_ros.engine_parameters import ENGINE_PARAMETERS
from crodino_ros.mask_outputs import LATCHED, RELIABLE
from crodino_ros.middleware import Node, SingleThreadedExecutor
from crodino_ros.middleware.msg import DiagnosticArray, Image, String
from crodino_ros.node_parameters import check_choices
from crodino_ros.node_process import NAMESPACE, check_running, in_graph, node_process

SCENARIO = 'demo'
START_PATIENCE = 60.0
"""Seconds for the node to load both networks."""
PLAY_PATIENCE = 60.0
"""Seconds that player and injector may take to start, on top of the sample's own duration."""
STYLES = {'ok': 'green', 'late': 'yellow', 'recovering': 'yellow'}


@dataclass
class LiveFigures:
    """What was seen of the masks; times in seconds of the monitor's clock."""

    masks: int = 0
    longest_gap: float = 0.0
    served: list[str] = field(default_factory=list)
    """The served modalities in their order."""
    latency_ms: str = ''
    _last: float | None = None

    def mask(self, now: float) -> None:
        """Count a mask."""
        if self._last is not None:
            self.longest_gap = max(self.longest_gap, now - self._last)
        self._last = now
        self.masks += 1


class Monitor(Node):
    """Listens to the segment node and the fault injector."""

    def __init__(self) -> None:
        super().__init__('monitor', namespace=NAMESPACE)
        self.figures = LiveFigures()
        self.sensors: dict[str, dict[str, str]] = {}
        self.output: dict[str, str] = {}
        self.faults = ''
        self.problem = ''
        self.create_subscription(Image, 'segmentation/mask', self._on_mask, RELIABLE)
        self.create_subscription(DiagnosticArray, 'segmentation/status', self._on_status, LATCHED)
        self.create_subscription(
            String, 'segmentation/active_modality', self._on_modality, LATCHED
        )
        self.create_subscription(String, 'fault_injector/active_faults', self._on_faults, LATCHED)

    @property
    def active(self) -> bool:
        """Whether the segment node has loaded its networks and listens."""
        return 'active_modality' in self.output

    def table(self) -> Table:
        """Return the present state as a table."""
        table = Table('sensor', 'state', 'why', 'rate', title='crodino, live', min_width=64)
        for name, values in self.sensors.items():
            state = values['state']
            style = STYLES.get(state, 'bold red')
            table.add_row(
                name, f'[{style}]{state}[/]', values['cause'], f'{values["frame_rate"]} /s'
            )
        served = self.figures.served[-1] if self.figures.served else 'none'
        table.caption = (
            f'injected: {self.faults or "none"}   served: {served}\n'
            f'masks: {self.figures.masks} ({self.output.get("mask_rate", "0")} /s)   '
            f'latency: {self.figures.latency_ms or "-"} ms   '
            f'longest gap: {self.figures.longest_gap:.2f} s'
        )
        return table

    def _on_mask(self, message: Any) -> None:
        self.figures.mask(time.monotonic())

    def _on_status(self, message: Any) -> None:
        for status in message.status:
            values = {pair.key: pair.value for pair in status.values}
            task = status.name.rpartition(': ')[2]
            if task in tuple(Modality):
                self.sensors[task] = values
            else:
                self.output = values
                self.figures.latency_ms = values.get('latency_p50_ms', '')
                failed = status.message if values.get('state') == 'unconfigured' else ''
                self.problem = failed if status.level in (2, b'\x02') else ''

    def _on_modality(self, message: Any) -> None:
        if message.data not in ('none', *self.figures.served[-1:]):
            self.figures.served.append(message.data)

    def _on_faults(self, message: Any) -> None:
        self.faults = '' if message.data == 'none' else message.data


def run_live_demo(bag: Path, model: Path, engine: str, console: Console) -> LiveFigures:
    """Play the sample live and show a table until it ends.

    :raises UsageError: there is no such engine.
    :raises CrodinoError: a process of the demonstration failed.
    :raises ExternalShutdownException: we were told to stop.
    """
    check_choices(ENGINE_PARAMETERS, {'engine': engine})
    duration = BagRecording(bag).duration
    with in_graph():
        monitor = Monitor()
        executor = SingleThreadedExecutor()
        executor.add_node(monitor)
        # A table that is drawn anew belongs on a terminal; a log gets the last one only.
        with Live(console=console, auto_refresh=False, transient=False) as live:

            def spin(patience: float, until: Any, **running: subprocess.Popen[bytes]) -> None:
                deadline = time.monotonic() + patience
                while not until():
                    if monitor.problem:
                        raise CrodinoError(f'the segment node reports: {monitor.problem}')
                    check_running(**running)
                    if time.monotonic() > deadline:
                        raise CrodinoError(
                            f'the live demonstration made no progress for {patience:.0f} s; '
                            'crodino replay shows the same without a network'
                        )
                    executor.spin_once(timeout_sec=0.1)
                    live.update(monitor.table(), refresh=console.is_terminal)

            with node_process('segment_node', _segment_arguments(model, engine)) as node:
                spin(START_PATIENCE, lambda: monitor.active, segment_node=node)
                with (
                    node_process('fault_injector_node', _injector_arguments(duration)) as injector,
                    node_process('bag_player_node', _player_arguments(bag)) as player,
                ):
                    spin(
                        duration + PLAY_PATIENCE,
                        lambda: player.poll() is not None,
                        segment_node=node,
                        fault_injector_node=injector,
                    )
                    if player.returncode != 0:
                        check_running(bag_player_node=player)
        return monitor.figures


def _segment_arguments(model: Path, engine: str) -> list[str]:
    return ['-p', f'model:={model.resolve()}', '-p', f'engine:={engine}']


def _injector_arguments(duration: float) -> list[str]:
    return [
        *('-p', f'scenario:={SCENARIO}', '-p', f'duration:={duration:.3f}'),
        *('-p', 'color_transport:=compressed', '-p', 'depth_transport:=compressedDepth'),
    ]


def _player_arguments(bag: Path) -> list[str]:
    topics = ('color/image_raw/compressed', 'depth/image_rect/compressedDepth')
    remaps = [part for topic in topics for part in ('-r', f'{topic}:=input/{topic}')]
    return ['-p', f'bag:={bag.resolve()}', *remaps]

"""The live demonstration, with its processes, on a small bag."""

import importlib.util
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from small_bag import write_small_bag
from tiny_bundle import make_tiny_bundle

if not any(importlib.util.find_spec(name) for name in ('rclpy', 'cyclonedds')):
    pytest.skip('neither rclpy nor cyclonedds is installed', allow_module_level=True)

from crodino_core.errors import CrodinoError, UsageError
from crodino_ros.live_demo import LiveFigures, run_live_demo
from crodino_ros.node_process import NAMESPACE, check_running, node_process


@pytest.fixture(autouse=True)
def own_domain(monkeypatch):
    """Keep the processes apart from everything else on this machine."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(61 + os.getpid() % 30))


def test_the_masks_go_on_from_depth_while_the_camera_is_cut(tmp_path):
    bag = write_small_bag(tmp_path / 'bag', color='jpeg', depth='compressedDepth', frames=60)
    model = make_tiny_bundle(tmp_path / 'tiny').path
    screen = io.StringIO()
    figures = run_live_demo(bag, model, 'openvino', Console(file=screen))
    assert figures.masks > 0
    assert 'depth' in figures.served
    assert 'rgb' in figures.served
    assert 'masks:' in screen.getvalue()


def test_a_model_that_cannot_be_loaded_ends_the_demonstration_with_its_reason(tmp_path):
    bag = write_small_bag(tmp_path / 'bag', color='jpeg', depth='compressedDepth', frames=5)
    with pytest.raises(CrodinoError, match=r'model\.yaml'):
        run_live_demo(bag, tmp_path / 'no_model', 'openvino', Console(file=io.StringIO()))


def test_an_engine_that_nobody_knows_is_refused_before_anything_starts(tmp_path):
    bag = write_small_bag(tmp_path / 'bag', frames=5)
    with pytest.raises(UsageError, match="'nonsense'; one of auto"):
        run_live_demo(bag, tmp_path, 'nonsense', Console(file=io.StringIO()))


def test_a_node_that_ends_too_early_is_named_with_its_exit_code():
    with node_process('segment_node', ['-p', 'timeout:=soon']) as node:
        node.wait(60)
        with pytest.raises(CrodinoError, match=r'segment_node .* exit code 2'):
            check_running(segment_node=node)


def test_a_player_that_fails_ends_the_demonstration_with_its_exit_code(tmp_path, monkeypatch):
    bag = write_small_bag(tmp_path / 'bag', color='jpeg', depth='compressedDepth', frames=5)
    model = make_tiny_bundle(tmp_path / 'tiny').path
    monkeypatch.setattr('crodino_ros.live_demo._player_arguments', lambda bag: ['-p', 'bag:=none'])
    with pytest.raises(CrodinoError, match=r'bag_player_node .* exit code [12]'):
        run_live_demo(bag, model, 'openvino', Console(file=io.StringIO()))


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_says_so_and_takes_its_nodes_along(tmp_path, number):
    """As a terminal (SIGINT, to all processes) and as a service manager (SIGTERM, to ours)."""
    demo = subprocess.Popen(
        [sys.executable, '-m', 'crodino_ros.cli', 'demo', '--out', str(tmp_path / 'out')],
        cwd=Path(__file__).resolve().parents[1],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    children = Path(f'/proc/{demo.pid}/task/{demo.pid}/children')
    while not (nodes := children.read_text().split()):
        assert demo.poll() is None
    (os.killpg if number == signal.SIGINT else os.kill)(demo.pid, number)
    _, said = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert 'Traceback' not in said
    assert 'interrupted' in said
    assert not any(Path(f'/proc/{node}').exists() for node in nodes)
    assert not (tmp_path / 'out').exists()


def test_two_demonstrations_have_names_of_their_own():
    ask = 'from crodino_ros.node_process import NAMESPACE; print(NAMESPACE)'
    other = subprocess.run([sys.executable, '-c', ask], capture_output=True, text=True)
    assert other.stdout.startswith('/crodino_demo_')
    assert other.stdout.strip() != NAMESPACE


def test_the_longest_gap_is_that_between_two_masks():
    figures = LiveFigures()
    for now in (1.0, 1.1, 1.5, 1.6):
        figures.mask(now)
    assert figures.masks == 4
    assert figures.longest_gap == pytest.approx(0.4)

"""The live demonstration, with its processes, on a small bag."""

import importlib.util
import io
import os

import pytest
from rich.console import Console
from small_bag import write_small_bag
from tiny_bundle import make_tiny_bundle

if not any(importlib.util.find_spec(name) for name in ('rclpy', 'cyclonedds')):
    pytest.skip('neither rclpy nor cyclonedds is installed', allow_module_level=True)

from crodino_core.errors import CrodinoError
from crodino_ros.live_demo import LiveFigures, run_live_demo


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


def test_the_longest_gap_is_that_between_two_masks():
    figures = LiveFigures()
    for now in (1.0, 1.1, 1.5, 1.6):
        figures.mask(now)
    assert figures.masks == 4
    assert figures.longest_gap == pytest.approx(0.4)

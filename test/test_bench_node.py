"""`crodino bench node`, with its processes, on small images."""

import importlib.util
import os
import signal

import pytest
from tiny_bundle import make_tiny_bundle

if not any(importlib.util.find_spec(name) for name in ('rclpy', 'cyclonedds')):
    pytest.skip('neither rclpy nor cyclonedds is installed', allow_module_level=True)

from crodino_core.errors import CrodinoError
from crodino_ros import bench_node as bench_node_module
from crodino_ros.bench_node import NodeBench, bench_node
from crodino_ros.bench_node_figures import MaskSeen, Observed, gap_through_cut, memory_growth


def test_all_figures_come_out(tmp_path):
    model = make_tiny_bundle(tmp_path / 'tiny').path
    found = bench_node(NodeBench(model, frames=120, size=(48, 64), compare=False))
    node = found['node']
    assert node['masks'] > 0
    assert 0 <= node['overhead_p50_ms'] <= node['overhead_p95_ms']
    assert node['longest_gap_periods'] > 0
    assert node['memory']['settled_mb'] > 0
    assert node['latency_ms']['p50'] > 0
    assert found['plain'] == {'skipped': 'it was not asked for'}
    assert found['middleware'] in ('embedded', 'rclpy')


def test_a_model_that_cannot_be_loaded_is_said(tmp_path):
    with pytest.raises(CrodinoError, match=r'model\.yaml'):
        bench_node(NodeBench(tmp_path / 'no_model', frames=60))


def test_a_node_that_dies_in_the_middle_of_a_run_is_no_result(tmp_path, monkeypatch):
    model = make_tiny_bundle(tmp_path / 'tiny').path
    whole = bench_node_module._MemorySampler.__call__

    def and_kill(self):
        whole(self)
        if len(self._seen.masks) > 5:
            os.kill(int(self._statm.parent.name), signal.SIGKILL)

    monkeypatch.setattr(bench_node_module._MemorySampler, '__call__', and_kill)
    with pytest.raises(CrodinoError, match='segment_node ended too early, with exit code -9'):
        bench_node(NodeBench(model, frames=120, size=(48, 64), compare=False))


def test_the_gap_is_that_around_the_masks_of_depth():
    sources = ['rgb'] * 60 + ['depth'] * 30 + ['rgb'] * 60
    times = [i / 30 for i in range(150)]
    times[62:] = [t + 1 / 30 for t in times[62:]]
    masks = [MaskSeen(t, 0.0, s) for t, s in zip(times, sources, strict=True)]
    assert gap_through_cut(masks) == pytest.approx(2.0)
    assert gap_through_cut(masks[:60]) is None


def test_memory_is_compared_after_both_networks_were_used():
    memory = [(float(t), 100.0 if t < 30 else 200.0 + 0.1 * t) for t in range(101)]
    found = memory_growth(Observed(memory=memory, began=0.0, ended=100.0))
    assert found == {'settled_mb': 206.5, 'end_mb': 209.5, 'growth_mb': 3.0}

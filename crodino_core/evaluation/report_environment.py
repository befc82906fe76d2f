"""What the figures of a report depend on: how the replay was set up, versions, machine."""

from __future__ import annotations

import re

from crodino_core.environment import machine, versions
from crodino_core.evaluation.records import ReplayResult

LIBRARIES = (
    'numpy',
    *('opencv-python-headless', 'opencv-python'),
    *('tensorrt', 'onnxruntime-gpu', 'openvino', 'onnxruntime', 'torch'),
    'rosbags',
)
"""What pip calls them; those that are not installed are left out."""
ENGINE_TITLES = {
    'openvino': 'OpenVINO',
    'onnxruntime': 'ONNX Runtime',
    'onnxruntime-gpu': 'ONNX Runtime (GPU)',
    'tensorrt': 'TensorRT',
    'torch': 'PyTorch',
}


def environment() -> dict[str, str]:
    """Return versions and machine, without names or paths."""
    return versions(LIBRARIES) | machine()


def settings(result: ReplayResult) -> list[tuple[str, str]]:
    """Return how the replay itself was set up, name and value."""
    policy = ', '.join(f'{key} {value}' for key, value in result.policy.items())
    rows = [
        ('Recording', f'{result.recording}, {result.duration_s:.1f} s'),
        ('Scenario', result.scenario or 'none'),
        ('Model', result.model),
        ('Engine', f'{result.engine} on {result.device}'),
        ('Policy', policy),
        ('Replayed in', f'{result.wall_s:.1f} s'),
    ]
    cost = result.comparison
    if cost is not None:
        told = f'{cost.inferences} masks more to make, {cost.seconds:.1f} s of these'
        rows.append(('Comparison with the clean run', told))
    return rows


def engine_title(result: ReplayResult) -> str:
    """Return engine and device as a heading has room for them: `OpenVINO 2026.4.1, CPU`."""
    name, _, version = result.engine.partition(' ')
    release = re.match(r'\d+(\.\d+)*', version)
    words = [ENGINE_TITLES.get(name, name), release.group() if release else version]
    return ', '.join(part for part in (' '.join(words).strip(), result.device) if part)

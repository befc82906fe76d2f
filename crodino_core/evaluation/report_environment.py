"""What the figures of a report depend on: how the replay was set up, versions, machine."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from pathlib import Path

from crodino_core import __version__
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
    found = {'crodino_ros': __version__, 'Python': platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    found['System'] = f'{platform.system()} {platform.release()}, {platform.machine()}'
    found['Processor'] = f'{_processor()}, {len(os.sched_getaffinity(0))} cores usable'
    return found


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


def _processor() -> str:
    """Return the processor's model name; what Python knows of it where Linux does not say."""
    try:
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

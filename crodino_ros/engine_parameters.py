"""The node's parameters about engines, and what they mean to `load_engines`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crodino_core.runtime.engines import AUTO, ENGINE_NAMES, TensorRtSettings
from crodino_core.variants import FLOAT32, PRECISIONS
from crodino_ros.node_parameters import ParameterSpec

COMPATIBLE = ('none', 'version', 'hardware', 'both')
SIBLINGS = '/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list'

ENGINE_PARAMETERS = (
    ParameterSpec(
        'engine',
        AUTO,
        'Inference engine; auto takes the first that works here and says which.',
        choices=(AUTO, *ENGINE_NAMES),
        at_configure=True,
    ),
    ParameterSpec(
        'precision',
        FLOAT32,
        "Of the model's networks; it must have them.",
        choices=PRECISIONS,
        at_configure=True,
    ),
    ParameterSpec(
        'exact',
        False,
        'Whether float32 networks are computed in float32 also where the processor is faster in '
        'bfloat16 (OpenVINO) or TF32 (TensorRT).',
        at_configure=True,
    ),
    ParameterSpec(
        'resolution',
        '',
        'HEIGHTxWIDTH that the networks work at, where the model has several; empty: its first.',
        at_configure=True,
    ),
    ParameterSpec(
        'engine_fallback',
        False,
        'Whether the next engine of the order is taken where the named one cannot be used; the '
        'log and /diagnostics say which, and why.',
        at_configure=True,
    ),
    ParameterSpec(
        'threads',
        0,
        'CPU threads of one inference; 0 leaves one core to the middleware where there are more '
        'than two, else the number to the engine.',
        limits=(0, 256),
        at_configure=True,
    ),
    ParameterSpec(
        'engine_cache',
        '',
        'Folder of built TensorRT engines; empty: crodino/engines in the user cache folder.',
        at_configure=True,
    ),
    ParameterSpec(
        'tensorrt_workspace',
        TensorRtSettings.workspace_mib,
        'MiB that TensorRT may use for the scratch space of one layer.',
        limits=(1, 1 << 20),
        at_configure=True,
    ),
    ParameterSpec(
        'tensorrt_dla_core',
        -1,
        'Core of the deep learning accelerator of a Jetson; -1: GPU only.',
        limits=(-1, 7),
        at_configure=True,
    ),
    ParameterSpec(
        'tensorrt_cuda_graph',
        TensorRtSettings.cuda_graph,
        'Whether one launch replays copies and kernels, instead of one launch for each.',
        at_configure=True,
    ),
    ParameterSpec(
        'tensorrt_compatible',
        COMPATIBLE[0],
        'What a built engine may be used with: later TensorRT of the same major version, any GPU '
        'since Ampere, or both; such engines are slower.',
        choices=COMPATIBLE,
        at_configure=True,
    ),
)


def tensorrt_settings(given: Mapping[str, Any]) -> TensorRtSettings:
    """Read the parameters about TensorRT.

    An engine for another image size is built in the background: the node is not to fall silent.
    """
    core, compatible = given['tensorrt_dla_core'], given['tensorrt_compatible']
    return TensorRtSettings(
        cache=Path(given['engine_cache']) if given['engine_cache'] else None,
        workspace_mib=given['tensorrt_workspace'],
        dla_core=None if core < 0 else core,
        version_compatible=compatible in ('version', 'both'),
        hardware_compatible=compatible in ('hardware', 'both'),
        cuda_graph=given['tensorrt_cuda_graph'],
        in_background=True,
    )


def threads_beside_middleware(cores: int) -> int | None:
    """Return the threads of an engine that leave one core to the middleware.

    :param cores: physical ones.
    :return: None, the engine's own choice, on one or two cores: one of two is half the machine.
    """
    return cores - 1 if cores > 2 else None


def physical_cores() -> int:
    """Count the cores this process may use; two hardware threads of a core count once."""
    usable = os.sched_getaffinity(0)
    try:
        return len({Path(SIBLINGS.format(each)).read_text() for each in usable})
    except OSError:
        return len(usable)

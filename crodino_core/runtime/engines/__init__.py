"""Inference engines behind one protocol; each library is imported only when it is chosen."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError, UsageError
from crodino_core.modality import Modality
from crodino_core.onnx_header import check_network
from crodino_core.runtime.engines.engine import Engine, Prediction
from crodino_core.runtime.engines.tensorrt_settings import TensorRtSettings

__all__ = [
    'AUTO',
    'ENGINE_NAMES',
    'Engine',
    'LoadedEngines',
    'Prediction',
    'TensorRtSettings',
    'load_engines',
]

AUTO = 'auto'
USUAL_SIZE = (480, 640)
"""Height and width that most cameras send; the engines are made ready for it."""


@dataclass(frozen=True)
class _Kind:
    """Where an engine's class lives and what must be installed for it."""

    module: str
    class_name: str
    requires: tuple[str, ...]
    requires_for_logits: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """What pip calls them, where that differs from what Python imports."""
    together: bool = False
    """Both networks may be compiled at once, in threads."""


_KINDS = {
    'tensorrt': _Kind(
        'tensorrt_engine',
        'TensorRtEngine',
        ('tensorrt', 'cuda', 'onnx'),
        packages=('tensorrt', 'cuda-python', 'onnx'),
    ),
    'onnxruntime-gpu': _Kind(
        'onnxruntime_engine',
        'OnnxRuntimeGpuEngine',
        ('onnxruntime',),
        ('onnx',),
        packages=('onnxruntime-gpu',),
    ),
    'openvino': _Kind('openvino_engine', 'OpenVinoEngine', ('openvino',), together=True),
    'onnxruntime': _Kind('onnxruntime_engine', 'OnnxRuntimeEngine', ('onnxruntime',), ('onnx',)),
    'torch': _Kind('torch_engine', 'TorchEngine', ('torch', 'onnx', 'onnx2torch')),
}
"""In the order `auto` tries them: a GPU first, then by their speed on a CPU."""
ENGINE_NAMES = tuple(_KINDS)


@dataclass(frozen=True)
class LoadedEngines:
    """One engine for each modality, all of one kind."""

    engines: dict[Modality, Engine]
    name: str
    passed_over: dict[str, str] = field(default_factory=dict)
    """Engines that were tried before, and why they could not be used."""

    def describe(self) -> dict[str, Any]:
        """Return the facts for a report."""
        first = next(iter(self.engines.values()))
        return {
            'name': self.name,
            'version': first.version,
            'device': first.device,
            'passed_over': dict(self.passed_over),
        }


def load_engines(
    bundle: ModelBundle,
    name: str = AUTO,
    threads: int | None = None,
    logits: bool = False,
    exact: bool = False,
    sizes: Mapping[Modality, tuple[int, int]] | None = None,
    tensorrt: TensorRtSettings | None = None,
    fallback: bool = False,
) -> LoadedEngines:
    """Load both networks of a bundle, the pair that was chosen of it, into one engine.

    :param name: 'auto' takes the first of `ENGINE_NAMES` that works here.
    :param threads: CPU threads for one inference; None leaves them to the engine's library.
    :param logits: also return the logits with each prediction (policy `average`).
    :param exact: compute in float32 even where the processor is faster in bfloat16 or TF32.
    :param sizes: height and width of the images to be made ready for; by default `USUAL_SIZE`.
    :param tensorrt: how TensorRT builds, keeps and runs its engines.
    :param fallback: where the named engine cannot be used, take the next one of `ENGINE_NAMES`.
    :raises UsageError: the name is unknown or the number of threads is not positive.
    :raises CrodinoError: the engine is not installed or cannot run the networks, or they take or
        return something else than those of a bundle.
    """
    if name != AUTO and name not in _KINDS:
        raise UsageError(
            f'the engine {name!r} is unknown; {AUTO}, {", ".join(ENGINE_NAMES)} were expected'
        )
    if threads is not None and threads < 1:
        raise UsageError(f'an engine cannot run on {threads} threads; 1 or more were expected')
    for modality in Modality:
        check_network(bundle.onnx_path(modality), modality, bundle.opset)
    options = {'threads': threads, 'logits': logits, 'exact': exact}
    candidates = ENGINE_NAMES if name == AUTO else ENGINE_NAMES[ENGINE_NAMES.index(name) :]
    passed_over: dict[str, str] = {}
    for candidate in candidates:
        own = {'settings': tensorrt} if candidate == 'tensorrt' else {}
        try:
            engines = _load(bundle, candidate, {**options, **own}, sizes or {})
            return LoadedEngines(engines, candidate, passed_over)
        except CrodinoError as error:
            if name != AUTO and not fallback:
                raise
            passed_over[candidate] = str(error)
    raise CrodinoError(f'no engine can be used: {"; ".join(passed_over.values())}')


def _load(
    bundle: ModelBundle,
    name: str,
    options: dict[str, Any],
    sizes: Mapping[Modality, tuple[int, int]],
) -> dict[Modality, Engine]:
    kind = _KINDS[name]
    _require(name, kind, kind.requires_for_logits if options['logits'] else ())
    try:
        module = importlib.import_module(f'{__name__}.{kind.module}')
        engine_class: Callable[..., Engine] = getattr(module, kind.class_name)
        engines = {m: engine_class(bundle.onnx_path(m), **options) for m in Modality}
        _prepare(engines, sizes, kind.together)  # what cannot be compiled is to be known now
    except Exception as error:  # whatever a library raises, the user gets one line
        reason = str(error).strip().partition('\n')[0] or type(error).__name__
        raise CrodinoError(
            f'the engine {name} cannot run the networks of {bundle.path}: {reason}'
        ) from error
    return engines


def _prepare(
    engines: Mapping[Modality, Engine], sizes: Mapping[Modality, tuple[int, int]], together: bool
) -> None:
    def prepare(modality: Modality) -> None:
        engines[modality].prepare(sizes.get(modality, USUAL_SIZE))

    if together:
        with ThreadPoolExecutor(len(engines)) as pool:
            list(pool.map(prepare, engines))
    else:
        for modality in engines:
            prepare(modality)


def _require(name: str, kind: _Kind, besides: tuple[str, ...]) -> None:
    packages = dict(zip(kind.requires, kind.packages or kind.requires, strict=True))
    packages.update({package: package for package in besides})
    missing = [each for each in packages if importlib.util.find_spec(each) is None]
    if missing:
        raise CrodinoError(
            f'the engine {name} is not installed (found no {", ".join(missing)}); '
            f'install it with: pip install {" ".join(packages[each] for each in missing)}'
        )

"""Inference engines behind one protocol; each library is imported only when it is chosen."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError, UsageError
from crodino_core.modality import Modality
from crodino_core.runtime.engines.engine import Engine, Prediction

__all__ = ['AUTO', 'ENGINE_NAMES', 'Engine', 'LoadedEngines', 'Prediction', 'load_engines']

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


_KINDS = {
    'openvino': _Kind('openvino_engine', 'OpenVinoEngine', ('openvino',)),
    'onnxruntime': _Kind('onnxruntime_engine', 'OnnxRuntimeEngine', ('onnxruntime',), ('onnx',)),
    'torch': _Kind('torch_engine', 'TorchEngine', ('torch', 'onnx', 'onnx2torch')),
}
"""In the order `auto` tries them: by their speed on a CPU."""
ENGINE_NAMES = tuple(_KINDS)


@dataclass(frozen=True)
class LoadedEngines:
    """One engine for each modality, all of one kind."""

    engines: dict[Modality, Engine]
    name: str
    passed_over: dict[str, str] = field(default_factory=dict)
    """Engines that `auto` tried before, and why they could not be used."""

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
) -> LoadedEngines:
    """Load both networks of a bundle into one engine.

    :param name: 'auto' takes the first of `ENGINE_NAMES` that works here.
    :param threads: CPU threads for one inference; None leaves them to the engine's library.
    :param logits: also return the logits with each prediction (policy `average`).
    :param exact: compute in float32 even where the processor is faster in bfloat16.
    :raises UsageError: the name is unknown or the number of threads is not positive.
    :raises CrodinoError: the engine is not installed or cannot run the networks.
    """
    if name != AUTO and name not in _KINDS:
        raise UsageError(
            f'the engine {name!r} is unknown; {AUTO}, {", ".join(ENGINE_NAMES)} were expected'
        )
    if threads is not None and threads < 1:
        raise UsageError(f'an engine cannot run on {threads} threads; 1 or more were expected')
    options = {'threads': threads, 'logits': logits, 'exact': exact}
    if name != AUTO:
        return LoadedEngines(_load(bundle, name, options), name)
    passed_over: dict[str, str] = {}
    for candidate in ENGINE_NAMES:
        try:
            return LoadedEngines(_load(bundle, candidate, options), candidate, passed_over)
        except CrodinoError as error:
            passed_over[candidate] = str(error)
    raise CrodinoError(f'no engine can be used: {"; ".join(passed_over.values())}')


def _load(bundle: ModelBundle, name: str, options: dict[str, Any]) -> dict[Modality, Engine]:
    kind = _KINDS[name]
    _require(name, kind.requires + (kind.requires_for_logits if options['logits'] else ()))
    try:
        module = importlib.import_module(f'{__name__}.{kind.module}')
        engine_class: Callable[..., Engine] = getattr(module, kind.class_name)
        engines = {m: engine_class(bundle.onnx_path(m), **options) for m in Modality}
        for engine in engines.values():  # what cannot be compiled is to be known now
            engine.prepare(USUAL_SIZE)
    except Exception as error:  # whatever a library raises, the user gets one line
        reason = str(error).strip().partition('\n')[0] or type(error).__name__
        raise CrodinoError(
            f'the engine {name} cannot run the networks of {bundle.path}: {reason}'
        ) from error
    return engines


def _require(name: str, packages: tuple[str, ...]) -> None:
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise CrodinoError(
            f'the engine {name} is not installed (found no {", ".join(missing)}); '
            f'install it with: pip install {" ".join(missing)}'
        )

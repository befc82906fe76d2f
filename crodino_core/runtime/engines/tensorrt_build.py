"""From an ONNX file to a serialised TensorRT engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_core.runtime.engines.tensorrt_graph import TensorRtGraph
from crodino_core.runtime.engines.tensorrt_log import make_log, reason, start
from crodino_core.runtime.engines.tensorrt_settings import TensorRtSettings
from crodino_core.runtime.engines.tensorrt_versions import (
    create_network,
    hold_precision,
    watch_progress,
)

MIB = 1 << 20
SECONDS_BETWEEN_LINES = 5.0


class BuildProgress:
    """A line every few seconds, so that nobody takes the silence of minutes for a hang."""

    def __init__(self, what: str, say: Callable[[str], object]) -> None:
        self._what = what
        self._say = say
        self._phase = ''

    def tell(self, phase: str) -> None:
        """Take note of what the builder does now."""
        self._phase = phase

    def line(self, elapsed: float) -> str:
        """Say how far the build is."""
        return ', '.join(filter(None, (f'{self._what}: {elapsed:.0f} s', self._phase)))

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Say so from time to time while the block runs."""
        done, started = threading.Event(), time.monotonic()

        def show() -> None:
            while not done.wait(SECONDS_BETWEEN_LINES):
                self._say(self.line(time.monotonic() - started))

        thread = threading.Thread(target=show, name='build progress', daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def build(
    trt: Any,
    graph: TensorRtGraph,
    settings: TensorRtSettings,
    exact: bool,
    timing_cache: bytes,
    progress: BuildProgress,
) -> tuple[bytes, bytes]:
    """Build an engine, which takes from seconds to many minutes.

    :param trt: the module `tensorrt`, or a stand-in.
    :param exact: forbid TF32, which rounds float32 to 10 bits of mantissa.
    :param timing_cache: of earlier builds on this device, or empty.
    :return: the serialised engine and the timing cache for the next build.
    :raises CrodinoError: TensorRT cannot read or build the network; the message says why.
    """
    log = make_log(trt)
    builder = start(trt, trt.Builder, log)
    config = builder.create_builder_config()
    dla = settings.dla_core is not None
    network = create_network(trt, builder, config, graph.precision, dla)
    _parse(trt, network, graph, log)
    if graph.precision != 'float32':
        hold_precision(trt, network, graph.float_tensors)
    _configure(trt, builder, config, settings, exact)
    # One of another version is refused (None); then timing begins anew.
    cache = config.create_timing_cache(timing_cache) or config.create_timing_cache(b'')
    config.set_timing_cache(cache, False)
    watch_progress(trt, config, progress.tell)
    with progress.shown():
        engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise CrodinoError(f'TensorRT {trt.__version__} cannot build the network{reason(log)}')
    return bytes(engine), bytes(config.get_timing_cache().serialize())


def _parse(trt: Any, network: Any, graph: TensorRtGraph, log: Any) -> None:
    parser = trt.OnnxParser(network, log)
    if not parser.parse(graph.content):
        errors = [parser.get_error(index).desc() for index in range(parser.num_errors)]
        why = (
            f': {"; ".join(" ".join(each.split()) for each in errors)}' if errors else reason(log)
        )
        raise CrodinoError(f'TensorRT {trt.__version__} cannot read the network{why}')


def _configure(
    trt: Any, builder: Any, config: Any, settings: TensorRtSettings, exact: bool
) -> None:
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mib * MIB)
    if exact:
        config.clear_flag(trt.BuilderFlag.TF32)
    if settings.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if settings.hardware_compatible:
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    if settings.dla_core is not None:
        if settings.dla_core >= builder.num_DLA_cores:
            raise CrodinoError(
                f'DLA core {settings.dla_core} was asked for; this device has '
                f'{builder.num_DLA_cores} that TensorRT {trt.__version__} can use'
            )
        config.default_device_type = trt.DeviceType.DLA
        config.DLA_core = settings.dla_core
        config.set_flag(trt.BuilderFlag.GPU_FALLBACK)

"""A TensorRT engine in GPU memory, with its buffers, its stream and its CUDA graph."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from crodino_core.errors import CrodinoError
from crodino_core.runtime.engines.cuda_runtime import MIB, Cuda, handle
from crodino_core.runtime.engines.engine_cache import StaleEngineError
from crodino_core.runtime.engines.tensorrt_log import make_log, reason, start
from crodino_core.runtime.engines.tensorrt_settings import TensorRtSettings

DTYPES: dict[str, np.dtype] = {
    'FLOAT': np.dtype(np.float32),
    'HALF': np.dtype(np.float16),
    'UINT8': np.dtype(np.uint8),
}
"""By the names of TensorRT's data types; others are no input or output of a bundle's network."""


@dataclass(frozen=True)
class _Tensor:
    """An input or output: page-locked host memory and device memory of the same size."""

    host: np.ndarray
    device: int


class TensorRtSession:
    """Runs one network for images of one size; one caller at a time."""

    def __init__(
        self, trt: Any, cuda: Cuda, engine: bytes, settings: TensorRtSettings, what: str
    ) -> None:
        """Put a serialised engine onto the device and run it once.

        :param what: name of the engine, for errors.
        :raises StaleEngineError: TensorRT refuses it (another version, another GPU).
        :raises CrodinoError: there is no memory for it.
        """
        self._cuda = cuda
        self._release: list[tuple[str, Any]] = []
        # Before the rest, so that what a failure leaves behind is freed as well.
        weakref.finalize(self, _free, cuda, self._release)
        log = make_log(trt)
        self._runtime = start(trt, trt.Runtime, log)
        if settings.version_compatible:
            self._runtime.engine_host_code_allowed = True
        if settings.dla_core is not None:
            self._runtime.DLA_core = settings.dla_core
        before = cuda.free_memory()[0]
        loaded = self._runtime.deserialize_cuda_engine(engine)
        if loaded is None:
            raise StaleEngineError(f'TensorRT {trt.__version__} cannot load {what}{reason(log)}')
        self._context = loaded.create_execution_context()
        if self._context is None:
            free, total = cuda.free_memory()
            raise CrodinoError(
                f'no memory on the GPU to run {what}: {free / MIB:.0f} of {total / MIB:.0f} MiB '
                f'are free{reason(log)}'
            )
        self._engine = loaded
        self._stream = self._own('cudaStreamDestroy', cuda.call('cudaStreamCreateWithFlags', 1))
        self._inputs: list[_Tensor] = []
        self._outputs: dict[str, _Tensor] = {}
        for index in range(loaded.num_io_tensors):
            self._bind(trt, loaded.get_tensor_name(index), what)
        self.memory = max(0, before - cuda.free_memory()[0])
        """Device memory that the engine, its scratch space and its buffers took, bytes."""
        self._graph = self._record(settings.say) if settings.cuda_graph else None

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs for an input of the engine's shape, in arrays of their own."""
        np.copyto(self._inputs[0].host, batch)
        self._launch()
        self._cuda.call('cudaStreamSynchronize', self._stream)
        return {name: tensor.host.copy() for name, tensor in self._outputs.items()}

    @property
    def has_graph(self) -> bool:
        """Whether one launch replays copies and kernels."""
        return self._graph is not None

    def device_ms(self) -> float:
        """Measure what the device needs for copies and network of the last input, ms."""
        with self._cuda.timed(self._stream) as figures:
            self._launch()
        return figures[0]

    def _bind(self, trt: Any, name: str, what: str) -> None:
        kind = self._engine.get_tensor_dtype(name).name
        shape = tuple(self._engine.get_tensor_shape(name))
        if kind not in DTYPES or min(shape, default=1) < 0:
            raise CrodinoError(
                f'{what} has a tensor {name} {kind} {list(shape)}; {", ".join(DTYPES)} of a fixed '
                'shape was expected: export the network anew'
            )
        host, address = self._cuda.pinned(shape, DTYPES[kind])
        self._own('cudaFreeHost', address)
        device = self._cuda.allocate(host.nbytes, f'the tensor {name}')
        self._own('cudaFree', device)
        self._context.set_tensor_address(name, device)
        if self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT:
            self._inputs.append(_Tensor(host, device))
        else:
            self._outputs[name] = _Tensor(host, device)

    def _enqueue(self) -> None:
        for tensor in self._inputs:
            self._cuda.copy_in(tensor.device, tensor.host, self._stream)
        if not self._context.execute_async_v3(handle(self._stream)):
            raise CrodinoError('TensorRT could not start the network')
        for tensor in self._outputs.values():
            self._cuda.copy_out(tensor.host, tensor.device, self._stream)

    def _launch(self) -> None:
        if self._graph is None:
            self._enqueue()
        else:
            self._cuda.call('cudaGraphLaunch', self._graph, self._stream)

    def _record(self, say: Callable[[str], object]) -> Any:
        """Capture the work as a CUDA graph, after TensorRT did what it does only once."""
        self._enqueue()
        self._cuda.call('cudaStreamSynchronize', self._stream)
        try:
            graph = self._cuda.capture(self._stream, self._enqueue)
        except CrodinoError as error:
            say(f'without CUDA graph, as the network cannot be captured: {error}')
            return None
        return self._own('cudaGraphExecDestroy', graph)

    def _own(self, destructor: str, resource: Any) -> Any:
        self._release.append((destructor, resource))
        return resource


def _free(cuda: Cuda, resources: list[tuple[str, Any]]) -> None:
    """Give back what a session took, last first."""
    for destructor, resource in reversed(resources):
        try:
            cuda.call(destructor, resource)
        except CrodinoError:  # the device is gone, or the process ends: nothing left to free
            return

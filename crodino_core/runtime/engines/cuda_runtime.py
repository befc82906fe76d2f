"""CUDA through cuda-python: the device, its memory, a stream and a graph."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from crodino_core.errors import CrodinoError

MIB = 1 << 20


@dataclass(frozen=True)
class Gpu:
    """The device that CUDA uses."""

    name: str
    compute_capability: tuple[int, int]
    driver: str
    """The newest CUDA that the driver supports, e.g. '12.4'."""


def import_cuda() -> Any:
    """Return the runtime module of cuda-python, whichever of its two places it lies in.

    `cuda.bindings.runtime` came with 12.6 and is all that 13 has; until then it was
    `cuda.cudart` (release notes of cuda-python 12.6.1 and 13.0.0).
    """
    try:
        from cuda.bindings import runtime
    except ImportError:
        from cuda import cudart as runtime
    return runtime


class Cuda:
    """Calls into CUDA that raise one-line errors; `library` is `import_cuda()` or a stand-in."""

    def __init__(self, library: Any) -> None:
        """Look at the device, before TensorRT does: that crashes where there is no driver.

        :raises CrodinoError: there is no usable device, no driver, or one that is too old.
        """
        self._library = library
        status, count = library.cudaGetDeviceCount()
        if int(status) or not count:
            raise CrodinoError(self._why_no_device(status))
        properties = self.call('cudaGetDeviceProperties', 0)
        self.gpu = Gpu(
            name=properties.name.decode().strip('\0 '),
            compute_capability=(int(properties.major), int(properties.minor)),
            driver=_version(self.call('cudaDriverGetVersion')),
        )

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of the library; return what it returns beside the status.

        :raises CrodinoError: the status is not success.
        """
        status, *results = getattr(self._library, name)(*arguments)
        if int(status):
            raise CrodinoError(f'CUDA: {name}: {self._in_words(status)}')
        return results[0] if len(results) == 1 else tuple(results)

    def free_memory(self) -> tuple[int, int]:
        """Return the free and the whole memory of the device, bytes."""
        free, total = self.call('cudaMemGetInfo')
        return int(free), int(total)

    def require(self, size: int, purpose: str) -> None:
        """Check that the device has so much free memory.

        :raises CrodinoError: it has less; the message says how much was asked and is free.
        """
        free, total = self.free_memory()
        if free < size:
            raise CrodinoError(
                f'no memory on the GPU: {purpose} asks for {size / MIB:.0f} MiB, '
                f'{free / MIB:.0f} of {total / MIB:.0f} MiB are free'
            )

    def allocate(self, size: int, purpose: str) -> int:
        """Return the address of device memory.

        :raises CrodinoError: there is not so much.
        """
        self.require(size, purpose)
        return int(self.call('cudaMalloc', size))

    def pinned(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[np.ndarray, int]:
        """Return an array in page-locked host memory, which copies at full speed; its address."""
        size = int(np.prod(shape)) * dtype.itemsize
        address = int(self.call('cudaMallocHost', size))
        block = (ctypes.c_uint8 * size).from_address(address)
        return np.ctypeslib.as_array(block).view(dtype).reshape(shape), address

    def copy_in(self, device: int, host: np.ndarray, stream: Any) -> None:
        """Copy pinned host memory to the device, in the stream's order."""
        kind = self._library.cudaMemcpyKind.cudaMemcpyHostToDevice
        self.call('cudaMemcpyAsync', device, host.ctypes.data, host.nbytes, kind, stream)

    def copy_out(self, host: np.ndarray, device: int, stream: Any) -> None:
        """Copy device memory to pinned host memory, in the stream's order."""
        kind = self._library.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self.call('cudaMemcpyAsync', host.ctypes.data, device, host.nbytes, kind, stream)

    def capture(self, stream: Any, work: Callable[[], None]) -> Any:
        """Record what `work` puts into a stream; `cudaGraphLaunch` does it all again at once.

        :raises CrodinoError: some of it cannot be recorded.
        """
        # Thread-local: what another thread does meanwhile (allocate, load) spoils nothing.
        mode = self._library.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self.call('cudaStreamBeginCapture', stream, mode)
        try:
            work()
        finally:
            graph = self.call('cudaStreamEndCapture', stream)
        try:
            return self.call('cudaGraphInstantiate', graph, 0)
        finally:
            self.call('cudaGraphDestroy', graph)

    @contextmanager
    def timed(self, stream: Any) -> Iterator[list[float]]:
        """Measure what the device needs for the work of a block, ms; the list gets the figure."""
        figures: list[float] = []
        start, end = self.call('cudaEventCreate'), self.call('cudaEventCreate')
        try:
            self.call('cudaEventRecord', start, stream)
            yield figures
            self.call('cudaEventRecord', end, stream)
            self.call('cudaEventSynchronize', end)
            figures.append(float(self.call('cudaEventElapsedTime', start, end)))
        finally:
            self.call('cudaEventDestroy', start)
            self.call('cudaEventDestroy', end)

    def _why_no_device(self, status: Any) -> str:
        supported = _version(self._library.cudaDriverGetVersion()[1])
        needed = _version(self._library.cudaRuntimeGetVersion()[1])
        if supported == '0.0':
            return 'there is no NVIDIA driver; install one, or take an engine for the CPU'
        if int(status) == int(self._library.cudaError_t.cudaErrorInsufficientDriver):
            return (
                f'the NVIDIA driver is too old: it supports CUDA {supported}, cuda-python is made '
                f'for {needed}; update the driver or install an older cuda-python'
            )
        reason = self._in_words(status) if int(status) else 'CUDA sees none'
        return f'no NVIDIA GPU can be used: {reason}'

    def _in_words(self, status: Any) -> str:
        text = self._library.cudaGetErrorString(status)[1]
        return text.decode() if isinstance(text, bytes) else str(text)


def handle(stream: Any) -> int:
    """Return the address of a CUDA stream, as TensorRT takes it."""
    return int(stream)


def _version(number: int) -> str:
    """Write CUDA's 12040 as '12.4'."""
    return f'{number // 1000}.{number % 1000 // 10}'

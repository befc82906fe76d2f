"""CUDA without a GPU: cuda-python's functions over ordinary memory; a stream runs at once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

MIB = 1 << 20


class _Status(IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorStreamCaptureUnsupported = 900


class CudaStandIn:
    """What `import_cuda()` returns, as far as it is used; each function gives (status, ...).

    :param driver: CUDA version of the driver, 12040 for 12.4, 0 for no driver.
    :param free_mib: memory of the device.
    :param captures: whether work can be recorded as a graph.
    """

    cudaError_t = _Status
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)

    def __init__(
        self,
        driver: int = 12040,
        devices: int = 1,
        name: str = 'Orin',
        capability: tuple[int, int] = (8, 7),
        free_mib: float = 4096,
        captures: bool = True,
    ) -> None:
        self.driver, self.devices, self.captures = driver, devices, captures
        self.name, self.capability = name, capability
        self.free = int(free_mib * MIB)
        self.total = 8192 * MIB
        self.memory: dict[int, Any] = {}
        self.launched = 0
        self._recorded: list[Callable[[], None]] | None = None

    def enqueue(self, work: Callable[[], None]) -> None:
        """Put work into the only stream: done at once, or recorded."""
        if self._recorded is None:
            work()
        else:
            self._recorded.append(work)

    def cudaGetDeviceCount(self) -> tuple[_Status, int | None]:
        if self.driver < 12000:
            return _Status.cudaErrorInsufficientDriver, None
        return (_Status.cudaSuccess, self.devices) if self.devices else (_Status(100), None)

    def cudaGetDeviceProperties(self, device: int) -> tuple[_Status, SimpleNamespace]:
        major, minor = self.capability
        facts = SimpleNamespace(name=f'{self.name}\0'.encode(), major=major, minor=minor)
        return _Status.cudaSuccess, facts

    def cudaDriverGetVersion(self) -> tuple[_Status, int]:
        return _Status.cudaSuccess, self.driver

    def cudaRuntimeGetVersion(self) -> tuple[_Status, int]:
        return _Status.cudaSuccess, 12060

    def cudaGetErrorString(self, status: _Status) -> tuple[_Status, bytes]:
        return _Status.cudaSuccess, status.name.encode()

    def cudaMemGetInfo(self) -> tuple[_Status, int, int]:
        return _Status.cudaSuccess, self.free, self.total

    def cudaMalloc(self, size: int) -> tuple[_Status, int | None]:
        if size > self.free:
            return _Status.cudaErrorMemoryAllocation, None
        self.free -= size
        return self.cudaMallocHost(size)

    def cudaMallocHost(self, size: int) -> tuple[_Status, int]:
        block = ctypes.create_string_buffer(size)
        self.memory[ctypes.addressof(block)] = block
        return _Status.cudaSuccess, ctypes.addressof(block)

    def cudaFree(self, address: int) -> tuple[_Status]:
        self.free += len(self.memory.pop(address))
        return (_Status.cudaSuccess,)

    def cudaFreeHost(self, address: int) -> tuple[_Status]:
        del self.memory[address]
        return (_Status.cudaSuccess,)

    def cudaMemcpyAsync(
        self, target: int, source: int, size: int, kind: int, stream: int
    ) -> tuple[_Status]:
        self.enqueue(lambda: ctypes.memmove(target, source, size) and None)
        return (_Status.cudaSuccess,)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[_Status, int]:
        return _Status.cudaSuccess, 7

    def cudaStreamSynchronize(self, stream: int) -> tuple[_Status]:
        return (_Status.cudaSuccess,)

    cudaStreamDestroy = cudaGraphDestroy = cudaGraphExecDestroy = cudaStreamSynchronize

    def cudaStreamBeginCapture(self, stream: int, mode: int) -> tuple[_Status]:
        if not self.captures:
            return (_Status.cudaErrorStreamCaptureUnsupported,)
        self._recorded = []
        return (_Status.cudaSuccess,)

    def cudaStreamEndCapture(self, stream: int) -> tuple[_Status, Any]:
        recorded, self._recorded = self._recorded, None
        return _Status.cudaSuccess, recorded

    def cudaGraphInstantiate(self, graph: Any, flags: int) -> tuple[_Status, Any]:
        return _Status.cudaSuccess, graph

    def cudaGraphLaunch(self, graph: Any, stream: int) -> tuple[_Status]:
        self.launched += 1
        for work in graph:
            work()
        return (_Status.cudaSuccess,)

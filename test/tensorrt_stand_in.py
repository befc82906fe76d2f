"""TensorRT without a GPU: the same names, of one version only, with ONNX Runtime doing the work.

It offers what `tensorrt_api.API` says the version has, and nothing else, so that code which uses
another name fails. A built engine is its ONNX file behind a line with version and options.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
from cuda_stand_in import CudaStandIn
from tensorrt_api import names

DTYPES = {'tensor(uint8)': 'UINT8', 'tensor(float)': 'FLOAT', 'tensor(float16)': 'HALF'}


class TensorRtStandIn:
    """The module `tensorrt` of a version.

    :param damage: added to each class of a mask, so that it is wrong.
    """

    def __init__(self, cuda: CudaStandIn, version: str = '10.3.0', damage: int = 0) -> None:
        self.__version__ = version
        self.cuda, self.damage = cuda, damage
        self.major = int(version.split('.')[0])
        self.builds: list[SimpleNamespace] = []
        """What each build was asked for."""
        self.refuses = ''
        """A reason to build nothing."""
        self.cannot_start = ''
        """A warning that comes with no builder at all."""
        self.during_build: Callable[[], object] = lambda: None
        known = names('tensorrt', self.major)
        self.float32 = 'float32'
        for kind in ('BuilderFlag', 'DeviceType', 'HardwareCompatibilityLevel', 'MemoryPoolType'):
            setattr(self, kind, _enumeration(kind, self.major))
        self.NetworkDefinitionCreationFlag = _enumeration(
            'NetworkDefinitionCreationFlag', self.major
        )
        self.TensorIOMode = SimpleNamespace(INPUT='input')
        self.ILogger = type('ILogger', (), {'WARNING': 2, 'ERROR': 1, 'INTERNAL_ERROR': 0})
        if 'IProgressMonitor' in known:
            self.IProgressMonitor = type('IProgressMonitor', (), {})

    def Builder(self, log: Any) -> _Limited:
        if self.cannot_start:
            log.log(2, self.cannot_start)
            raise TypeError('pybind11::init(): factory function returned nullptr')
        return _Limited(
            'Builder',
            self.major,
            num_DLA_cores=0,
            create_builder_config=lambda: _config(self.major),
            create_network=lambda flags: _network(self.major, flags),
            build_serialized_network=lambda network, config: self._build(network, config, log),
        )

    def OnnxParser(self, network: Any, log: Any) -> _Limited:
        def parse(content: bytes) -> bool:
            network._content = content
            return True

        return _Limited('OnnxParser', self.major, parse=parse, num_errors=0, get_error=None)

    def Runtime(self, log: Any) -> _Limited:
        return _Limited(
            'Runtime',
            self.major,
            engine_host_code_allowed=False,
            DLA_core=0,
            deserialize_cuda_engine=lambda content: self._load(content, log),
        )

    def _build(self, network: Any, config: Any, log: Any) -> bytes | None:
        monitor = getattr(config, '_progress_monitor', None)
        if monitor is not None:
            monitor.phase_start('Building', None, 2)
            assert monitor.step_complete('Building', 0)
            monitor.phase_finish('Building')
        self.during_build()
        if self.refuses:
            log.log(1, self.refuses)
            return None
        self.builds.append(
            SimpleNamespace(
                flags=network._flags,
                set=config._set,
                given=config._given,
                held=network._precisions,
            )
        )
        return f'{self.__version__}\n'.encode() + network._content

    def _load(self, content: bytes, log: Any) -> _Limited | None:
        version, _, onnx_content = content.partition(b'\n')
        if version.decode() != self.__version__:
            log.log(0, f'The engine plan file is of version {version.decode()}')
            return None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(onnx_content, options, ['CPUExecutionProvider'])
        tensors = [*session.get_inputs(), *session.get_outputs()]
        kinds = {each.name: DTYPES[each.type] for each in tensors}
        shapes = {each.name: each.shape for each in tensors}
        inputs = {each.name for each in session.get_inputs()}
        return _Limited(
            'ICudaEngine',
            self.major,
            num_io_tensors=len(tensors),
            get_tensor_name=lambda index: tensors[index].name,
            get_tensor_dtype=lambda name: SimpleNamespace(name=kinds[name]),
            get_tensor_shape=lambda name: shapes[name],
            get_tensor_mode=lambda name: 'input' if name in inputs else 'output',
            create_execution_context=lambda: self._context(session, shapes),
        )

    def _context(self, session: Any, shapes: dict[str, list[int]]) -> _Limited:
        addresses: dict[str, int] = {}

        def execute() -> None:
            (source,) = session.get_inputs()
            dtype = np.uint8 if source.type == 'tensor(uint8)' else np.float32
            given = _view(addresses[source.name], tuple(source.shape), dtype)
            names_out = [each.name for each in session.get_outputs()]
            for name, array in zip(
                names_out, session.run(None, {source.name: given}), strict=True
            ):
                result = array + np.uint8(self.damage) if name == 'mask' else array
                assert list(result.shape) == shapes[name], f'{name} would not fit its buffer'
                _view(addresses[name], result.shape, result.dtype)[...] = result

        def execute_async_v3(stream: int) -> bool:
            self.cuda.enqueue(execute)
            return True

        return _Limited(
            'IExecutionContext',
            self.major,
            set_tensor_address=addresses.__setitem__,
            execute_async_v3=execute_async_v3,
        )


class _Limited:
    """An object with the names that its class has in a version of TensorRT, and no others."""

    def __init__(self, kind: str, major: int, **content: Any) -> None:
        self._kind, self._known = kind, names(kind, major)
        for name, value in content.items():
            object.__setattr__(self, name, value)

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith('_') and name not in self._known:
            raise AttributeError(f'{self._kind} has no {name}')
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith('_') and name not in self._known:
            raise AttributeError(f'{self._kind} has no {name}')
        object.__setattr__(self, name, value)
        if not name.startswith('_') and '_given' in self.__dict__:
            self._given[name] = value
            object.__setattr__(self, f'_{name}', value)


def _enumeration(kind: str, major: int) -> Any:
    return IntEnum(kind, sorted(names(kind, major)), start=0)


def _config(major: int) -> _Limited:
    chosen: set[str] = set()
    config = _Limited(
        'IBuilderConfig',
        major,
        set_flag=lambda flag: chosen.add(flag.name),
        clear_flag=lambda flag: chosen.add(f'no {flag.name}'),
        set_memory_pool_limit=lambda pool, size: config._given.update({pool.name: size}),
        create_timing_cache=lambda content: SimpleNamespace(serialize=lambda: content + b'.'),
        set_timing_cache=lambda cache, ignore: setattr(config, '_cache', cache),
        get_timing_cache=lambda: config._cache,
    )
    config._set, config._given = chosen, {}
    return config


def _network(major: int, flags: int) -> _Limited:
    def layer(index: int) -> _Limited:
        output = SimpleNamespace(name='logits')
        made = _Limited('ILayer', major, num_outputs=1, get_output=lambda index: output)
        made._given = network._precisions
        return made

    network = _Limited('INetworkDefinition', major, num_layers=1, get_layer=layer)
    network._flags, network._precisions = flags, {}
    return network


def _view(address: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_uint8 * size).from_address(address), dtype).reshape(shape)

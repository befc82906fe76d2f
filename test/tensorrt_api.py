"""The part of TensorRT's Python API that is used, and the versions that have it.

Read from the bindings of https://github.com/NVIDIA/TensorRT at the tags v8.6.0, v10.3.0 and v11.1
(python/src/infer/pyCore.cpp, pyGraph.cpp, pyFoundationalTypes.cpp and python/src/parsers/
pyOnnx.cpp). The names of 8.6 were also looked up in the module of the wheel tensorrt 8.6.0. What
11 removed and what takes its place:
https://docs.nvidia.com/deeplearning/tensorrt/latest/api/migration/
tensorrt-10x-to-11x-python-api-reference.html
"""

from __future__ import annotations

ALL = (8, 10, 11)
UNTIL_10 = (8, 10)
SINCE_10 = (10, 11)

API: dict[str, dict[str, tuple[int, ...]]] = {
    'tensorrt': {
        '__version__': ALL,
        'Builder': ALL,
        'BuilderFlag': ALL,
        'DeviceType': ALL,
        'HardwareCompatibilityLevel': ALL,
        'ILogger': ALL,
        'IProgressMonitor': SINCE_10,
        'MemoryPoolType': ALL,
        'NetworkDefinitionCreationFlag': ALL,
        'OnnxParser': ALL,
        'Runtime': ALL,
        'TensorIOMode': ALL,
        'float32': ALL,
    },
    'Builder': {
        'build_serialized_network': ALL,
        'create_builder_config': ALL,
        'create_network': ALL,
        'num_DLA_cores': ALL,
    },
    'BuilderFlag': {
        'FP16': UNTIL_10,
        'GPU_FALLBACK': ALL,
        'INT8': UNTIL_10,
        'PREFER_PRECISION_CONSTRAINTS': UNTIL_10,
        'TF32': ALL,
        'VERSION_COMPATIBLE': ALL,
    },
    'DataType': {'name': ALL},
    'DeviceType': {'DLA': ALL},
    'HardwareCompatibilityLevel': {'AMPERE_PLUS': ALL},
    'IBuilderConfig': {
        'DLA_core': ALL,
        'clear_flag': ALL,
        'create_timing_cache': ALL,
        'default_device_type': ALL,
        'get_timing_cache': ALL,
        'hardware_compatibility_level': ALL,
        'progress_monitor': SINCE_10,
        'set_flag': ALL,
        'set_memory_pool_limit': ALL,
        'set_timing_cache': ALL,
    },
    'ICudaEngine': {
        'create_execution_context': ALL,
        'get_tensor_dtype': ALL,
        'get_tensor_mode': ALL,
        'get_tensor_name': ALL,
        'get_tensor_shape': ALL,
        'num_io_tensors': ALL,
    },
    'IExecutionContext': {'execute_async_v3': ALL, 'set_tensor_address': ALL},
    'ILayer': {'get_output': ALL, 'num_outputs': ALL, 'precision': UNTIL_10},
    'ILogger': {'ERROR': ALL, 'INTERNAL_ERROR': ALL, 'WARNING': ALL, '__init__': ALL},
    'INetworkDefinition': {'get_layer': ALL, 'num_layers': ALL},
    'IProgressMonitor': {'__init__': SINCE_10},
    'ITensor': {'name': ALL},
    'ITimingCache': {'serialize': ALL},
    'MemoryPoolType': {'WORKSPACE': ALL},
    'NetworkDefinitionCreationFlag': {'EXPLICIT_BATCH': UNTIL_10, 'STRONGLY_TYPED': SINCE_10},
    'OnnxParser': {'get_error': ALL, 'num_errors': ALL, 'parse': ALL},
    'ParserError': {'desc': ALL},
    'Runtime': {'DLA_core': ALL, 'deserialize_cuda_engine': ALL, 'engine_host_code_allowed': ALL},
    'TensorIOMode': {'INPUT': ALL},
}


def names(kind: str, major: int) -> set[str]:
    """Return what a class has in a version, as far as the table knows."""
    return {name for name, versions in API[kind].items() if major in versions}

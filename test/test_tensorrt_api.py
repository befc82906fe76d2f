"""What is used of TensorRT exists in 8.6, 10 and 11: by the source, and by the table."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from tensorrt_api import ALL, API, names

ENGINES = Path(__file__).parents[1] / 'crodino_core' / 'runtime' / 'engines'
DIFFERS = 'tensorrt_versions.py'
"""The only file that may use what not every version has."""

OBJECTS = {
    'trt': 'tensorrt',
    'tensorrt': 'tensorrt',
    'builder': 'Builder',
    'config': 'IBuilderConfig',
    'network': 'INetworkDefinition',
    'layer': 'ILayer',
    'parser': 'OnnxParser',
    'flags': 'NetworkDefinitionCreationFlag',
    'loaded': 'ICudaEngine',
    '_engine': 'ICudaEngine',
    '_runtime': 'Runtime',
    '_context': 'IExecutionContext',
}
"""What the variables and attributes are called that hold objects of TensorRT."""
RESULTS = {
    'create_builder_config': 'IBuilderConfig',
    'create_execution_context': 'IExecutionContext',
    'create_network': 'INetworkDefinition',
    'deserialize_cuda_engine': 'ICudaEngine',
    'get_error': 'ParserError',
    'get_layer': 'ILayer',
    'get_output': 'ITensor',
    'get_tensor_dtype': 'DataType',
    'get_timing_cache': 'ITimingCache',
    'Builder': 'Builder',
    'OnnxParser': 'OnnxParser',
    'Runtime': 'Runtime',
}
"""What methods return that are used directly."""


def class_of(node: ast.expr) -> str | None:
    """Return the class of TensorRT that an expression has, None for anything else."""
    if isinstance(node, ast.Name):
        return OBJECTS.get(node.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return RESULTS.get(node.func.attr)
    if isinstance(node, ast.Attribute):
        if class_of(node.value) == 'tensorrt':
            return node.attr if node.attr in API else None
        return OBJECTS.get(node.attr)
    return None


def used(source: str) -> Iterator[tuple[str, str]]:
    """Yield (class, name) of all that a source uses of TensorRT."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            kind = class_of(node.value)
            if kind is not None:
                yield kind, node.attr


def sources() -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(ENGINES.glob('tensorrt_*.py'))}


def test_nothing_outside_the_table_is_used():
    for file, source in sources().items():
        for kind, name in used(source):
            assert name in API[kind], f'{file} uses {kind}.{name}, which the table does not know'


def test_what_not_every_version_has_is_used_in_one_file_only():
    for file, source in sources().items():
        if file != DIFFERS:
            for kind, name in used(source):
                assert API[kind][name] == ALL, f'{file} uses {kind}.{name}: {API[kind][name]}'


def test_everything_in_the_table_is_used():
    found = {each for source in sources().values() for each in used(source)}
    tabled = {(kind, name) for kind, entries in API.items() for name in entries}
    assert found == tabled


@pytest.mark.parametrize(
    'line',
    [
        'config.int8_calibrator = None',
        'flag = trt.BuilderFlag.BF16',
        'builder.platform_has_fast_fp16',
        'size = trt.Runtime(log).deserialize_cuda_engine(data).device_memory_size',
        'self._context.execute_async_v2(bindings, stream)',
        'trt.volume(shape)',
    ],
)
def test_a_name_that_some_version_lacks_would_be_found(line):
    assert any(name not in API[kind] for kind, name in used(line))


@pytest.mark.skipif(
    importlib.util.find_spec('tensorrt') is None, reason='the library tensorrt is not installed'
)
def test_the_table_is_right_about_the_installed_version():
    import tensorrt

    major = int(tensorrt.__version__.split('.')[0])
    for kind, entries in API.items():
        holder = tensorrt if kind == 'tensorrt' else getattr(tensorrt, kind, None)
        found = {name for name in entries if holder is not None and hasattr(holder, name)}
        assert found == names(kind, major), kind

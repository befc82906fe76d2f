"""What an ONNX file takes and returns, read without any library.

The runtime needs only one engine, and none of them tells an opset. An ONNX file is a protobuf
message; the few fields read here are numbered in onnx.proto
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) and cannot change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crodino_core.errors import CrodinoError
from crodino_core.modality import Modality

_TYPES = {1: 'float32', 2: 'uint8', 3: 'int8', 6: 'int32', 7: 'int64', 10: 'float16'}
"""`TensorProto.DataType`, as far as networks have them at their ends."""
_GRAPH, _OPSET = 7, 8
_INPUT, _OUTPUT = 11, 12
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class TensorFacts:
    """An input or output of a network."""

    name: str
    type: str
    shape: tuple[int | str, ...]
    """Numbers, or the names of what is free."""

    def __str__(self) -> str:
        return f'{self.name} {self.type} [{", ".join(map(str, self.shape))}]'


@dataclass(frozen=True)
class OnnxHeader:
    """The ends of a network."""

    opset: int
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]


_EXPECTED = {
    Modality.RGB: TensorFacts('image', 'uint8', (1, 'H', 'W', 3)),
    Modality.DEPTH: TensorFacts('depth', 'float32', (1, 'H', 'W', 1)),
}
_OUTPUTS = ('mask', 'confidence')


def check_network(path: Path, modality: Modality, opset: int) -> None:
    """Compare a network's ends with what the runtime gives and takes.

    A file that is no ONNX file passes: the engine that is to read it says so.

    :param opset: the one that the bundle's description names.
    :raises CrodinoError: it has another opset, other inputs or other outputs.
    """
    try:
        header = read_header(path)
    except (ValueError, LookupError):
        return
    if header.opset != opset:
        raise CrodinoError(
            f'{path} has opset {header.opset}; {opset} was expected, as in model.yaml: export it '
            'anew with that one'
        )
    expected = _EXPECTED[modality]
    if len(header.inputs) != 1 or not _fits(header.inputs[0], expected):
        found = ', '.join(map(str, header.inputs)) or 'nothing'
        raise CrodinoError(f'{path} takes {found}; {expected} was expected')
    outputs = {each.name: each.type for each in header.outputs}
    if any(outputs.get(name) != 'uint8' for name in _OUTPUTS):
        found = ', '.join(map(str, header.outputs)) or 'nothing'
        raise CrodinoError(
            f'{path} returns {found}; {" and ".join(_OUTPUTS)} uint8 [1, H, W] were expected'
        )


def read_header(path: Path) -> OnnxHeader:
    """Read the opset, the inputs and the outputs of an ONNX file.

    :raises ValueError, LookupError: it is no ONNX file.
    """
    opset, graph = 0, None
    for number, value in _fields(memoryview(path.read_bytes())):
        if number == _OPSET and isinstance(value, memoryview):
            found = dict(_fields(value))
            if not found.get(1):  # the domain of ONNX itself is empty
                opset = int(found[2])
        elif number == _GRAPH and isinstance(value, memoryview):
            graph = value
    if graph is None:
        raise ValueError('no graph')
    ends: dict[int, list[TensorFacts]] = {_INPUT: [], _OUTPUT: []}
    for number, value in _fields(graph):
        if number in ends and isinstance(value, memoryview):
            ends[number].append(_tensor(value))
    return OnnxHeader(opset, tuple(ends[_INPUT]), tuple(ends[_OUTPUT]))


def _fits(found: TensorFacts, expected: TensorFacts) -> bool:
    """Whether a fixed size, where the expected one is free, is the only difference."""
    return (found.name, found.type, len(found.shape)) == (
        expected.name,
        expected.type,
        len(expected.shape),
    ) and all(
        free == has or isinstance(free, str)
        for has, free in zip(found.shape, expected.shape, strict=True)
    )


def _tensor(message: memoryview) -> TensorFacts:
    """Read a `ValueInfoProto`: name = 1, type = 2 with tensor_type = 1 {elem_type, shape}."""
    content = dict(_fields(message))
    tensor = dict(_fields(_message(dict(_fields(_message(content[2])))[1])))
    shape = [
        _dimension(_message(value))
        for number, value in _fields(_message(tensor.get(2, memoryview(b''))))
        if number == 1
    ]
    name = bytes(_message(content[1])).decode()
    return TensorFacts(name, _TYPES.get(int(tensor[1]), 'of another type'), tuple(shape))


def _dimension(message: memoryview) -> int | str:
    """Read a `Dimension`: dim_value = 1 or dim_param = 2."""
    content = dict(_fields(message))
    if 1 in content:
        return int(content[1])
    return bytes(_message(content.get(2, memoryview(b'?')))).decode()


def _message(value: int | memoryview) -> memoryview:
    if not isinstance(value, memoryview):
        raise ValueError('a number where a message was expected')
    return value


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field of a protobuf message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f'wire type {kind}')
        if at + size > len(message):
            raise ValueError('cut off')
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7

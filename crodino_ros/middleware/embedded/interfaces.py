"""Message and service classes, built like rclpy's, and their CDR bytes.

The definitions, and the code that reads and writes CDR, come from the Jazzy type store of
`rosbags`. Two differences from rclpy's classes, both harmless to code that uses the constants:
numeric arrays are always numpy arrays (no `append`), and a `byte` field reads as an int, though
`bytes` may be assigned to it.
"""

from __future__ import annotations

import array
import struct
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.base import normalize_fieldname
from rosbags.typesys.store import Typestore

from crodino_core.errors import CrodinoError
from crodino_ros.middleware.embedded.definitions import MESSAGES, SERVICES

_EMPTY_MEMBER = 'structure_needs_at_least_one_member'


class Message:
    """Base of every message class: fields have defaults, and only fields can be assigned."""

    __msgtype__: ClassVar[str]
    _defaults: ClassVar[dict[str, Callable[[], Any]]]
    _arrays: ClassVar[dict[str, np.dtype[Any]]]
    _bytes: ClassVar[set[str]]

    def __init__(self, *values: Any, **named: Any) -> None:
        if values:  # the CDR reader gives every field, in order
            named = dict(zip(self._defaults, values, strict=True))
        unknown = named.keys() - self._defaults.keys()
        if unknown:
            raise TypeError(
                f'{self.__msgtype__} has no field {", ".join(sorted(unknown))}; '
                f'it has {", ".join(self._defaults)}'
            )
        for name, default in self._defaults.items():
            setattr(self, name, named[name] if name in named else default())

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._defaults:
            raise AttributeError(f'{self.__msgtype__} has no field {name!r}')
        dtype = self._arrays.get(name)
        if dtype is not None:
            value = as_array(value, dtype)
        elif name in self._bytes and isinstance(value, bytes):
            value = ord(value)
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(
            np.array_equal(a, b) for a, b in zip(self._values(), other._values(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ', '.join(f'{name}={value!r}' for name, value in vars(self).items())
        return f'{self.__msgtype__}({fields})'

    def _values(self) -> list[Any]:
        return [getattr(self, name) for name in self._defaults]


class ServiceType:
    """A service: `Request` and `Response` are message classes."""

    typename: ClassVar[str]
    Request: ClassVar[type[Message]]
    Response: ClassVar[type[Message]]


def as_array(value: Any, dtype: np.dtype[Any]) -> np.ndarray:
    """A contiguous one-dimensional array of `dtype`, without a copy where none is needed.

    `bytes` and `array.array` are read as memory, anything else element by element.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return np.frombuffer(value, dtype)
    if isinstance(value, array.array):
        value = np.frombuffer(value, np.dtype(value.typecode))
    return np.ascontiguousarray(value, dtype).reshape(-1)


@cache
def typestore() -> Typestore:
    """The Jazzy type store with our definitions, making our classes."""
    store = get_typestore(Stores.ROS2_JAZZY)
    texts = dict(MESSAGES)
    for name, (request, response) in SERVICES.items():
        texts[f'{name}_Request'], texts[f'{name}_Response'] = request, response
    for name, text in texts.items():
        constants, fields = get_types_from_msg(text, 'crodino/msg/Definition')[
            'crodino/msg/Definition'
        ]
        if not fields:
            fields = [(_EMPTY_MEMBER, (Nodetype.BASE, ('uint8', 0)))]
        store.register({name: (constants, fields)})
    for name, (constants, fields) in store.fielddefs.items():
        store.fielddefs[name] = (constants, [(n, _without_char(desc)) for n, desc in fields])
    for name in store.types:
        store.types[name] = _message_class(store, name)
    return store


def interface(typename: str) -> Any:
    """The class of `pkg/msg/Name` or `pkg/srv/Name`; CrodinoError where we have no definition."""
    store = typestore()
    if typename in SERVICES:
        return _service_class(typename)
    if typename not in store.types:
        raise CrodinoError(
            f'the interface {typename} is unknown without ROS 2; it knows the common interfaces '
            f'of Jazzy (say "package/msg/Name"), or needs a definition in definitions.py'
        )
    return store.types[typename]


@cache
def _service_class(typename: str) -> type[ServiceType]:
    store = typestore()
    return type(
        typename.rsplit('/', 1)[1],
        (ServiceType,),
        {
            'typename': typename,
            'Request': store.types[f'{typename}_Request'],
            'Response': store.types[f'{typename}_Response'],
        },
    )


def _message_class(store: Typestore, typename: str) -> Any:
    constants, fields = store.fielddefs[typename]
    body: dict[str, Any] = {name: value for name, _, value in constants}
    body['__msgtype__'] = typename
    body['_defaults'] = {normalize_fieldname(n): _default(store, desc) for n, desc in fields}
    body['_arrays'] = {
        normalize_fieldname(name): dtype
        for name, desc in fields
        if (dtype := _array_dtype(desc)) is not None
    }
    body['_bytes'] = {
        normalize_fieldname(name) for name, desc in fields if desc == (Nodetype.BASE, ('byte', 0))
    }
    return type(typename.rsplit('/', 1)[1], (Message,), body)


def _without_char(desc: Any) -> Any:
    """ROS 2 takes `char` for uint8, in type hashes too."""
    kind, detail = desc
    if kind == Nodetype.BASE:
        return (kind, ('uint8', 0)) if detail[0] == 'char' else desc
    if kind == Nodetype.NAME:
        return desc
    return kind, (_without_char(detail[0]), detail[1])


def _array_dtype(desc: Any) -> np.dtype[Any] | None:
    if desc[0] not in (Nodetype.ARRAY, Nodetype.SEQUENCE):
        return None
    (kind, element), _ = desc[1]
    if kind != Nodetype.BASE or element[0] == 'string':
        return None
    return np.dtype('int8' if element[0] == 'byte' else element[0])


def _default(store: Typestore, desc: Any) -> Callable[[], Any]:
    kind, detail = desc
    if kind == Nodetype.NAME:
        return lambda: store.types[detail]()
    if kind == Nodetype.BASE:
        return {'bool': bool, 'string': str, 'float32': float, 'float64': float}.get(
            detail[0], int
        )
    element, length = detail
    dtype = _array_dtype(desc)
    if dtype is not None:
        return lambda: np.zeros(length if kind == Nodetype.ARRAY else 0, dtype)
    if kind == Nodetype.ARRAY:
        return lambda: [_default(store, element)() for _ in range(length)]
    return list


def serialize(message: Any, offset: int = 0) -> bytearray:
    """Little-endian CDR with its 4-byte header, padded to a multiple of 4.

    `offset` bytes (a multiple of 8) stay free between header and message. Raises TypeError
    where a field holds what its type cannot.
    """
    store, typename = typestore(), message.__msgtype__
    definition = store.get_msgdef(typename)
    try:
        end = definition.getsize_cdr(offset, message, store)
        buffer = bytearray(4 + end + -end % 4)
        buffer[1] = 1
        definition.serialize_cdr_le(memoryview(buffer)[4:], offset, message, store)
    except (struct.error, SerdeError, AttributeError, TypeError, ValueError) as error:
        raise TypeError(f'this {typename} cannot be sent: {error}') from error
    return buffer


def deserialize(data: bytes, message_class: Any, offset: int = 0) -> Any:
    """The message in CDR `data` (see `serialize`); ValueError where the bytes are another type."""
    store, typename = typestore(), message_class.__msgtype__
    definition = store.get_msgdef(typename)
    read = definition.deserialize_cdr_le if data[1] & 1 else definition.deserialize_cdr_be
    try:
        return read(memoryview(data)[4:], offset, definition.cls, store)[0]
    except (struct.error, SerdeError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f'these {len(data)} bytes are not a {typename}: {error}') from error

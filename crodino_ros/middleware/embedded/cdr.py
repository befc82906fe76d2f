"""Samples in and out of DDS as CDR bytes, past the slow Python codec of the wheel."""

from __future__ import annotations

from typing import Any

from cyclonedds._clayer import ddspy_take, ddspy_write
from cyclonedds.core import DDSException, InstanceState, SampleState, ViewState

from crodino_ros.middleware.embedded.interfaces import serialize

_ANY = SampleState.Any | ViewState.Any | InstanceState.Any


def write(writer: Any, message: Any) -> None:
    """Publish a message."""
    write_bytes(writer, serialize(message))


def write_bytes(writer: Any, data: bytes | bytearray) -> None:
    """Publish CDR bytes whose length is a multiple of 4."""
    code = ddspy_write(writer._ref, data)
    if code < 0:
        raise DDSException(code, f'while writing to {writer.topic.name}')


def take(reader: Any, count: int = 1) -> list[tuple[bytes, Any]]:
    """Up to `count` samples, oldest first, each as (CDR bytes, sample info)."""
    samples = ddspy_take(reader._ref, _ANY, count)
    if isinstance(samples, int):
        raise DDSException(samples, f'while reading {reader.topic.name}')
    return [(data, info) for data, info in samples if info.valid_data]

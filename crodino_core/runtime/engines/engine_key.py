"""What a built engine depends on: a file is used only where all of it is the same."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

AMPERE = (8, 0)


@dataclass(frozen=True)
class EngineKey:
    """One engine file, described by everything that made it what it is."""

    onnx_sha256: str
    tensorrt: str
    """Version of the library, e.g. '10.3.0'."""
    gpu: str
    """Name of the device, e.g. 'Orin'."""
    compute_capability: tuple[int, int]
    """Streaming multiprocessor version, e.g. (8, 7) for sm_87."""
    precision: str
    """What the ONNX file carries: 'float32', 'fp16' or 'int8'."""
    height: int
    width: int
    workspace_mib: int
    outputs: tuple[str, ...]
    exact: bool = False
    """Whether TF32 was forbidden."""
    dla_core: int | None = None
    version_compatible: bool = False
    hardware_compatible: bool = False

    def file_name(self, stem: str) -> str:
        """Name of the engine file of the network `stem`, e.g. 'rgb-480x640-fp16-1f0c….engine'."""
        facts = self.to_json()
        if self.version_compatible:
            facts['tensorrt'] = self.tensorrt.split('.')[0]
        if self.hardware_compatible and self.compute_capability >= AMPERE:
            facts['gpu'] = facts['compute_capability'] = 'Ampere or newer'
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
        return f'{stem}-{self.height}x{self.width}-{self.precision}-{digest}.engine'

    def differences(self, built: EngineKey) -> list[str]:
        """Say what keeps an engine that was made by another key from being used here."""
        found = []
        for each in fields(self):
            here, there = getattr(self, each.name), getattr(built, each.name)
            if here != there and not self._is_compatible(each.name, built):
                name = each.name.replace('_', ' ')
                found.append(f'{name} was {_in_words(there)} and is {_in_words(here)}')
        return found

    def _is_compatible(self, field: str, built: EngineKey) -> bool:
        """Whether the file was built so that this field may differ."""
        if field == 'tensorrt' and built.version_compatible:
            here, there = (_numbers(key.tensorrt) for key in (self, built))
            return here[:1] == there[:1] and here >= there
        if field in ('gpu', 'compute_capability') and built.hardware_compatible:
            return min(self.compute_capability, built.compute_capability) >= AMPERE
        return False

    def to_json(self) -> dict[str, Any]:
        """Return the key as JSON writes it."""
        return {
            **asdict(self),
            'compute_capability': list(self.compute_capability),
            'outputs': list(self.outputs),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> EngineKey:
        """Read what `to_json` wrote.

        :raises KeyError, TypeError, ValueError: it is something else.
        """
        major, minor = content['compute_capability']
        known = {each.name: content[each.name] for each in fields(cls)}
        return cls(
            **{
                **known,
                'compute_capability': (int(major), int(minor)),
                'outputs': tuple(content['outputs']),
            }
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split('.') if part.isdigit())


def _in_words(value: object) -> str:
    if isinstance(value, tuple):
        return '.'.join(str(part) for part in value)
    text = str(value)
    return f'{text[:12]}...' if len(text) == 64 else text

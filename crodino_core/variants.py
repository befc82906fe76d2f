"""Further pairs of networks of a model bundle: another precision, another resolution."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crodino_core.errors import UsageError
from crodino_core.modality import Modality

PRECISIONS = ('float32', 'fp16', 'int8')
FLOAT32 = PRECISIONS[0]
HOW_TO_MAKE = {
    'float32': 'crodino export RUN --out DIR --resolution HEIGHTxWIDTH',
    'fp16': 'crodino export BUNDLE --fp16',
    'int8': 'crodino export BUNDLE --int8 --calibrate DATA',
}


@dataclass(frozen=True)
class Variant:
    """A pair of networks that does what the bundle's first pair does."""

    precision: str
    """One of `PRECISIONS`: what the layers compute in; input and output of the graph are alike."""
    input_size: tuple[int, int]
    """Height and width these networks work at."""
    sha256: Mapping[Modality, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    """How it was made and what it costs, e.g. `{'miou': {'rgb': {'before': 57.2, ...}}}`."""

    def __str__(self) -> str:
        return f'{self.precision} {resolution_name(self.input_size)}'

    def describe(self, first_size: tuple[int, int]) -> dict[str, Any]:
        """Return the entry in `model.yaml`.

        :param first_size: height and width of the bundle's first pair.
        """
        return {
            'precision': self.precision,
            'input': {'height': self.input_size[0], 'width': self.input_size[1]},
            'files': {
                str(m): {
                    'path': network_file(m, self.precision, self.input_size, first_size),
                    'sha256': self.sha256[m],
                }
                for m in Modality
            },
            **self.facts,
        }

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> Variant:
        """Read an entry of `model.yaml`.

        :raises KeyError, TypeError, ValueError: a key is missing or wrong.
        """
        precision = str(content['precision'])
        if precision not in PRECISIONS:
            raise ValueError(f'the precision {precision!r} is unknown')
        return cls(
            precision=precision,
            input_size=(int(content['input']['height']), int(content['input']['width'])),
            sha256={m: str(content['files'][str(m)]['sha256']) for m in Modality},
            facts={k: v for k, v in content.items() if k not in ('precision', 'input', 'files')},
        )


def network_file(
    modality: Modality, precision: str, size: tuple[int, int], first_size: tuple[int, int]
) -> str:
    """Return the name of a network's file, e.g. `rgb.onnx` or `rgb@192x256.int8.onnx`."""
    resolution = '' if size == first_size else f'@{resolution_name(size)}'
    ending = '' if precision == FLOAT32 else f'.{precision}'
    return f'{modality}{resolution}{ending}.onnx'


def resolution_name(size: tuple[int, int]) -> str:
    """Write a resolution as HEIGHTxWIDTH."""
    return f'{size[0]}x{size[1]}'


def parse_resolution(text: str) -> tuple[int, int] | None:
    """Read HEIGHTxWIDTH; None of an empty text: the resolution of the bundle's first pair.

    :raises UsageError: it is written otherwise.
    """
    if not text:
        return None
    found = re.fullmatch(r'([1-9]\d*)x([1-9]\d*)', text)
    if found is None:
        raise UsageError(f'the resolution {text!r} is not HEIGHTxWIDTH, for example 192x256')
    return int(found[1]), int(found[2])


def check_precision(precision: str) -> None:
    """Refuse a precision that no bundle can have.

    :raises UsageError: it is none of `PRECISIONS`.
    """
    if precision not in PRECISIONS:
        raise UsageError(
            f'the precision {precision!r} is unknown; {", ".join(PRECISIONS)} were expected'
        )

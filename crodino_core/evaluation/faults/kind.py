"""What a kind of fault is, and how one is registered and started."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np

from crodino_core.errors import UsageError
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame

Parameters = Mapping[str, Any]
Push = Callable[[Frame], list[Frame]]
"""Takes the frame that came in, returns those that go out."""
Newest = Callable[[Modality], 'Frame | None']
"""Returns the newest undamaged frame of a sensor, None before its first."""
Change = Callable[[Frame, np.random.Generator], np.ndarray]
"""Returns the image that takes the place of the frame's; the randomness is this frame's own."""

BOTH = frozenset(Modality)
HIGHEST_SEVERITY = 5
_NOTHING: Parameters = MappingProxyType({})
_TYPES = {int: 'an integer', float: 'a number', bool: 'true or false'}


@dataclass(frozen=True)
class Given:
    """What a fault was started with."""

    kind: FaultKind
    values: Parameters
    """Every parameter of the kind."""
    previous: Frame | None
    """The sensor's last frame before the fault."""
    newest: Newest

    @property
    def severity(self) -> int:
        """1 to 5."""
        return int(self.values['severity'])

    @property
    def level(self) -> float:
        """The measure of the fault: as given, or else what the severity stands for."""
        return float(self.values[self.kind.measure] or self.kind.levels[self.severity - 1])

    def rng(self, *index: int) -> np.random.Generator:
        """Return the randomness of this fault, or of one of its frames."""
        name = zlib.crc32(self.kind.name.encode())
        return np.random.default_rng((int(self.values['seed']), name, *index))


Begin = Callable[[Given], Push]


class Decides(str, Enum):
    """What of the stream a timing fault decides; two that decide the same contradict."""

    FRAMES = 'which frames come'
    ARRIVAL = 'when they come'
    STAMPS = 'which stamps they bear'

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault."""

    name: str
    summary: str
    """What it does, in words for the report."""
    begin: Begin
    measure: str
    """The parameter that says how bad it is in physical terms; 0 leaves that to the severity."""
    meaning: str
    """What `measure` measures, with its unit."""
    levels: tuple[float, ...]
    """What `measure` is at severity 1 to 5."""
    sensors: frozenset[Modality] = BOTH
    """The sensors it fits."""
    parameters: Parameters = field(default_factory=dict)
    """Its parameters with their defaults; a given value must have the type of the default."""
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Least and greatest value of each number among the parameters."""
    decides: Decides | None = None
    """None: it changes images."""

    def start(
        self,
        previous: Frame | None = None,
        parameters: Parameters = _NOTHING,
        newest: Newest = lambda modality: None,
    ) -> Push:
        """Begin the fault.

        :param previous: the sensor's last frame before it.
        :param parameters: those that differ from `self.parameters`.
        :param newest: tells the newest frame of a sensor; fog asks it for the depth.
        :raises UsageError: a parameter is unknown, of the wrong type or out of its bounds.
        """
        return self.begin(Given(self, self.complete(parameters), previous, newest))

    def complete(self, given: Parameters, where: str = '') -> dict[str, Any]:
        """Return all parameters: those given, checked, and the defaults of the others.

        :param where: what the error message is to begin with.
        :raises UsageError: a parameter is unknown, of the wrong type or out of its bounds.
        """
        where = where or f'the fault {self.name}'
        values = dict(self.parameters)
        for name, value in given.items():
            if name not in values:
                raise UsageError(
                    f'{where} has an unknown parameter {name!r}; known are: {", ".join(values)}'
                )
            values[name] = self._checked(name, value, where)
        return values

    def _checked(self, name: str, value: object, where: str) -> object:
        default = self.parameters[name]
        if type(default) is float and type(value) is int:
            value = float(value)
        if type(value) is not type(default):
            raise UsageError(
                f'{where}: {name} is {value!r}; {_TYPES[type(default)]} was expected, '
                f'e.g. {default!r}'
            )
        if value == default:
            return value
        least, greatest = self.limits.get(name, (-np.inf, np.inf))
        if isinstance(value, float | int) and not least <= value <= greatest:
            expected = f'a value from {least:g} to {greatest:g} was expected'
            if name == 'severity':
                expected = 'a severity from 1 (slight) to 5 (worst) was expected'
            raise UsageError(f'{where}: {name} is {value!r}; {expected}')
        return value

    @property
    def group(self) -> str:
        """The chapter it belongs to: 'timing', 'colour', 'depth' or 'both'."""
        if self.decides is not None:
            return 'timing'
        if len(self.sensors) > 1:
            return 'both'
        return 'colour' if Modality.RGB in self.sensors else 'depth'

    @property
    def motive(self) -> str:
        """Why a sensor does this: its docstring, in one line."""
        return ' '.join(self._documentation()[0].split())

    @property
    def source(self) -> str:
        """Where the model of it comes from."""
        return ' '.join(self._documentation()[2].split())

    def _documentation(self) -> tuple[str, str, str]:
        return inspect.cleandoc(self.begin.__doc__ or '').partition('Source:')


FAULTS: dict[str, FaultKind] = {}


def timing_fault(
    summary: str, *, decides: Decides, **description: Any
) -> Callable[[Begin], Begin]:
    """Register a fault of time: the decorated function begins it and returns its `Push`."""

    def register(begin: Begin) -> Begin:
        _register(begin, begin.__name__, summary, decides=decides, **description)
        return begin

    return register


def content_fault(
    summary: str, **description: Any
) -> Callable[[Callable[[Given], Change]], Callable[[Given], Change]]:
    """Register a fault of content: the decorated function returns the change of one image."""

    def register(make: Callable[[Given], Change]) -> Callable[[Given], Change]:
        def begin(given: Given) -> Push:
            return _changing(given, make(given))

        begin.__doc__ = make.__doc__
        _register(begin, make.__name__, summary, **description)
        return make

    return register


def _register(
    begin: Begin,
    name: str,
    summary: str,
    *,
    measure: str,
    meaning: str,
    levels: tuple[float, ...],
    sensors: frozenset[Modality] = BOTH,
    severity: int = 3,
    least: float = 0.0,
    greatest: float = 1.0,
    decides: Decides | None = None,
    **parameters: Any,
) -> None:
    """Add a kind; `severity` is its default, `least` and `greatest` bound a given measure."""
    limits = {
        'severity': (1, HIGHEST_SEVERITY),
        'seed': (0, 2**63 - 1),
        measure: (least, greatest),
    }
    common = {'severity': severity, 'seed': 0, measure: 0.0}
    FAULTS[name] = FaultKind(
        name, summary, begin, measure, meaning, levels, sensors,
        {**common, **parameters}, limits, decides,
    )  # fmt: skip


def _changing(given: Given, change: Change) -> Push:
    """Return a push that gives every frame the image that `change` makes of it."""
    index = 0

    def push(frame: Frame) -> list[Frame]:
        nonlocal index
        rng = given.rng(index)
        index += 1
        if not _is_proper(frame):
            return [frame]
        with np.errstate(all='ignore'):  # depth may hold NaN, Inf and huge values
            image = np.ascontiguousarray(change(frame, rng), dtype=frame.image.dtype)
        return [replace(frame, image=image)]

    return push


def _is_proper(frame: Frame) -> bool:
    """Whether the image is what `Frame` promises, and not empty."""
    image = frame.image
    if frame.modality is Modality.RGB:
        return (
            image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8 and image.size > 0
        )
    return image.ndim == 2 and image.dtype == np.float32 and image.size > 0

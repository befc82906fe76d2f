"""Kinds of numbers in the settings of a training run."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

STRICT = ConfigDict(extra='forbid', allow_inf_nan=False)
"""For every dataclass of settings: unknown keys, infinity and NaN are errors."""


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError('a number was expected, and true and false are none')
    return value


Real = Annotated[float, BeforeValidator(_no_truth)]
Whole = Annotated[int, BeforeValidator(_no_truth)]
Share = Annotated[Real, Field(ge=0, le=1)]
Strength = Annotated[Real, Field(ge=0)]
Positive = Annotated[Real, Field(gt=0)]
Weight = Annotated[Real, Field(ge=0)]
Count = Annotated[Whole, Field(gt=0)]
Seed = Annotated[Whole, Field(ge=0, lt=2**62)]

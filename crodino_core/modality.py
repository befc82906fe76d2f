"""The two modalities of the project."""

from __future__ import annotations

from enum import Enum


class Modality(str, Enum):
    """What a sensor measures; the value is the name used in files, parameters and topics."""

    RGB = 'rgb'
    DEPTH = 'depth'

    @property
    def other(self) -> Modality:
        """The modality that survives when this one is lost."""
        return Modality.DEPTH if self is Modality.RGB else Modality.RGB

    def __str__(self) -> str:
        return self.value

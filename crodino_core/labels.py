"""The classes a mask speaks of: names, colours and the unlabelled value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from crodino_core.errors import CrodinoError
from crodino_core.strict_yaml import load_strictly

UNLABELLED = 255
"""The mask value of a pixel without a class (as in vision_msgs/LabelInfo and Cityscapes)."""


@dataclass(frozen=True)
class LabelSet:
    """Class names and display colours; the index in the tuple is the value in the mask."""

    names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.names) <= UNLABELLED:
            raise CrodinoError(
                f'a label set has {len(self.names)} classes; a mask of uint8 holds 1 to '
                f'{UNLABELLED} beside the unlabelled value {UNLABELLED}'
            )
        if len(self.names) != len(self.colors):
            raise CrodinoError(
                f'a label set has {len(self.names)} names but {len(self.colors)} colours; '
                'give each class one colour'
            )
        twice = {name for name in self.names if self.names.count(name) > 1}
        if twice:
            raise CrodinoError(f'label names stand twice: {", ".join(sorted(twice))}')
        for name, color in zip(self.names, self.colors, strict=True):
            if len(color) != 3 or not all(0 <= value <= 255 for value in color):
                raise CrodinoError(
                    f'the colour of class {name!r} is {list(color)}; three values 0..255 '
                    '(red, green, blue) were expected'
                )

    def __len__(self) -> int:
        return len(self.names)

    def colorize(self, mask: np.ndarray) -> np.ndarray:
        """Return the mask in display colours.

        :param mask: class indices, uint8 [H, W]; 255 and unknown indices become black.
        :return: RGB image, uint8 [H, W, 3].
        """
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(self)] = self.colors
        if not mask.size:  # OpenCV would divide by it
            return np.zeros((*mask.shape, 3), np.uint8)
        return np.asarray(cv2.applyColorMap(mask, palette[:, None]))

    def to_list(self) -> list[dict[str, Any]]:
        """Return the classes as plain data, the form `from_list` reads."""
        return [
            {'index': index, 'name': name, 'color_rgb': list(color)}
            for index, (name, color) in enumerate(zip(self.names, self.colors, strict=True))
        ]

    @classmethod
    def from_list(cls, classes: object, source: str = 'the class list') -> LabelSet:
        """Read `[{index, name, color_rgb}, ...]`; other keys of an entry are ignored.

        :raises CrodinoError: an entry lacks a key or the indices are not 0..K-1.
        """
        if not isinstance(classes, list) or not all(isinstance(c, dict) for c in classes):
            raise CrodinoError(
                f'{source}: a list of classes with the keys index, name and color_rgb was expected'
            )
        for entry in classes:
            missing = {'index', 'name', 'color_rgb'} - set(entry)
            if missing:
                raise CrodinoError(f'{source}: class {entry} lacks {", ".join(sorted(missing))}')
        ordered = sorted(classes, key=lambda entry: str(entry['index']).zfill(4))
        if [entry['index'] for entry in ordered] != list(range(len(ordered))):
            raise CrodinoError(
                f'{source}: the indices are {[entry["index"] for entry in ordered]}; '
                f'0 to {len(ordered) - 1} without gaps were expected'
            )
        return cls(
            names=tuple(str(entry['name']) for entry in ordered),
            colors=tuple(_read_color(entry['color_rgb'], source) for entry in ordered),
        )

    @classmethod
    def from_yaml(cls, path: Path) -> LabelSet:
        """Read a `classes.yaml` with the keys `classes` and, optionally, `void_index: 255`.

        :raises CrodinoError: it is no YAML in UTF-8 or UTF-16, or no list of classes.
        """
        try:
            content = load_strictly(path.read_bytes())
        except (OSError, yaml.YAMLError) as error:
            reason = ' '.join(str(error).split())
            raise CrodinoError(f'{path}: the classes cannot be read: {reason}') from error
        if not isinstance(content, dict) or 'classes' not in content:
            raise CrodinoError(f'{path}: the key classes was expected')
        void = content.get('void_index', UNLABELLED)
        if void != UNLABELLED:
            raise CrodinoError(
                f'{path}: void_index is {void}; {UNLABELLED} is the only unlabelled value here'
            )
        return cls.from_list(content['classes'], str(path))


def _read_color(value: object, source: str) -> tuple[int, int, int]:
    try:
        red, green, blue = (int(part) for part in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError) as error:  # the last: of .inf
        raise CrodinoError(
            f'{source}: color_rgb is {value!r}; three values 0..255 (red, green, blue) were '
            'expected'
        ) from error
    return red, green, blue

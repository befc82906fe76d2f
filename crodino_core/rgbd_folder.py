"""The native data set format: a folder of aligned colour, depth and label images."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from crodino_core.errors import CrodinoError
from crodino_core.known_words import nearest
from crodino_core.labels import UNLABELLED, LabelSet
from crodino_core.strict_yaml import load_strictly

MILLIMETRES = 0.001
DEPTH_KEYS = ['scale_to_metres', 'invalid', 'encoding', 'kind', 'range_mm']
"""Of `depth` in it; all but the first two are for people."""


@dataclass(frozen=True)
class RgbdSample:
    """One labelled pair of images."""

    name: str
    rgb: np.ndarray
    """uint8 [H, W, 3], RGB order."""
    depth: np.ndarray
    """float32 [H, W], metres along the optical axis, 0 = invalid."""
    label: np.ndarray
    """uint8 [H, W], class index, 255 = unlabelled."""


class RgbdFolder:
    """A data set on disk.

    ::

        classes.yaml    index, name, color_rgb of each class
        camera.yaml     depth: {scale_to_metres: 0.001}   (optional)
        splits.json     {"train": ["<sequence>/<frame>", ...], "val": [...], "test": [...]}
        <sequence>/color/<frame>.jpg | .png
        <sequence>/depth/<frame>.png      uint16
        <sequence>/label/<frame>.png      uint8
    """

    def __init__(self, path: str | Path) -> None:
        """Read the description of the data set, not its images.

        :raises CrodinoError: the folder lacks a file, one cannot be read, or camera.yaml has a key
            for depth that is not known.
        """
        self.path = Path(path)
        for needed in ('classes.yaml', 'splits.json'):
            if not (self.path / needed).is_file():
                raise CrodinoError(
                    f'{self.path} is not a data set folder: {needed} was expected in it'
                )
        self.labels = LabelSet.from_yaml(self.path / 'classes.yaml')
        try:
            self.splits: dict[str, list[str]] = json.loads(
                (self.path / 'splits.json').read_bytes()
            )
        except (OSError, ValueError) as error:
            raise CrodinoError(
                f'{self.path}/splits.json cannot be read: {error}; JSON in UTF-8 was expected'
            ) from error
        if not isinstance(self.splits, dict) or not all(map(_is_names, self.splits.values())):
            raise CrodinoError(
                f'{self.path}/splits.json: a mapping from split to list of frames was expected, '
                'as {"train": ["<sequence>/<frame>", ...], ...}'
            )
        self.depth_scale = self._read_depth_scale()

    def names(self, split: str) -> list[str]:
        """Return the frames of a split, as `<sequence>/<frame>`.

        :raises CrodinoError: there is no such split, or it is empty.
        """
        if not self.splits.get(split):
            raise CrodinoError(
                f'{self.path} has no frames in a split {split!r}; it has: '
                + ', '.join(f'{name} ({len(frames)})' for name, frames in self.splits.items())
            )
        return list(self.splits[split])

    def require_classes(self, labels: LabelSet, owner: str) -> None:
        """Check that the data set has the classes of something else, in their order.

        :param owner: whose classes they are, for the message.
        :raises CrodinoError: it has others.
        """
        if self.labels.names != labels.names:
            raise CrodinoError(
                f'{self.path} has the classes {", ".join(self.labels.names)}; those of {owner} '
                f'were expected: {", ".join(labels.names)}'
            )

    def read(self, name: str) -> RgbdSample:
        """Read one frame.

        :raises CrodinoError: an image is missing, damaged or of another size than the others.
        """
        sequence, _, frame = name.rpartition('/')
        folder = self.path / sequence
        color = folder / 'color' / f'{frame}.jpg'
        if not color.is_file():
            color = color.with_suffix('.png')
        rgb = cv2.cvtColor(read_image(color, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        depth = read_image(folder / 'depth' / f'{frame}.png', cv2.IMREAD_UNCHANGED)
        label = read_image(folder / 'label' / f'{frame}.png', cv2.IMREAD_UNCHANGED)
        for kind, image, dtype in (('depth', depth, np.uint16), ('label', label, np.uint8)):
            if image.shape != rgb.shape[:2]:
                raise CrodinoError(
                    f'{folder}: the {kind} image of frame {frame} has shape {image.shape}, '
                    f'{rgb.shape[:2]} was expected as in colour ({color.name})'
                )
            if image.dtype != dtype:
                raise CrodinoError(
                    f'{folder}: the {kind} image of frame {frame} is {image.dtype}, '
                    f'{np.dtype(dtype)} was expected; write it again with full range'
                )
        self._check_classes(label, folder / 'label' / f'{frame}.png')
        return RgbdSample(name, rgb, depth.astype(np.float32) * self.depth_scale, label)

    def _check_classes(self, label: np.ndarray, path: Path) -> None:
        unknown = label[(label >= len(self.labels)) & (label != UNLABELLED)]
        if unknown.size:
            raise CrodinoError(
                f'{path} has the value {unknown[0]} in {unknown.size} pixels; 0 to '
                f'{len(self.labels) - 1} (classes.yaml) or {UNLABELLED} was expected'
            )

    def _read_depth_scale(self) -> np.float32:
        """Return the metres of a step of the depth images."""
        camera = self.path / 'camera.yaml'
        if not camera.is_file():
            return np.float32(MILLIMETRES)
        try:
            content = load_strictly(camera.read_bytes())
        except (OSError, yaml.YAMLError) as error:
            reason = ' '.join(str(error).split())
            raise CrodinoError(f'{camera} cannot be read: {reason}') from error
        content = _mapping(content, f'{camera}')
        for key in content.keys() - {'depth'}:
            # The rest of the file is for people; this was meant for us.
            if key in DEPTH_KEYS[:2] or get_close_matches(str(key), ['depth'], cutoff=0.8):
                raise CrodinoError(
                    f'{camera} has a key {key!r}; depth: {{scale_to_metres: {MILLIMETRES}}} was '
                    'expected'
                )
        depth = _mapping(content.get('depth'), f'{camera}: depth')
        for key in depth:
            if key not in DEPTH_KEYS:
                raise CrodinoError(
                    f'{camera}: depth has an unknown key {key!r}{nearest(key, DEPTH_KEYS)}; write '
                    'notes as # comments'
                )
        if depth.get('invalid', 0) != 0:
            raise CrodinoError(
                f'{camera}: invalid is {depth["invalid"]!r}; write pixels without a measurement '
                'as 0, which is the only value here'
            )
        scale = depth.get('scale_to_metres', MILLIMETRES)
        try:
            with np.errstate(over='ignore'):
                metres = np.float32(float(np.nan if isinstance(scale, bool) else scale))
        except (TypeError, ValueError):
            metres = np.float32(np.nan)
        if not 0 < metres < np.inf:
            raise CrodinoError(
                f'{camera}: scale_to_metres is {scale!r}; a number of metres above 0 was '
                f'expected, {MILLIMETRES} for millimetres'
            )
        return metres


def _mapping(content: object, where: str) -> dict[str, Any]:
    """Return a mapping of camera.yaml; nothing at all is an empty one.

    :raises CrodinoError: it is something else.
    """
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise CrodinoError(
            f'{where} is {content!r}; a mapping was expected, as '
            f'depth: {{scale_to_metres: {MILLIMETRES}}}'
        )
    return content


def _is_names(frames: object) -> bool:
    return isinstance(frames, list) and all(isinstance(name, str) for name in frames)


def read_image(path: Path, flags: int) -> np.ndarray:
    """Decode an image file.

    :param flags: of `cv2.imdecode`; colours come as BGR.
    :raises CrodinoError: it is missing, empty, cut off or cannot be decoded.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise CrodinoError(f'the image {path} does not exist; copy the data set again') from error
    except OSError as error:
        raise CrodinoError(f'the image {path} cannot be read: {error.strerror}') from error
    # OpenCV fills the rest of a JPEG that was cut off with grey and says nothing.
    cut = data.startswith(b'\xff\xd8') and b'\xff\xd9' not in data[-1024:]
    image = None
    if data and not cut:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        found = 'is cut off' if cut else 'cannot be decoded' if data else 'is empty'
        raise CrodinoError(f'the image {path} {found}; copy the data set again')
    return image

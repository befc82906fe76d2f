"""Write a data set in the folder format, frame by frame."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import yaml

from crodino_core.errors import CrodinoError
from crodino_core.labels import LabelSet
from crodino_core.rgbd_folder import read_image


@dataclass
class WrittenFolder:
    """What was written, and what was not."""

    path: Path
    frames: dict[str, int] = field(default_factory=dict)
    """Frames by split."""
    left: Counter[str] = field(default_factory=Counter)
    """Frames or images that were left, by the reason in words."""


class RgbdFolderWriter:
    """A data set in the making; at the end of the `with` block it is whole, or it is not there.

    :param path: the folder to make; the frames are gathered in a hidden folder beside it.
    :param labels: the classes.
    :param origin: where the frames come from, one line for camera.yaml.
    :param depth_scale: metres per step of the uint16 depth images.
    :raises CrodinoError: something lies at `path`, nothing was added, or the disk is full.
    """

    def __init__(
        self, path: str | Path, labels: LabelSet, origin: str, depth_scale: float = 0.001
    ) -> None:
        self.written = WrittenFolder(Path(path))
        self.labels = labels
        self.origin = origin
        self.depth_scale = depth_scale
        self._splits: dict[str, list[str]] = {}

    def __enter__(self) -> RgbdFolderWriter:
        path = self.written.path
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise CrodinoError(f'{path} exists; name a new folder for the data set')
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._scratch = Path(tempfile.mkdtemp(prefix=f'.{path.name}-', dir=path.parent))
            self._staging = self._scratch / 'new'  # mkdtemp's own is closed to other users
            self._staging.mkdir()
        except OSError as error:
            raise self._not_written(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._finish()
        except OSError as full:
            raise self._not_written(full) from full
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def add(
        self, split: str, name: str, rgb: np.ndarray | Path, depth: np.ndarray, label: np.ndarray
    ) -> None:
        """Write one frame.

        :param name: `<sequence>/<frame>`.
        :param rgb: uint8 [H, W, 3], written without loss; or a JPEG or PNG file to copy as it is.
        :param depth: float [H, W], metres; what is not finite, not positive or beyond the range
            of 16 bits becomes 0, invalid.
        :param label: uint8 [H, W].
        :raises CrodinoError: the three have different sizes, a file cannot be decoded, or the
            disk is full.
        """
        _check_sizes(name, rgb, depth, label)
        sequence, _, frame = name.rpartition('/')
        folder = self._staging / sequence
        try:
            for kind in ('color', 'depth', 'label'):
                (folder / kind).mkdir(parents=True, exist_ok=True)
            if isinstance(rgb, Path):
                suffix = '.png' if rgb.suffix.lower() == '.png' else '.jpg'
                shutil.copyfile(rgb, folder / 'color' / f'{frame}{suffix}')
            else:
                _write_png(folder / 'color' / f'{frame}.png', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
            _write_png(folder / 'depth' / f'{frame}.png', self._steps(depth))
            _write_png(folder / 'label' / f'{frame}.png', label)
        except OSError as error:
            raise self._not_written(error) from error
        self._splits.setdefault(split, []).append(name)

    def leave(self, reason: str, count: int = 1) -> None:
        """Count what is not written, by the reason in words."""
        if count:
            self.written.left[reason] += count

    def _steps(self, depth: np.ndarray) -> np.ndarray:
        steps = np.rint(np.nan_to_num(depth, nan=0, posinf=0, neginf=0) / self.depth_scale)
        return np.where((steps >= 0) & (steps <= 65535), steps, 0).astype(np.uint16)

    def _finish(self) -> None:
        path = self.written.path
        if not self._splits:
            reasons = ', '.join(f'{count} {why}' for why, count in self.written.left.items())
            raise CrodinoError(
                f'no frame could be written to {path}: ' + (reasons or 'the source has none')
            )
        camera = {'origin': self.origin, 'depth': {'scale_to_metres': self.depth_scale}}
        classes = {'void_index': 255, 'classes': self.labels.to_list()}
        for name, content in (('camera.yaml', camera), ('classes.yaml', classes)):
            (self._staging / name).write_text(yaml.safe_dump(content, sort_keys=False))
        (self._staging / 'splits.json').write_text(json.dumps(self._splits, indent=1))
        self.written.frames = {split: len(names) for split, names in self._splits.items()}
        os.replace(self._staging, path)

    def _not_written(self, error: OSError) -> CrodinoError:
        return CrodinoError(
            f'{self.written.path} cannot be written: {error.strerror or error}; '
            'nothing was left there'
        )


def distinct_colors(count: int) -> tuple[tuple[int, int, int], ...]:
    """Display colours for classes that bring none: the colour map of Pascal VOC without black.

    Bit 3k + c of the class number is bit 7 - k of channel c.
    """
    return tuple(
        tuple(  # type: ignore[misc]
            sum(((number >> (3 * k + channel)) & 1) << (7 - k) for k in range(3))
            for channel in range(3)
        )
        for number in range(1, count + 1)
    )


def _check_sizes(name: str, rgb: np.ndarray | Path, depth: np.ndarray, label: np.ndarray) -> None:
    # Decoded as a reader will, which also finds files that are damaged.
    color = read_image(rgb, cv2.IMREAD_COLOR) if isinstance(rgb, Path) else rgb
    sizes = {
        kind: image.shape[:2]
        for kind, image in (('colour', color), ('depth', depth), ('label', label))
    }
    if len(set(sizes.values())) > 1:
        found = ', '.join(f'{kind} {height}x{width}' for kind, (height, width) in sizes.items())
        source = f' ({rgb})' if isinstance(rgb, Path) else ''
        raise CrodinoError(
            f'the images of the frame {name}{source} have different sizes: {found} (height x '
            'width); one size was expected'
        )


def _write_png(path: Path, image: np.ndarray) -> None:
    path.write_bytes(cv2.imencode('.png', image)[1].tobytes())

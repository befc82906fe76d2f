"""A model bundle: one folder with both networks and all a robot must know of them."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from crodino_core.errors import CrodinoError
from crodino_core.labels import LabelSet
from crodino_core.modality import Modality

DESCRIPTION_FILE = 'model.yaml'


@dataclass(frozen=True)
class ModelBundle:
    """The two exported networks and their description (`model.yaml`).

    `rgb.onnx` takes `image` uint8 [1, H, W, 3] (RGB order), `depth.onnx` takes `depth`
    float32 [1, H, W, 1] in metres with 0 for invalid. Both return `mask` uint8 [1, H, W] and
    `confidence` uint8 [1, H, W] (255 = certain). Normalisation, the resize to `input_size` and
    back, softmax and argmax are inside the graphs.
    """

    path: Path
    name: str
    labels: LabelSet
    input_size: tuple[int, int]
    """Height and width the network works at; images of any size are stretched to it."""
    rgb_mean: tuple[float, float, float]
    rgb_std: tuple[float, float, float]
    depth_range: tuple[float, float]
    """Nearest and farthest depth the network was trained on, metres."""
    opset: int
    sha256: Mapping[Modality, str]
    trained_on: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    """Validation figures, e.g. `{'test': {'rgb': {'miou': 55.2}, ...}}` in percent."""
    quality: Mapping[str, Any] = field(default_factory=dict)
    """What the confidence of each network says of its masks, see `runtime.quality`; empty where
    the bundle was not calibrated."""

    def onnx_path(self, modality: Modality) -> Path:
        """Path of the modality's network."""
        return self.path / f'{modality}.onnx'

    @classmethod
    def load(cls, path: str | Path) -> ModelBundle:
        """Read a bundle and check the sha256 of each network.

        :raises CrodinoError: a file is missing or damaged, or a key of `model.yaml` is wrong.
        """
        path = Path(path)
        description = path / DESCRIPTION_FILE
        if not description.is_file():
            raise CrodinoError(
                f'{path} is not a model bundle: {DESCRIPTION_FILE} was expected in it; '
                'make one with: crodino export RUN --out DIR'
            )
        try:
            content = yaml.safe_load(description.read_text())
        except yaml.YAMLError as error:
            raise CrodinoError(f'{description} is not YAML: {error}') from error
        bundle = cls(path=path, **_parse(content, description))
        bundle.verify()
        return bundle

    def verify(self) -> None:
        """Compare each network with its recorded sha256.

        :raises CrodinoError: a file is missing or its sha256 differs.
        """
        for modality in Modality:
            file = self.onnx_path(modality)
            if not file.is_file():
                raise CrodinoError(
                    f'the bundle {self.path} lacks {file.name}; copy the whole folder again '
                    'or export it anew'
                )
            found = sha256_of(file)
            if found != self.sha256[modality]:
                raise CrodinoError(
                    f'{file} is damaged or was replaced: its sha256 is {found}, '
                    f'{DESCRIPTION_FILE} says {self.sha256[modality]}; '
                    'copy the bundle again or export it anew'
                )

    @classmethod
    def save(
        cls, path: str | Path, networks: Mapping[Modality, Path], **facts: Any
    ) -> ModelBundle:
        """Write a bundle folder in one step: it is whole or it is not there.

        :param path: the folder to make; an earlier bundle there is replaced.
        :param networks: the ONNX file of each modality, copied into the folder.
        :param facts: the remaining fields of `ModelBundle` but `path` and `sha256`.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        occupied = path.is_file() or (path.is_dir() and any(path.iterdir()))
        if occupied and not (path / DESCRIPTION_FILE).is_file():
            raise CrodinoError(
                f'{path} exists and is not a model bundle; name a new folder for the bundle'
            )
        scratch = Path(tempfile.mkdtemp(prefix=f'.{path.name}-', dir=path.parent))
        staging = scratch / 'new'
        try:
            staging.mkdir()
            for modality, source in networks.items():
                shutil.copyfile(source, staging / f'{modality}.onnx')
            digests = {m: sha256_of(staging / f'{m}.onnx') for m in networks}
            bundle = cls(path=path, sha256=digests, **facts)
            (staging / DESCRIPTION_FILE).write_text(bundle._description())
            if path.exists():
                path.rename(scratch / 'old')
            staging.rename(path)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return bundle

    def with_scores(self, scores: Mapping[str, Any]) -> ModelBundle:
        """Add validation figures to the bundle, also on disk."""
        return self._rewritten(scores={**self.scores, **scores})

    def with_quality(self, quality: Mapping[str, Any]) -> ModelBundle:
        """Put the calibration of the networks' confidence into the bundle, also on disk."""
        return self._rewritten(quality=quality)

    def _rewritten(self, **changes: Any) -> ModelBundle:
        bundle = dataclasses.replace(self, **changes)
        description = self.path / DESCRIPTION_FILE
        temporary = description.with_suffix('.partial')
        temporary.write_text(bundle._description())
        temporary.replace(description)
        return bundle

    def _description(self) -> str:
        content = {
            'name': self.name,
            'input': {'height': self.input_size[0], 'width': self.input_size[1]},
            'resize': 'stretch',
            'rgb': {'mean': list(self.rgb_mean), 'std': list(self.rgb_std)},
            'depth': {'range_m': list(self.depth_range)},
            'opset': self.opset,
            'files': {
                str(m): {'path': f'{m}.onnx', 'sha256': self.sha256[m]} for m in self.sha256
            },
            'trained_on': dict(self.trained_on),
            'scores': dict(self.scores),
            **({'quality': dict(self.quality)} if self.quality else {}),
            'classes': self.labels.to_list(),
        }
        return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=99)


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    digest = hashlib.sha256()
    with path.open('rb') as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _parse(content: object, source: Path) -> dict[str, Any]:
    """Turn the content of `model.yaml` into the fields of `ModelBundle`."""
    if not isinstance(content, dict):
        raise CrodinoError(f'{source}: a mapping was expected')
    try:
        return {
            'name': str(content['name']),
            'labels': LabelSet.from_list(content['classes'], str(source)),
            'input_size': (int(content['input']['height']), int(content['input']['width'])),
            'rgb_mean': tuple(float(v) for v in content['rgb']['mean']),
            'rgb_std': tuple(float(v) for v in content['rgb']['std']),
            'depth_range': tuple(float(v) for v in content['depth']['range_m']),
            'opset': int(content['opset']),
            'sha256': {m: str(content['files'][str(m)]['sha256']) for m in Modality},
            'trained_on': content.get('trained_on') or {},
            'scores': content.get('scores') or {},
            'quality': content.get('quality') or {},
        }
    except KeyError as error:
        raise CrodinoError(f'{source}: the key {error} is missing') from error
    except (TypeError, ValueError) as error:
        raise CrodinoError(f'{source}: {error}') from error

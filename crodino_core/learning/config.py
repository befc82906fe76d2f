"""One page that says everything about a training run; an unknown key is an error."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from crodino_core.errors import UsageError
from crodino_core.learning.decoupled_augment import GeometrySettings
from crodino_core.learning.models.twin import SplitKind
from crodino_core.learning.photometric import PhotometricSettings
from crodino_core.learning.setting_types import (
    STRICT,
    Count,
    Positive,
    Real,
    Seed,
    Share,
    Weight,
    Whole,
)
from crodino_core.modality import Modality
from crodino_core.strict_yaml import load_strictly

CAPPED_WARMUP = -1
"""Stands for a default that depends on another setting; no file can give it."""
Size = tuple[Count, Count]
MethodName = Literal['crodino', 'independent', 'kd', 'early_fusion_zero_filled']


@dataclass(frozen=True, config=STRICT)
class FolderSource:
    """A data set in the native folder format."""

    path: str
    kind: Literal['folder'] = 'folder'
    split: str = 'train'
    weight: Positive = 1.0
    """Share of the samples drawn from this source, relative to the other sources."""


@dataclass(frozen=True, config=STRICT)
class ScenesSource:
    """Synthetic rooms, rendered when the run starts."""

    kind: Literal['scenes']
    scenes: Count = 100
    frames_per_scene: Count = 4
    seed: Seed = 0
    weight: Positive = 1.0


Source = Annotated[FolderSource | ScenesSource, Field(discriminator='kind')]


@dataclass(frozen=True, config=STRICT)
class DataConfig:
    """Where samples come from and the sizes they are seen at."""

    sources: Annotated[list[Source], Field(min_length=1)]
    validation: FolderSource
    input_size: Size = (288, 384)
    """Height and width at which the exported networks work."""
    view_size: Size = (192, 256)
    """Height and width of a training view."""
    workers: Annotated[Whole, Field(ge=0)] = 1


def _increasing(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] >= limits[1]:
        raise ValueError('the first limit was expected to be less than the second')
    return limits


DepthRange = Annotated[tuple[Positive, Positive], AfterValidator(_increasing)]


@dataclass(frozen=True, config=STRICT)
class ModelConfig:
    """The networks."""

    backbone: str = 'mobilenet_v2'
    weights: str | None = None
    """Initial weights of the encoders: a state dict, `imagenet` (downloaded), or none."""
    split: SplitKind = 'projection'
    split_channels: Count = 128
    decoder_channels: Count = 128
    separable: bool = True
    dropout: Annotated[Real, Field(ge=0, lt=1)] = 0.1
    """Share of the ASPP's output that is dropped in training."""
    depth_range: DepthRange = (0.1, 10.0)
    """Nearest and farthest depth that counts as measured, metres."""


@dataclass(frozen=True, config=STRICT)
class LossConfig:
    """Weights of the losses and the parameters of Eq 3 and Eq 7; 0 switches one off.

    The weights are SEED's but for two (OURS, measured in docs/results.md): the contrast's, there
    0.5, whose gradient is otherwise several times that of the segmentation, and the auxiliary
    one, there 0.2 and not balanced.
    """

    orthogonality: Weight = 0.1
    contrastive: Weight = 0.05
    auxiliary: Weight = 0.5
    auxiliary_balance: Share = 0.75
    """A class of n pixels counts as n^(1 - balance) in the auxiliary loss; 0: as in SIBLING."""
    auxiliary_shared: bool = True
    """One auxiliary decoder for both modalities; false: one each, which joins nothing."""
    mixup: Weight = 1.0
    mixing: Share = 0.35
    """Lambda of Eq 3."""
    mixup_every: Count = 2
    """Every n-th image of a batch is decoded mixed, too; 1: all of them (OURS)."""
    contrast: Literal['prototype', 'global'] = 'prototype'
    temperature: Positive = 0.07
    distillation: Weight = 1.0
    """Weight of the teacher's word; only in the method `kd`."""
    distillation_temperature: Positive = 2.0


@dataclass(frozen=True, config=STRICT)
class OptimiserConfig:
    """AdamW with a linear warm-up and a cosine decay."""

    steps: Count = 1500
    batch_size: Count = 8
    learning_rate: Positive = 5e-4
    encoder_factor: Positive = 0.5
    """Learning rate of the pretrained encoders relative to the decoders'."""
    weight_decay: Weight = 0.01
    warmup_steps: Annotated[Whole, Field(ge=0)] = CAPPED_WARMUP
    """Before the full rate; by default 100, or an eighth of the steps where that is less."""
    clip_norm: Positive = 5.0
    ema: Annotated[Real, Field(ge=0, lt=1)] = 0.998
    """Decay of the averaged weights that are validated and exported; 0 switches it off."""
    precision: Literal['float32', 'bfloat16'] = 'float32'

    @model_validator(mode='after')
    def _full_rate_is_reached(self) -> OptimiserConfig:
        if self.warmup_steps == CAPPED_WARMUP:
            object.__setattr__(self, 'warmup_steps', min(100, self.steps // 8))
        if self.warmup_steps > self.steps:
            raise ValueError(
                f'warmup_steps is {self.warmup_steps}, and steps is {self.steps}: the full '
                'learning rate would not be reached; no more than the steps were expected'
            )
        return self


def _no_path(name: str) -> str:
    if not re.fullmatch(r'[\w.-]+', name) or name in ('.', '..'):
        raise ValueError(
            'letters, digits, and the signs _ . - were expected: a folder is named so'
        )
    return name


@dataclass(frozen=True, config=STRICT)
class TrainConfig:
    """A training run."""

    name: Annotated[str, AfterValidator(_no_path)]
    """What the run folder is called unless `--out` names one, and the bundle that is exported."""
    data: DataConfig
    method: MethodName = 'crodino'
    teacher: str | None = None
    """Run folder of the teacher, an `early_fusion_zero_filled` run; only in the method `kd`."""
    start_from: str | None = None
    """Run folder whose best networks this run starts from; None: from `model.weights`."""
    frozen: list[Modality] = field(default_factory=list)
    """Networks that no longer learn and only mix and contrast with the other one (Eq 3, Eq 7); a
    few hundred steps so give the weaker network a polish at half the cost."""
    seed: Seed = 0
    device: str = 'auto'
    validate_every: Count = 250
    model: ModelConfig = field(default_factory=ModelConfig)
    geometry: GeometrySettings = field(default_factory=GeometrySettings)
    photometric: PhotometricSettings = field(default_factory=PhotometricSettings)
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)


SECTIONS: dict[str, Any] = {
    'data.validation': FolderSource,
    'data.sources.N.folder': FolderSource,
    'data.sources.N.scenes': ScenesSource,
    'photometric': PhotometricSettings,
    'geometry': GeometrySettings,
    'model': ModelConfig,
    'data': DataConfig,
    'loss': LossConfig,
    'optimiser': OptimiserConfig,
    '': TrainConfig,
}
"""Where each kind of settings stands; of two keys of one name the later one is suggested."""


def load_config(path: Path, overrides: Iterable[str] = ()) -> TrainConfig:
    """Read a training configuration.

    :param path: YAML file; relative paths in it are relative to the working folder.
    :param overrides: `key=value` with dots for nesting, e.g. `optimiser.steps=200`.
    :raises UsageError: the file is not readable, or a key or value is wrong.
    """
    content = read_settings(path)
    for override in overrides:
        _override(content, override)
    try:
        return TypeAdapter(TrainConfig).validate_python(content)
    except ValidationError as error:
        raise UsageError(f'{path}: ' + '; '.join(map(_explain, error.errors()))) from error


def read_settings(path: Path) -> dict[str, Any]:
    """Read a file of settings as it is, without defaults and without checking them.

    :raises UsageError: the file is not readable, or no mapping.
    """
    try:
        content = load_strictly(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        raise UsageError(f'{path}: the configuration cannot be read: {reason}') from error
    if not isinstance(content, dict):
        raise UsageError(f'{path}: a mapping of settings was expected')
    return content


def to_yaml(config: TrainConfig) -> str:
    """Return the configuration with all its defaults, in the form `load_config` reads."""
    content = TypeAdapter(TrainConfig).dump_python(config, mode='json')
    return yaml.safe_dump(content, sort_keys=False)


def _override(content: dict[str, Any], override: str) -> None:
    key, separator, value = override.partition('=')
    if not separator:
        raise UsageError(f'{override!r} is not an override; key=value was expected')
    *parents, last = key.split('.')
    for parent in parents:
        content = content.setdefault(parent, {})
        if not isinstance(content, dict):
            raise UsageError(f'{override!r}: {parent} is no mapping and has no keys below it')
    try:
        content[last] = load_strictly(value)
    except yaml.YAMLError as error:
        reason = ' '.join(str(error).split())
        raise UsageError(f'{override!r}: the value is not YAML: {reason}') from error


def _explain(error: Any) -> str:
    """Say one finding of pydantic in our words, with the nearest known key or all of them."""
    where = '.'.join(str(part) for part in error['loc'])
    if error['type'] != 'unexpected_keyword_argument':
        return f'{where}: {error["msg"]} (found: {error.get("input")!r})'
    return f'unknown key {where}; {_hint(where)}'


def _hint(where: str) -> str:
    """Name the known key most like an unknown one: of its section, else of another.

    Where none is like it, all of its section.
    """
    section, _, key = re.sub(r'^data\.sources\.\d+', 'data.sources.N', where).rpartition('.')
    own = _keys({section: SECTIONS.get(section)})
    # Of other sections only what is hardly to be mistaken: `lr` is not much like `blur`.
    for candidates, cutoff in ((own, 0.6), (_keys(SECTIONS), 0.75)):
        near = difflib.get_close_matches(key, sorted(candidates), n=1, cutoff=cutoff)
        if near:
            return f'did you mean {_plain(candidates[near[0]])}?'
    return f'{_plain(section) or "the configuration"} has {", ".join(own)}'


def _plain(where: str) -> str:
    """Leave out what pydantic puts in to tell the kinds of sources apart."""
    return re.sub(r'\.(folder|scenes)(?=\.|$)', '', where)


def _keys(sections: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys of sections and, for each, its name with dots."""
    return {
        item.name: f'{section}.{item.name}'.lstrip('.')
        for section, kind in sections.items()
        if kind is not None
        for item in dataclasses.fields(kind)
    }

"""A model bundle: one folder with both networks and all a robot must know of them."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crodino_core.bundle_description import read_fields, to_yaml
from crodino_core.bundle_files import DESCRIPTION_FILE, check_digest, replacing, sha256_of
from crodino_core.errors import CrodinoError
from crodino_core.labels import LabelSet
from crodino_core.modality import Modality
from crodino_core.variants import (
    FLOAT32,
    HOW_TO_MAKE,
    Variant,
    check_precision,
    network_file,
    resolution_name,
)
from crodino_core.whole_files import write_whole


@dataclass(frozen=True)
class ModelBundle:
    """The two exported networks and their description (`model.yaml`).

    `rgb.onnx` takes `image` uint8 [1, H, W, 3] (RGB order), `depth.onnx` takes `depth`
    float32 [1, H, W, 1] in metres with 0 for invalid. Both return `mask` uint8 [1, H, W] and
    `confidence` uint8 [1, H, W] (255 = certain). Normalisation, the resize to `input_size` and
    back, softmax and argmax are inside the graphs.

    A bundle may have further pairs of networks (`variants`); `input_size` and `sha256` are those
    of the pair that was chosen.
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
    precision: str = FLOAT32
    """Of the chosen pair, one of `variants.PRECISIONS`."""
    variants: tuple[Variant, ...] = ()
    """The pairs besides the first one, which is in float32."""
    whole: ModelBundle | None = field(default=None, repr=False, compare=False)
    """With the first pair chosen, where another one was."""

    def onnx_path(self, modality: Modality) -> Path:
        """Path of the modality's network."""
        first_size = (self.whole or self).input_size
        return self.path / network_file(modality, self.precision, self.input_size, first_size)

    @classmethod
    def load(
        cls,
        path: str | Path,
        precision: str = FLOAT32,
        resolution: tuple[int, int] | None = None,
    ) -> ModelBundle:
        """Read a bundle, check the sha256 of each network, and choose a pair of them.

        :param precision, resolution: see `choose`.
        :raises CrodinoError: a file is missing or damaged, a key of `model.yaml` is wrong, or
            there is no such pair.
        """
        path = Path(path)
        description = path / DESCRIPTION_FILE
        if not description.is_file():
            raise CrodinoError(
                f'{path} is not a model bundle: {DESCRIPTION_FILE} was expected in it; '
                'make one with: crodino export RUN --out DIR'
            )
        bundle = cls(path=path, **read_fields(description))
        bundle.verify()
        return bundle.choose(precision, resolution)

    def choose(
        self, precision: str = FLOAT32, resolution: tuple[int, int] | None = None
    ) -> ModelBundle:
        """Return the bundle with another of its pairs of networks.

        :param resolution: height and width the networks work at; None takes the first pair's.
        :raises UsageError: the precision is unknown.
        :raises CrodinoError: the bundle has no such pair.
        """
        check_precision(precision)
        whole = self.whole or self
        wanted = (precision, resolution or whole.input_size)
        if wanted == (FLOAT32, whole.input_size):
            return whole
        for variant in whole.variants:
            if wanted == (variant.precision, variant.input_size):
                return dataclasses.replace(
                    whole,
                    precision=variant.precision,
                    input_size=variant.input_size,
                    sha256=variant.sha256,
                    whole=whole,
                )
        raise CrodinoError(
            f'the bundle {self.path} has no {precision} networks of {resolution_name(wanted[1])}; '
            f'it has {", ".join(map(str, whole.pairs()))}; '
            f'make them with: {HOW_TO_MAKE[precision]}'
        )

    def pairs(self) -> tuple[Variant, ...]:
        """Return every pair of networks, the first one first."""
        first = self.whole or self
        return (Variant(FLOAT32, first.input_size, first.sha256), *first.variants)

    def verify(self) -> None:
        """Compare each network with its recorded sha256.

        :raises CrodinoError: a file is missing or its sha256 differs.
        """
        for variant in self.pairs():
            for modality in Modality:
                chosen = self.choose(variant.precision, variant.input_size)
                check_digest(chosen.onnx_path(modality), variant.sha256[modality])

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
        with replacing(path) as staging:
            for modality, source in networks.items():
                shutil.copyfile(source, staging / f'{modality}.onnx')
            digests = {m: sha256_of(staging / f'{m}.onnx') for m in networks}
            bundle = cls(path=path, sha256=digests, **facts)
            (staging / DESCRIPTION_FILE).write_text(to_yaml(bundle))
        return bundle

    def with_variant(
        self,
        precision: str,
        networks: Mapping[Modality, Path],
        resolution: tuple[int, int] | None = None,
        **facts: Any,
    ) -> ModelBundle:
        """Add a pair of networks to the bundle, also on disk and in one step.

        An earlier pair of that precision and resolution is replaced.

        :param networks: the ONNX file of each modality, copied into the folder.
        :param resolution: height and width they work at; None: the first pair's.
        :param facts: for `Variant.facts`.
        """
        whole = self.whole or self
        size = resolution or whole.input_size
        others = [v for v in whole.variants if (v.precision, v.input_size) != (precision, size)]
        digests = {m: sha256_of(networks[m]) for m in Modality}
        added = Variant(precision, size, digests, facts)
        bundle = dataclasses.replace(whole, variants=(*others, added))
        with replacing(self.path) as staging:
            shutil.copytree(self.path, staging, dirs_exist_ok=True)
            for m, source in networks.items():
                name = network_file(m, precision, size, whole.input_size)
                shutil.copyfile(source, staging / name)
            (staging / DESCRIPTION_FILE).write_text(to_yaml(bundle))
        return bundle

    def with_scores(self, scores: Mapping[str, Any]) -> ModelBundle:
        """Add validation figures to the bundle, also on disk."""
        return self._rewritten(scores={**self.scores, **scores})

    def with_quality(self, quality: Mapping[str, Any]) -> ModelBundle:
        """Put the calibration of the networks' confidence into the bundle, also on disk."""
        return self._rewritten(quality=quality)

    def _rewritten(self, **changes: Any) -> ModelBundle:
        bundle = dataclasses.replace(self.whole or self, **changes)
        write_whole({self.path / DESCRIPTION_FILE: to_yaml(bundle)})
        return bundle

"""`model.yaml`: the description of a model bundle, read and written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from crodino_core.errors import CrodinoError
from crodino_core.labels import LabelSet
from crodino_core.modality import Modality
from crodino_core.variants import Variant

if TYPE_CHECKING:
    from crodino_core.bundle import ModelBundle

RESIZE = 'stretch'
"""How images come to the networks' height and width; nothing else is known yet."""


def read_fields(source: Path) -> dict[str, Any]:
    """Read `model.yaml` into the fields of `ModelBundle`.

    :raises CrodinoError: it is not YAML, or a key is missing or wrong.
    """
    try:
        content = yaml.safe_load(source.read_bytes())
    except yaml.YAMLError as error:
        raise CrodinoError(f'{source} is not YAML: {error}') from error
    if not isinstance(content, dict):
        raise CrodinoError(f'{source}: a mapping was expected')
    resize = content.get('resize', RESIZE)
    if resize != RESIZE:
        raise CrodinoError(
            f'{source}: resize is {resize!r}; this version knows {RESIZE!r} only: export the '
            'networks with it, or use a later version'
        )
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
            'variants': tuple(map(Variant.parse, content.get('variants') or ())),
        }
    except KeyError as error:
        raise CrodinoError(f'{source}: the key {error} is missing') from error
    except (TypeError, ValueError) as error:
        raise CrodinoError(f'{source}: {error}') from error


def to_yaml(bundle: ModelBundle) -> str:
    """Write the description of a bundle with its first pair chosen."""
    variants = [variant.describe(bundle.input_size) for variant in bundle.variants]
    content = {
        'name': bundle.name,
        'input': {'height': bundle.input_size[0], 'width': bundle.input_size[1]},
        'resize': RESIZE,
        'rgb': {'mean': list(bundle.rgb_mean), 'std': list(bundle.rgb_std)},
        'depth': {'range_m': list(bundle.depth_range)},
        'opset': bundle.opset,
        'files': {
            str(m): {'path': f'{m}.onnx', 'sha256': bundle.sha256[m]} for m in bundle.sha256
        },
        **({'variants': variants} if variants else {}),
        'trained_on': dict(bundle.trained_on),
        'scores': dict(bundle.scores),
        **({'quality': dict(bundle.quality)} if bundle.quality else {}),
        'classes': bundle.labels.to_list(),
    }
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=99)

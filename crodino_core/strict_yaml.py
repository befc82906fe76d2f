"""YAML files that people write: a key that is given twice is a mistake, not a later wish."""

from __future__ import annotations

from typing import Any

import yaml


def load_strictly(text: str) -> Any:
    """Read YAML as `yaml.safe_load` does, but for keys that a mapping has twice.

    :raises yaml.YAMLError: the text is not YAML, or a key is given twice.
    """
    return yaml.load(text, _Loader)


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        given: set[str] = set()
        for key, _ in node.value:
            if key.value in given and isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, f'the key {key.value} is given twice', key.start_mark
                )
            if isinstance(key, yaml.ScalarNode):
                given.add(key.value)
        return super().construct_mapping(node, deep)

"""YAML files that people write: a key that is given twice is a mistake, not a later wish."""

from __future__ import annotations

from typing import Any

import yaml


def load_strictly(text: str | bytes) -> Any:
    """Read YAML as `yaml.safe_load` does, but for keys that a mapping has twice.

    :param text: bytes are UTF-8, or UTF-16 with its mark at the start.
    :raises yaml.YAMLError: the text is not YAML, or a key is given twice.
    """
    try:
        return yaml.load(text, _Loader)
    except ValueError as error:  # of a word like 2024-13-45, which is a date to YAML and none
        raise yaml.YAMLError(str(error)) from error


class _Loader(yaml.SafeLoader):
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Here, before merge keys are worked in, which may well repeat what they overrule.
        node = super().compose_mapping_node(anchor)
        given: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in given:
                raise yaml.composer.ComposerError(
                    None, None, f'the key {key.value} is given twice', key.start_mark
                )
            given.add((key.tag, key.value))
        return node

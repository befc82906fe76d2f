"""Names of the ROS graph: rules, expansion and remapping.

https://design.ros2.org/articles/topic_and_service_names.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from crodino_ros.middleware.embedded.exceptions import NameValidationException

_TOKEN = r'[A-Za-z_][A-Za-z0-9_]*'
_NODE_NAME = re.compile(_TOKEN)
_NAMESPACE = re.compile(rf'/|(/{_TOKEN})+')
NODE_SOURCES = ('__node', '__name')
NAMESPACE_SOURCES = ('__ns',)
_TOPIC = re.compile(rf'(~?/)?{_TOKEN}(/{_TOKEN})*|~')


@dataclass(frozen=True)
class Remap:
    """One `-r [node:]from:=to`; `source` is a name, `__node`, `__name` or `__ns`."""

    node: str | None
    source: str
    target: str


def validate_node_name(name: str) -> None:
    """Raise NameValidationException unless `name` may name a node."""
    if not _NODE_NAME.fullmatch(name) or len(name) > 255:
        raise NameValidationException('node name', name, 'letters, digits and underscores only')


def validate_namespace(namespace: str) -> None:
    """Raise NameValidationException unless `namespace` is absolute and well formed."""
    if not _NAMESPACE.fullmatch(namespace):
        raise NameValidationException('namespace', namespace, 'say "/" or "/name/name"')


def validate_remap(remap: Remap) -> None:
    """Raise NameValidationException unless both sides may be names."""
    if remap.source in NODE_SOURCES:
        validate_node_name(remap.target)
    elif remap.source in NAMESPACE_SOURCES:
        validate_namespace(remap.target)
    else:
        for name in (remap.source, remap.target):
            expand(name, 'node', '/')


def expand(name: str, node_name: str, namespace: str) -> str:
    """The absolute name of a topic or service called `name` inside a node.

    `~/x` is private to the node, `/x` absolute, `x` relative to the namespace.
    """
    if not _TOPIC.fullmatch(name):
        raise NameValidationException(
            'topic or service name', name, 'letters, digits and underscores between single "/"'
        )
    prefix = namespace.rstrip('/')
    if name.startswith('~'):
        return f'{prefix}/{node_name}{name[1:]}'
    return name if name.startswith('/') else f'{prefix}/{name}'


class Remapper:
    """The remappings that concern one node."""

    def __init__(self, rules: list[Remap], node_name: str, namespace: str) -> None:
        self._rules = [rule for rule in rules if rule.node in (None, node_name)]
        self.node_name = self._special(NODE_SOURCES) or node_name
        self.namespace = self._special(NAMESPACE_SOURCES) or namespace
        validate_node_name(self.node_name)
        validate_namespace(self.namespace)

    def resolve(self, name: str, only_expand: bool = False) -> str:
        """The absolute name after expansion and the first remapping that fits."""
        full = self._expand(name)
        if only_expand:
            return full
        for rule in self._rules:
            if not rule.source.startswith('__') and self._expand(rule.source) == full:
                return self._expand(rule.target)
        return full

    def _expand(self, name: str) -> str:
        return expand(name, self.node_name, self.namespace)

    def _special(self, sources: tuple[str, ...]) -> str | None:
        for rule in self._rules:
            if rule.source in sources:
                return rule.target
        return None

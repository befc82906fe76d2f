"""The command line after `--ros-args`, and parameter files."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from crodino_ros.middleware.embedded.exceptions import (
    NameValidationException,
    ROSArgumentsError,
)
from crodino_ros.middleware.embedded.names import Remap, validate_remap

_IGNORED = {
    *('--enable-rosout-logs', '--disable-rosout-logs', '--enable-stdout-logs'),
    *('--disable-external-lib-logs', '--enable-external-lib-logs'),
}
_NOT_OFFERED = ('--enclave', '-e', '--log-config-file', '--log-file-name', '--disable-stdout-logs')


class _Loader(yaml.SafeLoader):
    """YAML whose `1e-3` is a number, as it is for ROS."""


_Loader.add_implicit_resolver(  # type: ignore[no-untyped-call]
    'tag:yaml.org,2002:float',
    re.compile(r'[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+'),
    list('-+.0123456789'),
)


@dataclass
class Arguments:
    """What `--ros-args` asked for.

    `parameters` are (node pattern, name, value) in order: a later one wins.
    """

    remaps: list[Remap] = field(default_factory=list)
    parameters: list[tuple[str, str, Any]] = field(default_factory=list)
    log_levels: list[tuple[str | None, str]] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def overrides(self, node_name: str, namespace: str) -> dict[str, Any]:
        """The parameter values meant for this node, by parameter name."""
        full = f'{namespace.rstrip("/")}/{node_name}'
        return {n: v for pattern, n, v in self.parameters if _fits(pattern, full, node_name)}


def parse(args: Sequence[str] | None) -> Arguments:
    """Read `args` (None = `sys.argv[1:]`); ROSArgumentsError names what is wrong."""
    result = Arguments()
    rest = iter(sys.argv[1:] if args is None else args)
    for arg in rest:
        if arg == '--ros-args':
            _parse_ros(rest, result)
        else:
            result.others.append(arg)
    return result


def _parse_ros(rest: Iterator[str], result: Arguments) -> None:
    for arg in rest:
        if arg == '--':
            return
        if arg in ('-r', '--remap'):
            result.remaps.append(_remap(_value(rest, arg)))
        elif arg in ('-p', '--param'):
            result.parameters.append(_parameter(_value(rest, arg)))
        elif arg == '--params-file':
            result.parameters += read_params_file(Path(_value(rest, arg)))
        elif arg == '--log-level':
            logger, found, level = _value(rest, arg).rpartition(':=')
            result.log_levels.append((logger if found else None, level))
        elif arg in _NOT_OFFERED:
            raise ROSArgumentsError(
                f'{arg} is not offered by the embedded middleware; install ROS 2 for it'
            )
        elif arg not in _IGNORED:
            raise ROSArgumentsError(
                f'{arg!r} after --ros-args is not understood; it takes -r from:=to, '
                f'-p name:=value, --params-file FILE, --log-level LEVEL, and ends with --'
            )


def _value(rest: Iterator[str], flag: str) -> str:
    try:
        return next(rest)
    except StopIteration:
        raise ROSArgumentsError(f'{flag} needs a value after it') from None


def _split(text: str, flag: str) -> tuple[str, str]:
    left, found, right = text.partition(':=')
    if not found or not left:
        raise ROSArgumentsError(f'{flag} {text!r} has no ":=" between its two sides')
    return left, right


def _remap(text: str) -> Remap:
    source, target = _split(text, '-r')
    if '://' in source:
        raise ROSArgumentsError(f'-r {text!r}: rostopic:// and rosservice:// are not offered')
    node, found, name = source.rpartition(':')
    remap = Remap(node if found else None, name, target)
    try:
        validate_remap(remap)
    except NameValidationException as error:
        raise ROSArgumentsError(f'-r {text!r}: {error}') from error
    return remap


def _parameter(text: str) -> tuple[str, str, Any]:
    name, value = _split(text, '-p')
    node, found, name = name.rpartition(':')
    return (node if found else '/**', name, parse_value(value))


def parse_value(text: str) -> Any:
    """The value of `-p name:=text`, typed as YAML types it; text that is no YAML stays text."""
    try:
        value = yaml.load(text, _Loader)
    except yaml.YAMLError:
        return text
    return text if value is None or isinstance(value, dict) else value


def read_params_file(path: Path) -> list[tuple[str, str, Any]]:
    """(node pattern, parameter name, value) for every entry of a ROS parameter file."""
    try:
        content = yaml.load(path.read_text(encoding='utf-8'), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise ROSArgumentsError(f'the parameter file {path} cannot be read: {error}') from error
    except yaml.YAMLError as error:
        reason = ' '.join(str(error).split())
        raise ROSArgumentsError(f'the parameter file {path} is no valid YAML: {reason}') from error
    if not isinstance(content, dict):
        raise ROSArgumentsError(
            f'the parameter file {path} must look like "/**: ros__parameters: name: value"'
        )
    return list(_nodes(path, '', content))


def _nodes(path: Path, prefix: str, content: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for key, below in content.items():
        node = f'{prefix}/{key}' if prefix else str(key)
        if not isinstance(below, dict):
            raise ROSArgumentsError(
                f'the parameter file {path} has a value at {node!r} outside ros__parameters'
            )
        if 'ros__parameters' in below:
            values = below['ros__parameters'] or {}
            if not isinstance(values, dict):
                raise ROSArgumentsError(
                    f'the parameter file {path} has {values!r} as ros__parameters of {node!r}; '
                    'names with values were expected'
                )
            yield from ((node, name, value) for name, value in _flatten('', values))
        else:
            yield from _nodes(path, node, below)


def _flatten(prefix: str, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(f'{prefix}{key}.', value)
        else:
            yield f'{prefix}{key}', value


def _fits(pattern: str, full: str, node_name: str) -> bool:
    """Whether a node pattern (`name`, `/ns/name`, with `*` and `**`) means this node."""
    if '/' not in pattern and '*' not in pattern:
        return pattern == node_name
    pattern = re.sub('/+', '/', pattern if pattern.startswith(('/', '*')) else f'/{pattern}')
    text = re.escape(pattern).replace(r'/\*\*', '(/[^/]+)*').replace(r'\*\*', '.*')
    return re.fullmatch(text.replace(r'\*', '[^/]+'), full) is not None

"""Finding message and service classes in either world."""

from __future__ import annotations

import importlib
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_ros.middleware.choice import uses_rclpy


def interface(typename: str) -> Any:
    """The class of `pkg/msg/Name` or `pkg/srv/Name`; CrodinoError where it is unknown."""
    if not uses_rclpy():
        from crodino_ros.middleware.embedded.interfaces import interface as embedded

        return embedded(typename)
    package, kind, name = typename.split('/')
    try:
        return getattr(importlib.import_module(f'{package}.{kind}'), name)
    except (ImportError, AttributeError):
        raise CrodinoError(
            f'the interface {typename} is not installed; install the ROS 2 package {package}'
        ) from None


def named(kind: str, packages: tuple[str, ...], name: str) -> Any:
    """The first of the packages' classes with that name; AttributeError if there is none."""
    if not name.startswith('_'):
        for package in packages:
            try:
                return interface(f'{package}/{kind}/{name}')
            except CrodinoError:
                continue
    raise AttributeError(f'no {kind} {name!r} in {", ".join(packages)}')

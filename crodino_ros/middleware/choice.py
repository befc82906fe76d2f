"""Which of the two worlds this process lives in."""

from __future__ import annotations

import importlib.util
import os
from importlib.machinery import ModuleSpec, PathFinder

from crodino_core.errors import UsageError

_VARIABLE = 'CRODINO_MIDDLEWARE'


_SINCE_JAZZY = ('clock_type', 'event_handler')
"""Modules of rclpy that this package imports and that ROS 2 before Jazzy does not have."""


def uses_rclpy() -> bool:
    """True where rclpy is importable, unless CRODINO_MIDDLEWARE says `embedded`.

    :raises UsageError: the variable has another value, or rclpy is missing or too old for it.
    """
    wanted = os.environ.get(_VARIABLE, 'auto')
    if wanted not in ('auto', 'rclpy', 'embedded'):
        raise UsageError(f'{_VARIABLE} is {wanted!r}; say auto, rclpy or embedded')
    if wanted == 'embedded':
        return False
    found = importlib.util.find_spec('rclpy')
    if wanted == 'rclpy' and found is None:
        raise UsageError(
            f'{_VARIABLE} is rclpy, but rclpy cannot be imported; source ROS 2, or unset it'
        )
    if found is not None:
        _require_jazzy(found)
    return found is not None


def _require_jazzy(rclpy: ModuleSpec) -> None:
    """Refuse an rclpy that lacks what the nodes need, in words instead of an ImportError."""
    folders = rclpy.submodule_search_locations or []
    missing = [m for m in _SINCE_JAZZY if PathFinder.find_spec(f'rclpy.{m}', folders) is None]
    if missing:
        distribution = os.environ.get('ROS_DISTRO') or 'a release without ROS_DISTRO'
        raise UsageError(
            f'the rclpy in {", ".join(folders)} (ROS 2 {distribution}) has no '
            f'{" and no ".join(f"rclpy.{m}" for m in missing)}; ROS 2 Jazzy or newer was '
            f'expected. Source a newer one, or set {_VARIABLE}=embedded to run on the middleware '
            'that comes with this package'
        )

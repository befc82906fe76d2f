"""Which of the two worlds this process lives in."""

from __future__ import annotations

import importlib.util
import os

from crodino_core.errors import UsageError

_VARIABLE = 'CRODINO_MIDDLEWARE'


def uses_rclpy() -> bool:
    """True where rclpy is importable, unless CRODINO_MIDDLEWARE says `embedded`."""
    wanted = os.environ.get(_VARIABLE, 'auto')
    if wanted not in ('auto', 'rclpy', 'embedded'):
        raise UsageError(f'{_VARIABLE} is {wanted!r}; say auto, rclpy or embedded')
    found = importlib.util.find_spec('rclpy') is not None
    if wanted == 'rclpy' and not found:
        raise UsageError(
            f'{_VARIABLE} is rclpy, but rclpy cannot be imported; source ROS 2, or unset it'
        )
    return found and wanted != 'embedded'

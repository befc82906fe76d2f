"""Service classes by name: `from crodino_ros.middleware.srv import Trigger`."""

from __future__ import annotations

from typing import Any

from crodino_ros.middleware.lookup import interface, named

_PACKAGES = ('std_srvs', 'lifecycle_msgs', 'rcl_interfaces')

__all__ = ['interface']


def __getattr__(name: str) -> Any:
    return named('srv', _PACKAGES, name)

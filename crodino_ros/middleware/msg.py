"""Message classes by name: `from crodino_ros.middleware.msg import CameraInfo, Image`.

A name is looked up in the packages below, in order; `interface('pkg/msg/Name')` reaches any
other. `cv_bridge` is not needed: `crodino_ros.messages` decodes images in both worlds.
"""

from __future__ import annotations

from typing import Any

from crodino_ros.middleware.lookup import interface, named

_PACKAGES = (
    'sensor_msgs',
    'std_msgs',
    'diagnostic_msgs',
    'vision_msgs',
    'rcl_interfaces',
    'lifecycle_msgs',
    'rosgraph_msgs',
    'builtin_interfaces',
    'geometry_msgs',
    'tf2_msgs',
)

__all__ = ['interface']


def __getattr__(name: str) -> Any:
    return named('msg', _PACKAGES, name)

"""Names, field layout and type hash of a ROS interface as DDS sees them.

Cyclone DDS checks every sample against the declared layout, so the layout must be the real one.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from cyclonedds.idl import IdlStruct, make_idl_struct, types
from rosbags.interfaces import Nodetype

from crodino_ros.middleware.embedded.interfaces import typestore

_BASE_TYPES: dict[str, Any] = {
    'bool': bool,
    'byte': types.uint8,
    'string': str,
    **{
        name: getattr(types, name)
        for name in (
            *('int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'),
            *('float32', 'float64'),
        )
    },
}


@cache
def dds_type(typename: str, service: bool = False) -> type[IdlStruct]:
    """The DDS struct of `pkg/msg/Name` or `pkg/srv/Name_Request`.

    `service` puts rmw_cyclonedds' request header (client id, sequence number) in front.
    """
    fields: dict[str, Any] = {}
    if service:
        fields = {'client_id_': types.uint64, 'sequence_number_': types.int64}
    for name, desc in typestore().fielddefs[typename][1]:
        fields[f'{name}_'] = _field_type(desc)
    package, kind, name = typename.split('/')
    return make_idl_struct(
        f'{name}_', f'{package}.{kind}.dds_.{name}_', fields, dataclassify=False
    )


def type_hash(typename: str) -> str:
    """The type's RIHS01 hash (REP-2016), as `ros2 topic info -v` shows it."""
    return typestore().hash_rihs01(typename)


def ros_type(dds_name: str) -> str:
    """`sensor_msgs::msg::dds_::Image_` back to `sensor_msgs/msg/Image`."""
    return dds_name.replace('::dds_::', '::').replace('::', '/').removesuffix('_')


def _field_type(desc: Any) -> Any:
    kind, detail = desc
    if kind == Nodetype.NAME:
        return dds_type(detail)
    if kind == Nodetype.BASE:
        return _BASE_TYPES[detail[0]]
    element, length = detail
    if kind == Nodetype.ARRAY:
        return types.array[_field_type(element), length]
    return types.sequence[_field_type(element)]

"""Message classes, their CDR bytes and their DDS types on the embedded middleware."""

from __future__ import annotations

import array

import numpy as np
import pytest

pytest.importorskip('cyclonedds')

from crodino_core.errors import CrodinoError
from crodino_ros.middleware.embedded.dds_types import dds_type, ros_type, type_hash
from crodino_ros.middleware.embedded.interfaces import (
    deserialize,
    interface,
    serialize,
    typestore,
)

Image = interface('sensor_msgs/msg/Image')


def test_a_message_starts_with_zeros_and_takes_fields_by_name():
    empty, image = Image(), Image(height=2, width=3, encoding='mono8')
    assert (empty.height, empty.encoding, len(empty.data)) == (0, '', 0)
    assert (image.height, image.width, image.encoding) == (2, 3, 'mono8')
    assert image.header.stamp.sec == 0
    assert interface('sensor_msgs/msg/CameraInfo')().k.tolist() == [0.0] * 9


def test_messages_do_not_share_their_defaults():
    first, second = Image(), Image()
    first.header.frame_id = 'camera'
    assert second.header.frame_id == ''


def test_a_field_that_does_not_exist_is_refused_by_name():
    with pytest.raises(TypeError, match='no field widht'):
        Image(widht=3)
    with pytest.raises(AttributeError, match='heigth'):
        Image().heigth = 2


@pytest.mark.parametrize(
    'data', [bytes(range(6)), bytearray(range(6)), array.array('B', range(6)), list(range(6))]
)
def test_image_data_may_be_anything_like_bytes(data):
    assert Image(data=data).data.tolist() == [0, 1, 2, 3, 4, 5]


def test_an_image_survives_cdr():
    image = Image(height=2, width=3, encoding='mono8', step=3, data=bytes(range(6)))
    image.header.stamp.sec, image.header.frame_id = 12, 'camera'
    assert deserialize(bytes(serialize(image)), Image) == image


@pytest.mark.parametrize('typename', sorted(typestore().types))
def test_every_known_type_survives_cdr_and_has_a_dds_type(typename):
    message = interface(typename)() if '/msg/' in typename else typestore().types[typename]()
    for offset in (0, 16):
        data = bytes(serialize(message, offset))
        assert len(data) % 4 == 0
        assert deserialize(data, type(message), offset) == message
    assert ros_type(dds_type(typename).__idl_typename__.replace('.', '::')) == typename


def test_a_value_that_does_not_fit_says_which_message_cannot_be_sent():
    with pytest.raises(TypeError, match='sensor_msgs/msg/Image cannot be sent'):
        serialize(Image(height='tall'))


def test_bytes_of_another_type_say_so():
    with pytest.raises(ValueError, match='are not a sensor_msgs/msg/Image'):
        deserialize(bytes(serialize(interface('std_msgs/msg/Bool')())), Image)


@pytest.mark.parametrize(
    ('typename', 'expected'),
    [  # as rosidl writes them in the type description of an installed ROS 2 Jazzy
        (
            'sensor_msgs/msg/Image',
            'd31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47',
        ),
        (
            'rmw_dds_common/msg/Gid',
            'ab6f21cfbb0a6dbb837161e1110c2051a2850ed9f9c53944d7115d9bcebedf71',
        ),
        (
            'lifecycle_msgs/srv/GetState_Request',
            '77a9c844e7975f15bc2221e8bbebafc4d118afb78c7f7071eef91f83f940f2f6',
        ),
    ],
)
def test_type_hashes_are_those_of_ros(typename, expected):
    assert type_hash(typename) == f'RIHS01_{expected}'


def test_an_unknown_interface_is_an_error_for_the_user():
    with pytest.raises(CrodinoError, match='nav_msgs/msg/Nothing'):
        interface('nav_msgs/msg/Nothing')


def test_classes_are_found_by_name_in_either_world():
    from crodino_ros.middleware.msg import CameraInfo, LabelInfo
    from crodino_ros.middleware.srv import Trigger

    assert CameraInfo(width=3).width == 3
    assert list(LabelInfo().class_map) == []
    assert Trigger.Request() is not None
    with pytest.raises(ImportError):
        from crodino_ros.middleware.msg import NoSuchMessage  # noqa: F401


def test_bool_and_number_arrays_keep_their_types():
    value = interface('rcl_interfaces/msg/ParameterValue')(
        bool_array_value=[True, False], double_array_value=[0.5], integer_array_value=[-1]
    )
    back = deserialize(bytes(serialize(value)), type(value))
    assert back.bool_array_value.tolist() == [True, False]
    assert back.double_array_value.dtype == np.float64
    assert back.integer_array_value.tolist() == [-1]


def test_a_diagnostic_level_may_be_a_byte_or_a_constant():
    status = interface('diagnostic_msgs/msg/DiagnosticStatus')
    assert status(level=b'\x01').level == status(level=status.WARN).level == status.WARN

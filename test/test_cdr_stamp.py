"""Stamps of serialised messages, changed without reading the images behind them."""

from __future__ import annotations

import numpy as np
import pytest
from small_bag import TYPES, header, new

from crodino_ros.cdr_stamp import restamped, stamp_of

KIND = 'sensor_msgs/msg/Image'
STAMP_NS = 1_700_000_000_123_456_789


def message(little_endian: bool) -> bytes:
    image = new(
        KIND, header=header(STAMP_NS, 'camera'), height=1, width=3, encoding='mono8',
        is_bigendian=0, step=3, data=np.frombuffer(b'abc', np.uint8),
    )  # fmt: skip
    return bytes(TYPES.serialize_cdr(image, KIND, little_endian=little_endian))


@pytest.mark.parametrize('little_endian', [True, False])
def test_a_stamp_is_read_and_replaced_and_all_else_stays(little_endian):
    data = message(little_endian)
    assert stamp_of(data) == STAMP_NS
    later = restamped(data, STAMP_NS + 900_000_000)
    found = TYPES.deserialize_cdr(later, KIND)
    assert (found.header.stamp.sec, found.header.stamp.nanosec) == (1_700_000_001, 23_456_789)
    assert found.header.frame_id == 'camera' and bytes(found.data) == b'abc'
    assert restamped(later, STAMP_NS) == data

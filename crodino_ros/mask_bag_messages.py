"""The messages of a mask bag, made with the type store of `rosbags`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from crodino_core.evaluation.report_images import mask_png
from crodino_core.labels import LabelSet
from crodino_core.modality import Modality
from crodino_core.runtime.health import SensorHealth
from crodino_ros.message_content import SENSOR_LEVELS, class_map
from crodino_ros.messages import encode_image, set_stamp

_VISION_CLASS = 'uint16 class_id\nstring class_name\n'
_LABEL_INFO = 'std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold\n'
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 80)


class MaskBagMessages:
    """Makes messages; vision_msgs, which the store lacks, is registered with it."""

    def __init__(self) -> None:
        self.types = get_typestore(Stores.ROS2_JAZZY)
        self.types.register(get_types_from_msg(_VISION_CLASS, 'vision_msgs/msg/VisionClass'))
        self.types.register(get_types_from_msg(_LABEL_INFO, 'vision_msgs/msg/LabelInfo'))

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        """Make a std_msgs/Header."""
        stamp = self._new('builtin_interfaces/msg/Time', sec=0, nanosec=0)
        header = self._new('std_msgs/msg/Header', stamp=stamp, frame_id=frame_id)
        set_stamp(header, stamp_ns)
        return header

    def string(self, text: str) -> Any:
        """Make a std_msgs/String."""
        return self._new('std_msgs/msg/String', data=text)

    def image(self, header: Any, image: np.ndarray) -> Any:
        """Make a sensor_msgs/Image of uint8 [H, W] (mono8) or [H, W, 3] (rgb8)."""
        return encode_image(self.types.types['sensor_msgs/msg/Image'], header, image)

    def jpeg(self, header: Any, image: np.ndarray) -> Any:
        """Make a sensor_msgs/CompressedImage of an RGB image, uint8 [H, W, 3]."""
        done, data = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR), _JPEG)
        if not done:
            raise ValueError(f'OpenCV could not encode an image of shape {image.shape} as JPEG')
        return self._compressed(header, 'jpeg', data.tobytes())

    def class_colors(self, header: Any, mask: np.ndarray, labels: LabelSet) -> Any:
        """Make a sensor_msgs/CompressedImage of a mask (uint8 [H, W]) in class colours."""
        return self._compressed(header, 'png', mask_png(mask, labels, level=1))

    def label_info(self, header: Any, labels: LabelSet) -> Any:
        """Make a vision_msgs/LabelInfo with the unlabelled value."""
        classes = class_map(labels, self.types.types['vision_msgs/msg/VisionClass'])
        return self._new(
            'vision_msgs/msg/LabelInfo', header=header, class_map=classes, threshold=0.0
        )

    def diagnostics(self, header: Any, sensors: Mapping[Modality, SensorHealth]) -> Any:
        """Make a diagnostic_msgs/DiagnosticArray with one status a sensor."""
        statuses = [self._status(modality, sensor) for modality, sensor in sensors.items()]
        return self._new('diagnostic_msgs/msg/DiagnosticArray', header=header, status=statuses)

    def _status(self, modality: Modality, sensor: SensorHealth) -> Any:
        words = [sensor.state.value.replace('_', ' '), sensor.cause, sensor.detail]
        values = {'state': sensor.state.value, 'cause': sensor.cause, 'detail': sensor.detail}
        values |= {f'count {cause}': str(n) for cause, n in sorted(sensor.counts.items())}
        return self._new(
            'diagnostic_msgs/msg/DiagnosticStatus',
            level=int(SENSOR_LEVELS[sensor.state]),
            name=f'replay: {modality}',
            message=': '.join(dict.fromkeys(word for word in words if word)),
            hardware_id='replay',
            values=[
                self._new('diagnostic_msgs/msg/KeyValue', key=key, value=value)
                for key, value in values.items()
            ],
        )

    def _compressed(self, header: Any, form: str, data: bytes) -> Any:
        return self._new(
            'sensor_msgs/msg/CompressedImage', header=header,
            format=f'rgb8; {form} compressed bgr8', data=np.frombuffer(data, np.uint8),
        )  # fmt: skip

    def _new(self, kind: str, **fields: Any) -> Any:
        return self.types.types[kind](**fields)

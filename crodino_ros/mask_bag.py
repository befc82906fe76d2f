"""Masks into a rosbag2 bag (MCAP) that ros2 bag, RViz and Foxglove open."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from crodino_core.errors import CrodinoError
from crodino_core.evaluation.recording import RecordedLabel
from crodino_core.labels import LabelSet
from crodino_core.modality import Modality
from crodino_core.runtime.health import SensorHealth
from crodino_core.runtime.segmenter import Segmentation
from crodino_core.whole_files import put_in_place
from crodino_ros.mask_bag_messages import MaskBagMessages
from crodino_ros.overlay import draw_overlay, shrink

MASK_TOPIC = '/segmentation/mask'
CONFIDENCE_TOPIC = '/segmentation/confidence'
MODALITY_TOPIC = '/segmentation/active_modality'
LABEL_INFO_TOPIC = '/segmentation/label_info'
OVERLAY_TOPIC = '/segmentation/overlay/compressed'
TRUTH_TOPIC = '/segmentation/ground_truth/compressed'
DIAGNOSTICS_TOPIC = '/diagnostics'

_LONGEST_SIDE = 480
"""Of the pictures for people, pixels: they bound the size of the bag."""
_OPACITY = 0.5
_DIAGNOSTICS_EVERY_S = 1.0
_WAITING = 16
"""Messages that may wait to be drawn, packed and written; they bound the memory."""
_TOPICS = {
    MASK_TOPIC: ('sensor_msgs/msg/Image', False),
    CONFIDENCE_TOPIC: ('sensor_msgs/msg/Image', False),
    MODALITY_TOPIC: ('std_msgs/msg/String', True),
    LABEL_INFO_TOPIC: ('vision_msgs/msg/LabelInfo', True),
    OVERLAY_TOPIC: ('sensor_msgs/msg/CompressedImage', False),
    TRUTH_TOPIC: ('sensor_msgs/msg/CompressedImage', False),
    DIAGNOSTICS_TOPIC: ('diagnostic_msgs/msg/DiagnosticArray', False),
}
"""Type of each topic, and whether it is latched."""


class MaskBagWriter:
    """Writes masks and what belongs to them; the bag is whole at the end or it is not there.

    Beside what the live node publishes there is the ground truth in class colours. The pictures
    for people (overlay, ground truth) are compressed and at most 480 pixels wide or high.

    Drawing and compressing take a third of a replay's time, so a thread does them while the next
    mask is made. What goes wrong there is raised by a later call, at the latest by the end.

    To be used with `with`. An exception inside leaves no bag behind, and an earlier bag at the
    path is replaced only when the new one is complete.

    :param path: the bag folder to make.
    :param start_ns: what the recording's clock counts from (`BagRecording.start_ns`).
    :param labels: classes of the masks, written once to `label_info`.
    :raises CrodinoError: something that no earlier run has made lies at the path.
    """

    def __init__(self, path: str | Path, start_ns: int, labels: LabelSet | None = None) -> None:
        self.path = Path(path)
        if self.path.exists() and not _is_mask_bag(self.path):
            raise CrodinoError(f'{self.path} exists and is no bag of masks; name a new folder')
        self._start_ns = start_ns
        self._labels = labels
        self._make = MaskBagMessages()
        self._announced = False
        self._frame_id = ''
        self._modality: str | None = None
        self._sensors: Mapping[Modality, SensorHealth] = {}
        self._diagnosed = float('-inf')
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> MaskBagWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._staging = Path(tempfile.mkdtemp(prefix=f'.{self.path.name}-', dir=self.path.parent))
        # rosbags names the storage file after the folder, so that has its final name already.
        self._bag = self._staging / self.path.name
        self._writer = Writer(self._bag, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        try:
            self._writer.open()
            self._connections = {
                topic: self._writer.add_connection(
                    topic, kind, typestore=self._make.types, offered_qos_profiles=[_qos(latched)]
                )
                for topic, (kind, latched) in _TOPICS.items()
            }
        except BaseException:
            shutil.rmtree(self._staging, ignore_errors=True)
            raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix='mask-bag')
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._thread.shutdown(cancel_futures=kind is not None)
            if kind is not None:
                self._writer.abort()
                return
            try:
                self._finish(len(self._waiting))
            except BaseException:
                self._writer.abort()
                raise
            self._writer.close()
            put_in_place(self._bag, self.path)
        finally:
            shutil.rmtree(self._staging, ignore_errors=True)

    def write(self, segmentation: Segmentation, now: float) -> None:
        """Write one mask.

        :param now: its receive time, seconds on the recording's clock.
        """
        time_ns = self._time_ns(now)
        self._frame_id = segmentation.frame_id
        header = self._make.header(segmentation.stamp_ns, segmentation.frame_id)
        if self._labels is not None:
            if not self._announced:
                self._write(LABEL_INFO_TOPIC, time_ns, self._make.label_info(header, self._labels))
                self._announced = True
            self._later(self._write_overlay, segmentation, header, self._labels, time_ns)
        served = 'none' if segmentation.modality is None else str(segmentation.modality)
        if segmentation.fused:
            served = 'both'
        if served != self._modality:
            self._write(MODALITY_TOPIC, time_ns, self._make.string(served))
            self._modality = served
        self._write(MASK_TOPIC, time_ns, self._make.image(header, segmentation.mask))
        self._write(CONFIDENCE_TOPIC, time_ns, self._make.image(header, segmentation.confidence))
        if now - self._diagnosed >= _DIAGNOSTICS_EVERY_S:
            self._diagnose(now)

    def write_states(self, sensors: Mapping[Modality, SensorHealth], now: float) -> None:
        """Write the health of the sensors, which has changed; it is repeated every second."""
        self._sensors = sensors
        self._diagnose(now)

    def write_label(self, label: RecordedLabel) -> None:
        """Write a ground truth label in class colours."""
        if self._labels is not None:
            header = self._make.header(label.stamp_ns, self._frame_id)
            self._later(self._write_truth, label, header, self._labels)

    def _write_overlay(
        self, segmentation: Segmentation, header: Any, labels: LabelSet, time_ns: int
    ) -> None:
        picture = draw_overlay(segmentation, labels, _OPACITY, _LONGEST_SIDE)
        self._write_now(OVERLAY_TOPIC, time_ns, self._make.jpeg(header, picture))

    def _write_truth(self, label: RecordedLabel, header: Any, labels: LabelSet) -> None:
        picture = self._make.class_colors(header, shrink(label.label, _LONGEST_SIDE), labels)
        self._write_now(TRUTH_TOPIC, self._time_ns(label.arrival), picture)

    def _diagnose(self, now: float) -> None:
        if self._sensors:
            time_ns = self._time_ns(now)
            array = self._make.diagnostics(self._make.header(time_ns, ''), self._sensors)
            self._write(DIAGNOSTICS_TOPIC, time_ns, array)
            self._diagnosed = now

    def _time_ns(self, now: float) -> int:
        return self._start_ns + round(now * 1e9)

    def _write(self, topic: str, time_ns: int, message: Any) -> None:
        self._later(self._write_now, topic, time_ns, message)

    def _later(self, work: Callable[..., None], *arguments: Any) -> None:
        """Have the thread do this once it has done all before; wait if it is far behind."""
        self._waiting.append(self._thread.submit(work, *arguments))
        self._finish(len(self._waiting) - _WAITING)

    def _finish(self, count: int) -> None:
        """Wait for the oldest; what they raised is raised here."""
        for _ in range(count):
            self._waiting.popleft().result()

    def _write_now(self, topic: str, time_ns: int, message: Any) -> None:
        data = self._make.types.serialize_cdr(message, message.__msgtype__)
        self._writer.write(self._connections[topic], time_ns, data)


def _is_mask_bag(path: Path) -> bool:
    """Whether an earlier run made this folder, so that a new one may replace it."""
    try:
        content = yaml.safe_load((path / 'metadata.yaml').read_text(encoding='utf-8'))
        topics = content['rosbag2_bagfile_information']['topics_with_message_count']
        return TRUTH_TOPIC in {  # only a replay writes this one
            topic['topic_metadata']['name'] for topic in topics
        }
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return False


def _qos(latched: bool = False) -> Qos:
    """Reliable; a latched topic keeps its last message for those who come later."""
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    forever = QosTime(0, 0)
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=1 if latched else 5,
        reliability=QosReliability.RELIABLE,
        durability=durability,
        deadline=forever,
        lifespan=forever,
        liveliness=QosLiveliness.SYSTEM_DEFAULT,
        liveliness_lease_duration=forever,
        avoid_ros_namespace_conventions=False,
    )

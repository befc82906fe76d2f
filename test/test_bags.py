"""Recordings read from real bags, whole and damaged, and masks written to one."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import small_bag
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer, storage_mcap
from small_bag import COLOR_TOPIC, DEPTH_TOPIC, LABEL_TOPIC, LABELS, TYPES, write_small_bag

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.evaluation.recording import RecordedDamage, RecordedFrame, RecordedLabel
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame
from crodino_core.runtime.segmenter import Segmentation
from crodino_ros.bag_topics import parse_topics
from crodino_ros.bags import BagRecording, name_without_ending
from crodino_ros.mask_bag import (
    CONFIDENCE_TOPIC,
    LABEL_INFO_TOPIC,
    MASK_TOPIC,
    MODALITY_TOPIC,
    MaskBagWriter,
)


def frames_of(recording, modality):
    return [
        item.frame
        for item in recording
        if isinstance(item, RecordedFrame) and item.frame.modality is modality
    ]


def storage_file(bag: Path) -> Path:
    return next(file for file in bag.iterdir() if file.suffix in ('.mcap', '.db3'))


def cut(bag: Path, share: float) -> None:
    file = storage_file(bag)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    ('storage', 'color', 'depth'),
    [
        ('mcap', 'rgb8', '16UC1'),
        ('mcap', 'png', 'compressedDepth'),
        ('sqlite3', 'bgr8', '32FC1'),
        ('sqlite3', 'jpeg', '16UC1'),
    ],
)
def test_a_bag_gives_frames_and_labels_as_they_were_received(tmp_path, storage, color, depth):
    bag = write_small_bag(tmp_path / 'bag', storage=storage, color=color, depth=depth, frames=4)
    recording = BagRecording(bag)
    items = list(recording)
    assert [type(item) for item in items[:3]] == [RecordedFrame, RecordedFrame, RecordedLabel]
    assert [item.arrival for item in items] == sorted(item.arrival for item in items)
    assert recording.labelled
    assert recording.counts == {'rgb': 4, 'depth': 4, 'label': 4}
    assert recording.duration == pytest.approx(0.303, abs=1e-9)  # the last label comes later
    assert recording.warnings == []

    rgb, far, label = items[3].frame, items[4].frame, items[5]
    assert rgb.stamp_ns == label.stamp_ns == small_bag.START_NS + 100_000_000
    assert rgb.arrival == pytest.approx(0.1)
    assert rgb.frame_id == 'camera_optical_frame'
    tolerance = 10 if color == 'jpeg' else 0
    assert np.abs(rgb.image.astype(int) - small_bag.color_of(1)).mean() <= tolerance
    np.testing.assert_allclose(np.nan_to_num(far.image), small_bag.depth_of(1), atol=1e-6)
    np.testing.assert_array_equal(label.label, small_bag.label_of(1))


def test_a_single_file_is_a_bag_too(tmp_path):
    bag = write_small_bag(tmp_path / 'bag', frames=3)
    assert len(list(BagRecording(storage_file(bag)))) == 9


@pytest.mark.parametrize(
    ('storage', 'compression'),
    [('mcap', 'storage'), ('mcap', 'message'), ('mcap', 'file'), ('sqlite3', 'file')],
)
def test_compressed_bags_are_read(tmp_path, storage, compression):
    bag = write_small_bag(tmp_path / 'bag', storage=storage, compression=compression, frames=3)
    recording = BagRecording(bag)
    assert len(list(recording)) == 9
    assert recording.warnings == []


@pytest.mark.parametrize(
    ('storage', 'compression'),
    [('mcap', None), ('mcap', 'storage'), ('mcap', 'message'), ('sqlite3', None)],
)
@pytest.mark.parametrize('others_at', [[-10.0], [-10.0, 0.2, 60.0], [0.45, 0.5, 900.0]])
def test_a_recording_lasts_from_its_first_to_its_last_frame(
    tmp_path, storage, compression, others_at
):
    """Percentages of a scenario are of that, whatever else is in the bag."""
    bag = write_small_bag(
        tmp_path / 'bag', storage=storage, compression=compression, frames=5, others_at=others_at
    )
    recording = BagRecording(bag)
    assert recording.duration == pytest.approx(0.403, abs=1e-9)
    assert recording.start_ns == small_bag.START_NS + 10_000_000
    assert [item.arrival for item in recording][:2] == pytest.approx([0.0, 0.003])


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_bag_that_was_cut_off_lasts_as_long_as_its_frames_too(tmp_path, storage):
    bag = write_small_bag(
        tmp_path / 'bag', storage=storage, frames=40, size=(96, 160), others_at=[-10.0, -9.0]
    )
    cut(bag, 0.7)
    recording = BagRecording(bag)
    frames = [item for item in recording if isinstance(item, RecordedFrame)]
    assert frames[0].arrival == 0.0
    assert recording.duration == pytest.approx(frames[-1].arrival, abs=1e-9)
    assert 1.0 < recording.duration < 3.9


def test_the_end_of_a_recording_is_found_without_reading_it(tmp_path, monkeypatch):
    bag = write_small_bag(tmp_path / 'bag', frames=300, size=(96, 160), others_at=[-50.0, 30.2])
    read = []
    decompress = storage_mcap.decompress
    monkeypatch.setattr(
        storage_mcap, 'decompress', lambda *given: read.append(1) or decompress(*given)
    )
    recording = BagRecording(bag)
    assert recording.duration == pytest.approx(29.903, abs=1e-9)
    used = len(read)
    list(recording)
    assert 0 < used < (len(read) - used) / 2


def test_a_recording_can_be_iterated_again(tmp_path):
    recording = BagRecording(write_small_bag(tmp_path / 'bag', frames=3))
    assert len(list(recording)) == len(list(recording)) == 9


def test_a_bag_without_labels_is_not_labelled(tmp_path):
    recording = BagRecording(write_small_bag(tmp_path / 'bag', frames=2, labels=False))
    assert not recording.labelled
    assert 'label' not in recording.topics


@pytest.mark.parametrize(
    ('rgb', 'depth'),
    [
        ('/camera/camera/color/image_raw', '/camera/camera/aligned_depth_to_color/image_raw'),
        ('/oak/rgb/image_raw', '/oak/stereo/image_raw'),
        ('/zed/zed_node/rgb/image_rect_color', '/zed/zed_node/depth/depth_registered'),
        ('/rgb/image_raw', '/depth_to_rgb/image_raw'),
        ('/robot_7/camera/color/image_raw', '/robot_7/camera/depth/image_rect_raw'),
    ],
)
def test_topics_of_common_cameras_are_found(tmp_path, rgb, depth):
    bag = write_small_bag(tmp_path / 'bag', frames=2, topics={'rgb': rgb, 'depth': depth})
    topics = BagRecording(bag).topics
    assert (topics['rgb'], topics['depth']) == (rgb, depth)


def test_other_topics_are_named_by_the_user(tmp_path):
    bag = write_small_bag(tmp_path / 'bag', frames=2, topics={'rgb': '/a', 'label': '/truth'})
    recording = BagRecording(bag, parse_topics('rgb=/a, label=truth'))
    assert recording.topics == {'rgb': '/a', 'depth': DEPTH_TOPIC, 'label': '/truth'}


@pytest.mark.parametrize('topic', ['/ground_truth/image', '/robot/ground_truth/label'])
def test_pictures_on_a_label_topic_that_nobody_named_are_no_labels(tmp_path, topic):
    bag = write_small_bag(
        tmp_path / 'bag', frames=3, topics={'label': topic}, label_encoding='rgb8'
    )
    recording = BagRecording(bag)
    assert not recording.labelled and 'label' not in recording.topics
    assert [type(item) for item in recording] == [RecordedFrame] * 6
    [warning] = recording.warnings
    assert topic in warning and "'rgb8'" in warning and '--topics label=' in warning
    assert BagRecording(bag, parse_topics('label=none')).warnings == []
    named = BagRecording(bag, parse_topics(f'label={topic}'))
    with pytest.raises(CrodinoError, match=f"topic {topic}: the label encoding 'rgb8'"):
        list(named)


@pytest.mark.parametrize('color', ['jpeg', 'rgb8'])
def test_the_colour_topic_is_not_taken_for_labels_whatever_it_is_called(tmp_path, color):
    topics = {'rgb': '/ground_truth/image'}
    bag = write_small_bag(tmp_path / 'bag', frames=2, labels=False, topics=topics, color=color)
    assert not BagRecording(bag, topics).labelled


def test_labels_are_switched_off_by_name(tmp_path):
    bag = write_small_bag(tmp_path / 'bag', frames=2)
    recording = BagRecording(bag, parse_topics('label=none'))
    assert not recording.labelled
    assert [type(item) for item in recording] == [RecordedFrame] * 4


@pytest.mark.parametrize('text', ['rgb', 'rgb=', 'colour=/a', 'rgb=/a,rgb=/b'])
def test_a_wrong_topics_option_is_explained(text):
    with pytest.raises(UsageError, match='--topics'):
        parse_topics(text)


def test_missing_topics_list_what_is_there(tmp_path):
    bag = write_small_bag(tmp_path / 'bag', frames=2, topics={'rgb': '/odd/name'})
    there = r'/odd/name \[sensor_msgs/msg/Image\]'
    with pytest.raises(CrodinoError, match=rf'no known rgb topic; name it with .*{there}'):
        BagRecording(bag)
    with pytest.raises(CrodinoError, match=rf'no topic /gone \(rgb\).*{there}'):
        BagRecording(bag, {'rgb': '/gone'})


def test_a_topic_of_another_type_is_explained(tmp_path):
    path = tmp_path / 'bag'
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic in (COLOR_TOPIC, DEPTH_TOPIC):
            connection = writer.add_connection(topic, 'std_msgs/msg/String', typestore=TYPES)
            message = small_bag.new('std_msgs/msg/String', data='hello')
            writer.write(connection, 1, TYPES.serialize_cdr(message, message.__msgtype__))
    with pytest.raises(CrodinoError, match='holds std_msgs/msg/String; sensor_msgs/msg/Image'):
        BagRecording(path, {'rgb': COLOR_TOPIC})


def test_what_is_not_a_bag_is_said_in_one_line(tmp_path):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'text.txt').write_text('hello')
    (tmp_path / 'wrong.mcap').write_text('hello')
    (tmp_path / 'wrong.db3').write_bytes(b'')
    for name, reason in {
        'nothing': 'there is no bag',
        'folder': 'is not a ROS 2 bag',
        'text.txt': 'is not a ROS 2 bag',
        'wrong.mcap': 'nothing in it can be read',
        'wrong.db3': 'nothing in it can be read',
    }.items():
        with pytest.raises(CrodinoError, match=reason) as caught:
            BagRecording(tmp_path / name)
        assert '\n' not in str(caught.value)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('share', [0.5, 0.8, 0.97])
def test_of_a_truncated_bag_the_readable_part_is_used_and_the_loss_is_said(
    tmp_path, storage, share
):
    bag = write_small_bag(tmp_path / 'bag', storage=storage, frames=40, size=(96, 160))
    whole = list(BagRecording(bag))
    cut(bag, share)
    recording = BagRecording(bag)
    items = list(recording)
    assert 120 * share * 0.5 <= len(items) < 120 or share > 0.9
    for item, expected in zip(items, whole, strict=False):
        assert item.arrival == pytest.approx(expected.arrival)
    assert any('damaged' in warning for warning in recording.warnings)
    promised = f'{len(items)} of 120 messages are readable, {120 - len(items)} are lost'
    assert promised in recording.warnings


def test_a_recorder_that_was_killed_left_no_metadata(tmp_path):
    bag = write_small_bag(tmp_path / 'bag', frames=40, size=(96, 160))
    (bag / 'metadata.yaml').unlink()
    cut(bag, 0.8)
    recording = BagRecording(bag)
    assert len(list(recording)) > 40
    assert any('how many are lost is unknown' in warning for warning in recording.warnings)


def test_damage_in_the_middle_ends_the_recording_there(tmp_path):
    bag = write_small_bag(tmp_path / 'bag', frames=40, size=(96, 160))
    file = storage_file(bag)
    content = bytearray(file.read_bytes())
    # The records of the second chunk no longer say how long they are.
    second = content.index(b'\x06', len(content) // 2)
    content[second : second + 200_000] = b'\xff' * 200_000
    file.write_bytes(content)
    recording = BagRecording(bag)
    assert 0 < len(list(recording)) < 120
    assert any('damaged' in warning for warning in recording.warnings)


def test_an_unsupported_encoding_ends_the_reading_with_its_topic(tmp_path):
    bag = tmp_path / 'bag'
    write_small_bag(bag, frames=2, topics={'depth': '/other'})
    with pytest.raises(CrodinoError, match=rf"topic {COLOR_TOPIC}: the depth encoding 'rgb8'"):
        list(BagRecording(bag, {'rgb': '/other', 'depth': COLOR_TOPIC}))


def test_a_message_that_cannot_be_decoded_is_an_item_and_a_warning(tmp_path):
    bag = tmp_path / 'bag'
    with Writer(bag, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for number, topic in enumerate((COLOR_TOPIC, DEPTH_TOPIC)):
            connection = writer.add_connection(topic, 'sensor_msgs/msg/Image', typestore=TYPES)
            image = small_bag.color_of(0) if number == 0 else small_bag.depth_of(0)
            encoding = 'rgb8' if number == 0 else '32FC1'
            for step in (192 if number == 0 else 256, 3):
                message = small_bag.image_message(image, encoding, step=step)
                data = TYPES.serialize_cdr(message, message.__msgtype__)
                writer.write(connection, number + 10 - step % 10, data)
            writer.write(connection, 50, b'\x00\x01\x00\x00junk')
    recording = BagRecording(bag)
    damages = [item for item in recording if isinstance(item, RecordedDamage)]
    assert [item.modality for item in damages].count(Modality.RGB) == 2
    assert len(damages) == 4
    assert 'claims rows of 3 bytes' in ' '.join(recording.warnings)


def test_messages_that_are_broken_alike_are_one_warning_each_topic(tmp_path):
    bag = tmp_path / 'bag'
    image = small_bag.color_of(0)
    with Writer(bag, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, damaged in ((COLOR_TOPIC, 5), (DEPTH_TOPIC, 1)):
            encoding = 'rgb8' if topic == COLOR_TOPIC else '16UC1'
            connection = writer.add_connection(topic, 'sensor_msgs/msg/Image', typestore=TYPES)
            for number in range(damaged):
                message = small_bag.image_message(image, encoding, step=3 + number)
                data = TYPES.serialize_cdr(message, message.__msgtype__)
                writer.write(connection, number, data)
            writer.write(connection, 50, b'\x00\x01\x00\x00junk')
    recording = BagRecording(bag)
    for _ in range(2):  # reading it again does not count them again
        assert sum(isinstance(item, RecordedDamage) for item in recording) == 8
        steps, junk, depth_step, depth_junk = sorted(
            recording.warnings, key=lambda text: (DEPTH_TOPIC in text, 'is damaged' in text)
        )
        assert COLOR_TOPIC in steps and 'claims rows of 3 bytes' in steps
        assert steps.endswith('; and 4 more like it')
        assert 'more like it' not in junk + depth_step + depth_junk


def segmentation(modality: Modality | None, stamp_ns: int) -> Segmentation:
    mask = small_bag.label_of(1)
    frame = Frame(Modality.RGB, small_bag.color_of(1), stamp_ns, 0.0, 'optical')
    return Segmentation(
        mask, mask + 200, modality, False, stamp_ns=stamp_ns, frame_id='optical', frame=frame
    )


def read(bag: Path, topic: str) -> list:
    with AnyReader([bag]) as reader:
        connections = [c for c in reader.connections if c.topic == topic]
        return [
            (time, reader.deserialize(data, c.msgtype))
            for c, time, data in reader.messages(connections)
        ]


def test_masks_are_written_with_stamp_frame_and_what_they_mean(tmp_path):
    path = tmp_path / 'out' / 'masks'
    with MaskBagWriter(path, small_bag.START_NS, LABELS) as writer:
        writer.write(segmentation(Modality.RGB, 5_000_000_001), 0.25)
        writer.write(segmentation(Modality.RGB, 5_100_000_001), 0.35)
        writer.write(segmentation(Modality.DEPTH, 5_200_000_001), 0.45)
        writer.write(segmentation(None, 5_300_000_001), 0.55)
    masks = read(path, MASK_TOPIC)
    assert [time - small_bag.START_NS for time, _ in masks] == [
        250_000_000, 350_000_000, 450_000_000, 550_000_000
    ]  # fmt: skip
    message = masks[0][1]
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (5, 1)
    assert (message.header.frame_id, message.encoding) == ('optical', 'mono8')
    np.testing.assert_array_equal(message.data.reshape(48, 64), small_bag.label_of(1))
    assert read(path, CONFIDENCE_TOPIC)[0][1].data[0] == small_bag.label_of(1)[0, 0] + 200
    assert [m.data for _, m in read(path, MODALITY_TOPIC)] == ['rgb', 'depth', 'none']
    ((_, info),) = read(path, LABEL_INFO_TOPIC)
    assert [(c.class_id, c.class_name) for c in info.class_map] == [
        (0, 'left'), (1, 'middle'), (2, 'right'), (255, 'unlabelled')
    ]  # fmt: skip
    assert [p.name for p in path.parent.iterdir()] == ['masks']


def test_a_run_that_fails_leaves_no_half_written_bag(tmp_path):
    path = tmp_path / 'masks'
    with pytest.raises(RuntimeError), MaskBagWriter(path, 0) as writer:
        writer.write(segmentation(Modality.RGB, 1), 0.0)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_bag_is_replaced_but_nothing_else(tmp_path):
    path = tmp_path / 'masks'
    for count in (1, 2):
        with MaskBagWriter(path, 0) as writer:
            for number in range(count):
                writer.write(segmentation(Modality.RGB, 1), number * 0.1)
    assert len(read(path, MASK_TOPIC)) == 2
    shutil.rmtree(path)
    path.mkdir()
    (path / 'thesis.txt').write_text('important')
    with pytest.raises(CrodinoError, match='is no bag of masks'):
        MaskBagWriter(path, 0)


def test_label_topic_is_read_only_where_it_is(tmp_path):
    bag = write_small_bag(tmp_path / 'bag', frames=3)
    labels = [item for item in BagRecording(bag) if isinstance(item, RecordedLabel)]
    assert len(labels) == 3
    assert BagRecording(bag).topics['label'] == LABEL_TOPIC
    assert len(frames_of(BagRecording(bag), Modality.DEPTH)) == 3


def test_a_dot_in_the_name_of_a_folder_is_no_ending(tmp_path):
    (tmp_path / 'drive_2024.05.01').mkdir()
    (tmp_path / 'walk.mcap').touch()
    assert name_without_ending(tmp_path / 'drive_2024.05.01') == 'drive_2024.05.01'
    assert name_without_ending(tmp_path / 'walk.mcap') == 'walk'

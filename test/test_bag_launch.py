"""What launch files read of a bag."""

from __future__ import annotations

from small_bag import write_small_bag

from crodino_core.modality import Modality
from crodino_core.resources import share_directory
from crodino_ros.bag_launch import BagFacts
from crodino_ros.bags import BagRecording


def test_the_sample_is_compressed_and_its_size_is_known():
    facts = BagFacts.of(share_directory() / 'samples' / 'room')
    assert facts.transports == {Modality.RGB: 'compressed', Modality.DEPTH: 'compressedDepth'}
    assert facts.topics[Modality.RGB].endswith('/compressed')
    assert facts.node_parameters() == {'warm_up_size': [240, 320]}
    assert facts.injector_parameters() == {
        'color_transport': 'compressed', 'depth_transport': 'compressedDepth'
    }  # fmt: skip
    assert 7.5 < facts.duration < 8.5


def test_raw_images_need_no_plugin(tmp_path):
    facts = BagFacts.of(write_small_bag(tmp_path / 'bag', frames=4))
    assert set(facts.transports.values()) == {'raw'}


def test_a_bag_without_a_readable_image_leaves_the_size_to_the_node(tmp_path, monkeypatch):
    monkeypatch.setattr(BagRecording, 'first_sizes', lambda self: {})
    assert BagFacts.of(write_small_bag(tmp_path / 'bag', frames=4)).node_parameters() == {}

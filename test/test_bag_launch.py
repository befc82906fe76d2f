"""What launch files give to the nodes they start for a bag."""

from __future__ import annotations

from small_bag import write_small_bag

from crodino_core.resources import share_directory
from crodino_ros.bag_launch import injector_parameters, node_parameters, transports
from crodino_ros.bags import BagRecording


def test_the_sample_is_compressed_and_its_size_is_known():
    bag = BagRecording(share_directory() / 'samples' / 'room')
    assert node_parameters(bag) == {'warm_up_size': [240, 320]}
    assert injector_parameters(bag) == {
        'color_transport': 'compressed',
        'depth_transport': 'compressedDepth',
    }


def test_raw_images_need_no_plugin(tmp_path):
    bag = BagRecording(write_small_bag(tmp_path / 'bag', frames=4))
    assert transports(bag) == {'rgb': 'raw', 'depth': 'raw'}


def test_a_bag_without_a_readable_image_leaves_the_size_to_the_node(tmp_path, monkeypatch):
    monkeypatch.setattr(BagRecording, 'first_sizes', lambda self: {})
    assert node_parameters(BagRecording(write_small_bag(tmp_path / 'bag', frames=4))) == {}

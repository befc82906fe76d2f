"""Parameters that nodes need for a bag, for the launch files that start them."""

from __future__ import annotations

from crodino_ros.bags import BagRecording

_PLUGINS = {'rgb': 'compressed', 'depth': 'compressedDepth'}
"""Of image_transport, for compressed images."""


def transports(bag: BagRecording) -> dict[str, str]:
    """Return 'raw' or the name of image_transport's plugin for each sensor."""
    return {
        role: plugin if bag.types[role].endswith('CompressedImage') else 'raw'
        for role, plugin in _PLUGINS.items()
    }


def node_parameters(bag: BagRecording) -> dict[str, list[int]]:
    """Return those of `segment_node` that have its networks ready for the bag's images."""
    sizes = list(bag.first_sizes().values())
    return {'warm_up_size': list(sizes[0])} if sizes else {}


def injector_parameters(bag: BagRecording) -> dict[str, str]:
    """Return those of `fault_injector_node` that follow from the bag's transports."""
    found = transports(bag)
    return {'color_transport': found['rgb'], 'depth_transport': found['depth']}

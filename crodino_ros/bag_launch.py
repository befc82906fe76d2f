"""What a launch file must know of a bag before it starts nodes for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crodino_core.modality import Modality
from crodino_ros.bag_storage import open_bag
from crodino_ros.bag_topics import choose_topics
from crodino_ros.bags import BagRecording

COMPRESSED = {Modality.RGB: 'compressed', Modality.DEPTH: 'compressedDepth'}


@dataclass(frozen=True)
class BagFacts:
    """Topics, transports and image size of a bag."""

    topics: dict[Modality, str]
    transports: dict[Modality, str]
    """'raw', or the name of image_transport's plugin."""
    warm_up_size: list[int] | None
    """Height and width of the first image; None: no image can be decoded."""
    duration: float
    """Seconds from the first to the last message."""

    @classmethod
    def of(cls, path: Path) -> BagFacts:
        """Look into a bag.

        :raises CrodinoError: it cannot be read, or has no topic for a sensor.
        """
        storage = open_bag(path)
        roles = choose_topics(storage.topics, {}, str(path))
        topics = {modality: roles[str(modality)] for modality in Modality}
        is_compressed = {
            modality: storage.topics[topic].endswith('CompressedImage')
            for modality, topic in topics.items()
        }
        sizes = BagRecording(path).first_sizes()
        return cls(
            topics,
            {m: COMPRESSED[m] if is_compressed[m] else 'raw' for m in Modality},
            list(next(iter(sizes.values()))) if sizes else None,
            (storage.end_ns - storage.start_ns) * 1e-9,
        )

    def node_parameters(self) -> dict[str, list[int]]:
        """Return the parameters of `segment_node` that have its networks ready for this bag."""
        return {} if self.warm_up_size is None else {'warm_up_size': self.warm_up_size}

    def injector_parameters(self) -> dict[str, str]:
        """Return the parameters of `fault_injector_node` that follow from the transports."""
        return {
            'color_transport': self.transports[Modality.RGB],
            'depth_transport': self.transports[Modality.DEPTH],
        }

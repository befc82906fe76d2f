"""A straightforward segmentation node, for `crodino bench node` to compare with.

Colour only, PyTorch eager, one callback that decodes, infers and publishes: what a tutorial's
node does. Its queue holds the newest image only, so that it does not lag behind more than it must.
"""

from __future__ import annotations

from typing import Any

from crodino_core.bundle import ModelBundle
from crodino_core.modality import Modality
from crodino_core.runtime.engines import load_engines
from crodino_ros.mask_outputs import RELIABLE
from crodino_ros.messages import decode_color, encode_image
from crodino_ros.middleware import Node
from crodino_ros.middleware.msg import Image
from crodino_ros.networks import warm_up
from crodino_ros.node_main import run_node
from crodino_ros.node_parameters import ParameterSpec, declare, values
from crodino_ros.sensor_input import NEWEST_ONLY, TOPICS

PARAMETERS = (
    ParameterSpec('model', '', 'Folder of the model bundle.', read_only=True),
    ParameterSpec('threads', 0, 'Of the engine; 0: its own choice.', read_only=True),
    ParameterSpec('height', 480, 'Of the images, to warm up.', read_only=True),
    ParameterSpec('width', 640, 'Of the images, to warm up.', read_only=True),
)


class BenchPlainNode(Node):
    """Publishes a mask for each colour image it gets to see."""

    def __init__(self, node_name: str = 'bench_plain', **options: Any) -> None:
        super().__init__(node_name, **options)
        declare(self, PARAMETERS)
        given = values(self, PARAMETERS)
        bundle = ModelBundle.load(given['model'])
        engines = load_engines(bundle, 'torch', given['threads'] or None).engines
        self._engine = engines[Modality.RGB]
        warm_up(self._engine, Modality.RGB, (given['height'], given['width']))
        self._masks = self.create_publisher(Image, 'segmentation/mask', RELIABLE)
        self.create_subscription(Image, TOPICS[Modality.RGB], self._segment, NEWEST_ONLY)

    def _segment(self, message: Any) -> None:
        mask = self._engine.infer(decode_color(message)).mask
        self._masks.publish(encode_image(Image, message.header, mask))


def main(args: list[str] | None = None) -> int:
    """Serve until interrupted."""
    return run_node(BenchPlainNode, args)


if __name__ == '__main__':
    raise SystemExit(main())

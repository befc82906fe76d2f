"""PyTorch in eager mode: for machines that have nothing else, and to compare against."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnx2torch
import torch
from onnx2torch.node_converters.registry import add_converter, get_converter

from crodino_core.runtime.engines.engine import LOGITS, OUTPUTS, Prediction, to_batch

# onnx2torch 1.5 knows these two only in the version before bfloat16 joined their types; a later
# one may know them, and then says so with a ValueError.
for _operation in ('GreaterOrEqual', 'LessOrEqual'):
    with contextlib.suppress(ValueError):
        add_converter(_operation, 16)(get_converter(_operation, 12))

warnings.filterwarnings('ignore', 'Using a non-tuple sequence', module='onnx2torch')


class TorchEngine:
    """One network in PyTorch, converted from the same ONNX file by onnx2torch."""

    name = 'torch'

    def __init__(
        self, path: Path, threads: int | None = None, logits: bool = False, exact: bool = False
    ) -> None:
        """Load and convert the network.

        :param path: the ONNX file.
        :param threads: None leaves the number to PyTorch; it holds for the whole process.
        :param exact: float32 throughout, as always here.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        model = onnx.load(path)
        _write_as_onnx2torch_reads(model.graph)
        if logits:
            model.graph.output.append(
                onnx.helper.make_tensor_value_info(LOGITS, onnx.TensorProto.FLOAT, None)
            )
        names = [output.name for output in model.graph.output]
        self._order = [names.index(name) for name in ((*OUTPUTS, LOGITS) if logits else OUTPUTS)]
        self._module = onnx2torch.convert(model).eval()

    @property
    def device(self) -> str:
        """The processor and its threads."""
        return f'CPU ({torch.get_num_threads()} threads)'

    @property
    def version(self) -> str:
        """Version of PyTorch."""
        return str(torch.__version__)

    def prepare(self, size: tuple[int, int]) -> None:
        """Nothing depends on the size."""

    def infer(self, image: np.ndarray) -> Prediction:
        """Segment one image."""
        with torch.inference_mode():
            outputs = self._module(torch.from_numpy(to_batch(image)))
        return Prediction(*(outputs[index][0].numpy() for index in self._order))


def _write_as_onnx2torch_reads(graph: onnx.GraphProto) -> None:
    """Put constants in place of `Identity(constant)`, and leave out omitted last inputs.

    The exporter stores equal constants once, and so the equal biases of fresh layers; it writes
    an omitted input as an empty name. onnx2torch understands neither.
    """
    constants = {initializer.name for initializer in graph.initializer}
    original = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == 'Identity' and node.input[0] in constants
    }
    for node in graph.node:
        node.input[:] = [original.get(name, name) for name in node.input]
        while node.input and not node.input[-1]:
            node.input.pop()

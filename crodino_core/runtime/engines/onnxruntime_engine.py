"""ONNX Runtime: on every platform, with CUDA where its GPU build is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort

from crodino_core.runtime.engines.engine import LOGITS, OUTPUTS, Prediction, to_batch

PROVIDERS = ('CUDAExecutionProvider', 'CPUExecutionProvider')


class OnnxRuntimeEngine:
    """One network in ONNX Runtime, on the first provider that takes it."""

    name = 'onnxruntime'

    def __init__(
        self, path: Path, threads: int | None = None, logits: bool = False, exact: bool = False
    ) -> None:
        """Load the network.

        :param path: the ONNX file.
        :param threads: None leaves the number to ONNX Runtime (all physical cores).
        :param exact: float32 throughout, as always here.
        """
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = threads or 0
        # Threads that spin between two images would burn the cores the robot needs elsewhere.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        available = [p for p in PROVIDERS if p in ort.get_available_providers()]
        source = _with_logits(path) if logits else str(path)
        self._session = ort.InferenceSession(source, options, providers=available)
        self._input = self._session.get_inputs()[0].name
        self._outputs = [*OUTPUTS, LOGITS] if logits else list(OUTPUTS)
        self._threads = threads

    @property
    def device(self) -> str:
        """The provider that really runs the network, and the threads asked for."""
        provider = str(self._session.get_providers()[0])
        if provider != 'CPUExecutionProvider':
            return provider
        return f'CPU ({self._threads or "default"} threads)'

    @property
    def version(self) -> str:
        """Version of ONNX Runtime."""
        return str(ort.__version__)

    def prepare(self, size: tuple[int, int]) -> None:
        """Nothing depends on the size."""

    def infer(self, image: np.ndarray) -> Prediction:
        """Segment one image."""
        outputs = self._session.run(self._outputs, {self._input: to_batch(image)})
        return Prediction(*(output[0] for output in outputs))


def _with_logits(path: Path) -> bytes:
    """Return the ONNX file with its inner tensor `logits` as a third output."""
    import onnx

    model = onnx.load(path)
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(LOGITS, onnx.TensorProto.FLOAT, None)
    )
    return bytes(model.SerializeToString())

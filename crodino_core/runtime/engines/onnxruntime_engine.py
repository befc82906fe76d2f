"""ONNX Runtime: on every platform, with TensorRT or CUDA where its GPU build is installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from crodino_core.errors import CrodinoError
from crodino_core.runtime.engines.engine import LOGITS, OUTPUTS, Prediction, to_batch

TENSORRT, CUDA, CPU = (f'{each}ExecutionProvider' for each in ('Tensorrt', 'CUDA', 'CPU'))
PROVIDERS = (TENSORRT, CUDA, CPU)
"""In the order they are tried."""


class OnnxRuntimeEngine:
    """One network in ONNX Runtime, on the first provider that takes it."""

    name = 'onnxruntime'

    def __init__(
        self,
        path: Path,
        threads: int | None = None,
        logits: bool = False,
        exact: bool = False,
        providers: Sequence[str] = PROVIDERS,
    ) -> None:
        """Load the network.

        :param path: the ONNX file.
        :param threads: None leaves the number to ONNX Runtime (all physical cores).
        :param exact: float32 throughout: no TF32 on a GPU, for which CUDA has a switch (since ONNX
            Runtime 1.18) and TensorRT has none.
        :param providers: what to try, in this order.
        """
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = threads or 0
        # Threads may spin within an image; between two, they would burn the cores the robot needs.
        options.add_session_config_entry('session.force_spinning_stop', '1')
        available = [p for p in providers if p in ort.get_available_providers()]
        if exact:
            available = [p for p in available if p != TENSORRT]
        asked = [(p, {'use_tf32': '0'}) if exact and p == CUDA else p for p in available]
        source = _with_logits(path) if logits else str(path)
        self._session = ort.InferenceSession(source, options, providers=asked)
        self._session.disable_fallback()  # a failure of the GPU is told, not hidden on the CPU
        self._available = available
        self._input = self._session.get_inputs()[0].name
        self._outputs = [*OUTPUTS, LOGITS] if logits else list(OUTPUTS)
        self._threads = threads

    @property
    def device(self) -> str:
        """The provider that really runs the network, and those that should have but did not."""
        return describe_providers(self._available, self._session.get_providers(), self._threads)

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


class OnnxRuntimeGpuEngine(OnnxRuntimeEngine):
    """The same on a GPU or not at all: on a CPU, OpenVINO is faster."""

    name = 'onnxruntime-gpu'

    def __init__(
        self, path: Path, threads: int | None = None, logits: bool = False, exact: bool = False
    ) -> None:
        """Load the network onto the GPU.

        :raises CrodinoError: no provider for a GPU is installed, or none starts.
        """
        if not {TENSORRT, CUDA} & {*ort.get_available_providers()}:
            raise CrodinoError(
                f'this onnxruntime {ort.__version__} is for CPUs only; install the other one '
                'instead: pip uninstall onnxruntime; pip install onnxruntime-gpu'
            )
        super().__init__(path, threads, logits, exact)
        if self._session.get_providers()[0] == CPU:
            raise CrodinoError(f'no GPU: {self.device}; see the lines of onnxruntime above')


def describe_providers(
    available: Sequence[str], active: Sequence[str], threads: int | None
) -> str:
    """Say which provider runs the network, and which ones ONNX Runtime left out without a word.

    :param available: the providers of this build that were asked for, best first.
    :param active: those that the session really has, best first.
    """
    first = active[0]
    device = f'CPU ({threads or "default"} threads)' if first == CPU else first
    failed = [each for each in available if each not in active]
    return f'{device}; {", ".join(failed)} did not start' if failed else device


def _with_logits(path: Path) -> bytes:
    """Return the ONNX file with its inner tensor `logits` as a third output."""
    import onnx

    model = onnx.load(path)
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(LOGITS, onnx.TensorProto.FLOAT, None)
    )
    return bytes(model.SerializeToString())

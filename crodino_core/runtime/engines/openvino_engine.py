"""OpenVINO: the fastest engine on most CPUs."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import openvino as ov

from crodino_core.runtime.engines.engine import LOGITS, OUTPUTS, Prediction, to_batch
from crodino_core.runtime.engines.openvino_resize import replace_resizes

KEPT_SIZES = 2
"""Compiled networks that are kept: a driver that changes its size may well change back."""


@functools.cache
def shared_core() -> ov.Core:
    """One for the process, and never freed.

    Each sets a signal stack for the thread that makes it (`sigaltstack`) and takes it away in its
    end; after a second one Python's signal handlers would run on memory that is gone.
    """
    return ov.Core()


class OpenVinoEngine:
    """One network in OpenVINO on the CPU, compiled for the size of the images it gets."""

    name = 'openvino'

    def __init__(
        self, path: Path, threads: int | None = None, logits: bool = False, exact: bool = False
    ) -> None:
        """Read the network; it is compiled by `prepare`, or for the first image.

        :param path: the ONNX file.
        :param threads: None leaves the number to OpenVINO (all physical cores).
        :param exact: float32 throughout. Otherwise OpenVINO takes what the processor does best,
            which is bfloat16 where there is hardware for it: faster (docs/engines.md), and some
            pixels at the borders between classes come out differently.
        """
        self._model = shared_core().read_model(path)
        if logits:
            self._model.add_outputs(LOGITS)
        self._outputs = (*OUTPUTS, LOGITS) if logits else OUTPUTS
        self._config: dict[str, str | int] = {'PERFORMANCE_HINT': 'LATENCY', 'NUM_STREAMS': 1}
        # Pinned, the networks of two processes with one thread each share the first core.
        self._config['ENABLE_CPU_PINNING'] = False
        if threads is not None:
            self._config['INFERENCE_NUM_THREADS'] = threads
        if exact:
            self._config['INFERENCE_PRECISION_HINT'] = 'f32'
        self._requests: dict[tuple[int, int], ov.InferRequest] = {}
        """By height and width, the one that was used last at the end."""

    @property
    def device(self) -> str:
        """The processor, its threads and the arithmetic, as OpenVINO reports them."""
        if not self._requests:
            return 'CPU'
        compiled = next(reversed(self._requests.values())).get_compiled_model()
        threads = compiled.get_property('INFERENCE_NUM_THREADS')
        precision = compiled.get_property('INFERENCE_PRECISION_HINT').get_type_name()
        return f'CPU ({threads} threads, {precision})'

    @property
    def version(self) -> str:
        """Version of OpenVINO."""
        return ov.__version__

    def prepare(self, size: tuple[int, int]) -> None:
        """Compile for a height and width (some 0.3 s): 5 % faster than for any size."""
        if size not in self._requests:
            channels = self._model.input(0).partial_shape[3].get_length()
            model = self._model.clone()
            model.reshape([1, *size, channels])
            replace_resizes(model)
            compiled = shared_core().compile_model(model, 'CPU', self._config)
            while len(self._requests) >= KEPT_SIZES:
                del self._requests[next(iter(self._requests))]
            self._requests[size] = compiled.create_infer_request()
        self._requests[size] = self._requests.pop(size)

    def infer(self, image: np.ndarray) -> Prediction:
        """Segment one image."""
        size = (image.shape[0], image.shape[1])
        self.prepare(size)
        request = self._requests[size]
        batch = to_batch(image)
        request.set_input_tensor(ov.Tensor(batch, shared_memory=True))
        request.infer()
        return Prediction(*(request.get_tensor(name).data[0].copy() for name in self._outputs))

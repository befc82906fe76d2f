"""OpenVINO: the fastest engine on most CPUs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino as ov

from crodino_core.runtime.engines.engine import LOGITS, OUTPUTS, Prediction, to_batch


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
            which is bfloat16 where there is hardware for it: about twice as fast, and some
            pixels at the borders between classes come out differently.
        """
        self._core = ov.Core()
        self._model = self._core.read_model(path)
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
        self._size: tuple[int, int] | None = None
        self._request: ov.InferRequest | None = None

    @property
    def device(self) -> str:
        """The processor, its threads and the arithmetic, as OpenVINO reports them."""
        if self._request is None:
            return 'CPU'
        compiled = self._request.get_compiled_model()
        threads = compiled.get_property('INFERENCE_NUM_THREADS')
        precision = compiled.get_property('INFERENCE_PRECISION_HINT').get_type_name()
        return f'CPU ({threads} threads, {precision})'

    @property
    def version(self) -> str:
        """Version of OpenVINO."""
        return ov.__version__

    def prepare(self, size: tuple[int, int]) -> None:
        """Compile for a height and width (some 0.3 s): 5 % faster than for any size."""
        if size == self._size:
            return
        self._request, self._size = None, None
        channels = self._model.input(0).partial_shape[3].get_length()
        self._model.reshape([1, *size, channels])
        self._request = self._core.compile_model(
            self._model, 'CPU', self._config
        ).create_infer_request()
        self._size = size

    def infer(self, image: np.ndarray) -> Prediction:
        """Segment one image."""
        self.prepare(image.shape[:2])
        request = self._request
        assert request is not None
        batch = to_batch(image)
        request.set_input_tensor(ov.Tensor(batch, shared_memory=True))
        request.infer()
        return Prediction(*(request.get_tensor(name).data[0].copy() for name in self._outputs))

"""TensorRT on NVIDIA GPUs: built once for a device and an image size, kept, checked, reused."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np

from crodino_core.errors import CrodinoError
from crodino_core.modality import Modality
from crodino_core.runtime.engines.cuda_runtime import MIB
from crodino_core.runtime.engines.engine import LOGITS, OUTPUTS, Prediction, to_batch
from crodino_core.runtime.engines.tensorrt_session import TensorRtSession
from crodino_core.runtime.engines.tensorrt_settings import TensorRtSettings
from crodino_core.runtime.engines.tensorrt_supply import EngineSupply, Libraries

Size = tuple[int, int]
"""Height and width."""


class TensorRtEngine:
    """One network in TensorRT, with an engine for the size of the images it gets."""

    name = 'tensorrt'

    def __init__(
        self,
        path: Path,
        threads: int | None = None,
        logits: bool = False,
        exact: bool = False,
        settings: TensorRtSettings | None = None,
        libraries: Libraries | None = None,
    ) -> None:
        """Read the network; its engine is loaded or built by `prepare`, or for the first image.

        :param path: the ONNX file; the engine computes in the precision that the file carries.
        :param threads: of the CPU; nothing here uses them.
        :param exact: forbid TF32 for what the file keeps in float32.
        :raises CrodinoError: no device can be used, or the file is no network of a bundle.
        """
        self._libraries = libraries or Libraries.load()
        self._settings = settings or TensorRtSettings()
        outputs = (*OUTPUTS, LOGITS) if logits else OUTPUTS
        self._supply = EngineSupply(path, outputs, exact, self._settings, self._libraries)
        self._active: tuple[Size, TensorRtSession] | None = None
        self._wanted: Size | None = None
        self._next: tuple[Size, TensorRtSession] | None = None

    @property
    def device(self) -> str:
        """The GPU, the precision, how the work is launched, and the memory it takes."""
        gpu = self._libraries.cuda.gpu
        facts = [f'sm_{"".join(map(str, gpu.compute_capability))}', self._supply.precision]
        if self._settings.dla_core is not None:
            facts.append(f'DLA {self._settings.dla_core}')
        if self._active is not None:
            session = self._active[1]
            facts.append('CUDA graph' if session.has_graph else 'no CUDA graph')
            facts.append(f'{session.memory / MIB:.0f} MiB')
        return f'{gpu.name} ({", ".join(facts)})'

    @property
    def version(self) -> str:
        """Version of TensorRT."""
        return str(self._libraries.trt.__version__)

    def prepare(self, size: Size) -> None:
        """Load the engine for a height and width; build it first where none fits (minutes)."""
        if self._active is None or not self._settings.in_background:
            if self._active is None or self._active[0] != size:
                self._active = size, self._supply.obtain(size)
        elif size not in (self._active[0], self._wanted):
            self._wanted = size
            threading.Thread(
                target=self._obtain_later, args=(size,), name='engine', daemon=True
            ).start()

    def infer(self, image: np.ndarray) -> Prediction:
        """Segment one image."""
        size = (image.shape[0], image.shape[1])
        self.prepare(size)
        done, self._next = self._next, None
        if done is not None:
            self._active = done
        assert self._active is not None
        engine_size, session = self._active
        if size != engine_size:  # the one for this size is not ready yet
            image = _stretch(image, engine_size, self._supply.modality)
        found = session.run(to_batch(image))
        mask, confidence = (_restore(found[name][0], size) for name in OUTPUTS)
        logits = found[LOGITS][0].astype(np.float32, copy=False) if LOGITS in found else None
        return Prediction(mask, confidence, logits)

    def device_ms(self) -> float:
        """Measure what the device needs for copies and network of the last image, ms."""
        assert self._active is not None
        return self._active[1].device_ms()

    def _obtain_later(self, size: Size) -> None:
        try:
            self._next = size, self._supply.obtain(size)
        except CrodinoError as error:  # the engine of the other size goes on serving
            self._settings.say(f'no engine for images of {size[0]}x{size[1]}: {error}')


def _stretch(image: np.ndarray, size: Size, modality: Modality) -> np.ndarray:
    # Depth by the nearest pixel: a mean of two depths across an edge is no surface.
    method = cv2.INTER_LINEAR if modality is Modality.RGB else cv2.INTER_NEAREST
    return cv2.resize(image, size[::-1], interpolation=method)


def _restore(plane: np.ndarray, size: Size) -> np.ndarray:
    if plane.shape == size:
        return plane
    return cv2.resize(plane, size[::-1], interpolation=cv2.INTER_NEAREST)

"""Where a TensorRT engine comes from: the cache, or a build that was checked against the CPU."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crodino_core.bundle import sha256_of
from crodino_core.errors import CrodinoError
from crodino_core.modality import Modality
from crodino_core.runtime.engines import parity
from crodino_core.runtime.engines.cuda_runtime import MIB, Cuda, import_cuda
from crodino_core.runtime.engines.engine import to_batch
from crodino_core.runtime.engines.engine_cache import CachedEngine, EngineCache, StaleEngineError
from crodino_core.runtime.engines.engine_key import EngineKey
from crodino_core.runtime.engines.tensorrt_build import BuildProgress, build
from crodino_core.runtime.engines.tensorrt_graph import for_tensorrt, precision_of, read_graph
from crodino_core.runtime.engines.tensorrt_session import TensorRtSession
from crodino_core.runtime.engines.tensorrt_settings import TensorRtSettings
from crodino_core.runtime.engines.tensorrt_versions import major_version


@dataclass(frozen=True)
class Libraries:
    """TensorRT and CUDA, or stand-ins for them."""

    trt: Any
    cuda: Cuda

    @classmethod
    def load(cls) -> Libraries:
        """Import both.

        :raises CrodinoError: there is no usable device. This is found before TensorRT is asked:
            8.6.0 ends the whole process where there is no driver (segmentation fault).
        """
        cuda = Cuda(import_cuda())
        import tensorrt

        return cls(tensorrt, cuda)

    def key(self, **facts: Any) -> EngineKey:
        """Return the key of an engine for this library and device."""
        gpu = self.cuda.gpu
        return EngineKey(
            tensorrt=str(self.trt.__version__),
            gpu=gpu.name,
            compute_capability=gpu.compute_capability,
            **facts,
        )


class EngineSupply:
    """Gives the engine of one network for an image size; builds it where none fits."""

    def __init__(
        self,
        path: Path,
        outputs: tuple[str, ...],
        exact: bool,
        settings: TensorRtSettings,
        libraries: Libraries,
    ) -> None:
        """Read the network.

        :param outputs: of the graph that are wanted, `logits` among them or not.
        :param exact: forbid TF32 for what the file keeps in float32.
        :raises CrodinoError: the file is no network of a bundle.
        """
        self._path, self._outputs, self._exact = path, outputs, exact
        self._settings, self._libraries = settings, libraries
        self._model = read_graph(path, major_version(libraries.trt))
        self._digest = sha256_of(path)
        self.precision = precision_of(self._model)
        self.modality = (
            Modality.RGB if self._model.graph.input[0].name == 'image' else Modality.DEPTH
        )
        self.cache = EngineCache(settings.cache, settings.say)

    def key(self, size: tuple[int, int]) -> EngineKey:
        """Return what an engine for images of this height and width depends on."""
        return self._libraries.key(
            onnx_sha256=self._digest,
            precision=self.precision,
            height=size[0],
            width=size[1],
            workspace_mib=self._settings.workspace_mib,
            outputs=self._outputs,
            exact=self._exact,
            dla_core=self._settings.dla_core,
            version_compatible=self._settings.version_compatible,
            hardware_compatible=self._settings.hardware_compatible,
        )

    def obtain(self, size: tuple[int, int]) -> TensorRtSession:
        """Load the engine for a height and width, or build it; one process at a time does.

        :raises CrodinoError: it cannot be built, its masks are wrong, or there is no memory.
        """
        key, stem = self.key(size), self._path.stem
        with self.cache.lock(key.file_name(stem)):
            found = self.cache.find(stem, key)
            if self._settings.rebuild:
                found = 'a new one was asked for'
            if isinstance(found, CachedEngine):
                _refuse_rejected(found)
                try:
                    return self._session(found.read(), found.path.name)
                except StaleEngineError as error:
                    found = str(error)
            return self._build(key, found)

    def _build(self, key: EngineKey, why: str) -> TensorRtSession:
        settings, stem = self._settings, self._path.stem
        what = f'building {key.file_name(stem)}'
        settings.say(f'{what}: {why}; this takes minutes, once')
        purpose = 'the workspace of the build (tensorrt_workspace)'
        self._libraries.cuda.require(settings.workspace_mib * MIB, purpose)
        graph = for_tensorrt(self._model, (key.height, key.width), self._outputs)
        timings = self.cache.folder / f'{_slug(key.gpu)}-{key.tensorrt}.timing'
        known = timings.read_bytes() if timings.is_file() else b''
        progress = BuildProgress(what, settings.say)
        started = time.monotonic()
        engine, known = build(self._libraries.trt, graph, settings, self._exact, known, progress)
        facts: dict[str, Any] = {'build_s': round(time.monotonic() - started, 1)}
        session = self._session(engine, 'the engine just built')
        facts['agreement'] = round(self._agreement(session, key), 6)
        rejected = parity.why_rejected(facts['agreement'], key.precision)
        if rejected:
            facts['rejected'] = rejected
        self.cache.write(timings, known)
        entry = self.cache.store(stem, key, engine, facts)
        settings.say(
            f'{entry.path.name} was built in {facts["build_s"]} s; its masks agree with those of '
            f'the CPU on {facts["agreement"]:.2%} of the pixels'
        )
        _refuse_rejected(entry)
        return session

    def _agreement(self, session: TensorRtSession, key: EngineKey) -> float:
        """Compare with the ONNX file on the CPU, on the frames that ship with the package."""
        images = parity.sample_images(self.modality, (key.height, key.width))

        def segment(image: np.ndarray) -> np.ndarray:
            return session.run(to_batch(image))['mask'][0]

        return parity.agreement(images, segment, parity.cpu_reference(self._path))

    def _session(self, engine: bytes, what: str) -> TensorRtSession:
        trt, cuda = self._libraries.trt, self._libraries.cuda
        return TensorRtSession(trt, cuda, engine, self._settings, what)


def _refuse_rejected(entry: CachedEngine) -> None:
    """Raise where an engine failed its check, so that it is not built again at every start."""
    if 'rejected' in entry.facts:
        raise CrodinoError(
            f'{entry.path.name} is not used: {entry.facts["rejected"]}; export another precision, '
            'or build it anew with: crodino engine build --force'
        )


def _slug(name: str) -> str:
    return ''.join(each if each.isalnum() else '-' for each in name)

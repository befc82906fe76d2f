"""Both networks of the segment node, loaded and warm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from crodino_core.bundle import ModelBundle
from crodino_core.modality import Modality
from crodino_core.resources import model_path
from crodino_core.runtime.arbiter import FUSING
from crodino_core.runtime.engines import Engine, LoadedEngines, load_engines
from crodino_core.runtime.engines.tensorrt_settings import say_on_stderr
from crodino_core.runtime.quality import watch_for
from crodino_ros.middleware import Node
from crodino_ros.segment_settings import SegmentSettings

Size = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True)
class Networks:
    """A model bundle and the engines that run it."""

    bundle: ModelBundle
    loaded: LoadedEngines
    can_fuse: bool
    """Whether the engines return what the policies `average` and `best` need."""

    @classmethod
    def load(
        cls,
        settings: SegmentSettings,
        sizes: Mapping[Modality, Size] | None = None,
        say: Callable[[str], object] = say_on_stderr,
    ) -> Networks:
        """Load both networks and run each once: seconds, or minutes if TensorRT has to build.

        :param sizes: of the images to be expected; by default those of the settings.
        :param say: is told of such builds.
        :raises CrodinoError: the bundle is missing or damaged, not calibrated for the policy
            `best`, or no engine works.
        """
        bundle = ModelBundle.load(model_path(settings.model))
        policy = settings.arbiter.policy
        watch_for(bundle, policy)  # before the networks: a wrong option is found at once
        fuses = policy in FUSING
        expected = dict.fromkeys(Modality, settings.warm_up_size) | dict(sizes or {})
        loaded = load_engines(
            bundle,
            settings.engine,
            settings.threads,
            logits=fuses,
            sizes=expected,
            tensorrt=replace(settings.tensorrt, say=say),
            fallback=settings.engine_fallback,
        )
        for modality, engine in loaded.engines.items():
            warm_up(engine, modality, expected[modality])
        return cls(bundle, loaded, fuses)

    def __str__(self) -> str:
        facts = self.loaded.describe()
        passed_over = [f'{n} was passed over: {why}' for n, why in self.loaded.passed_over.items()]
        line = (
            f'model {self.bundle.name} ({len(self.bundle.labels)} classes) on {facts["name"]} '
            f'{facts["version"]}, {facts["device"]}'
        )
        return '; '.join([line, *passed_over])


def warm_up(engine: Engine, modality: Modality, size: Size) -> None:
    """Have an engine do all that it does only once for images of a height and width."""
    engine.prepare(size)
    blank = np.zeros((*size, 3), np.uint8)
    engine.infer(blank if modality is Modality.RGB else blank[..., 0].astype(np.float32))


class BackgroundLoad:
    """Loads networks in a thread of its own and hands them over in that of the callbacks.

    :param take_over: called with the networks of the load that was started last.
    """

    def __init__(self, node: Node, take_over: Callable[[Networks], None]) -> None:
        self._log = node.get_logger()
        self._take_over = take_over
        self._number = 0
        self._done: tuple[int, Networks] | None = None
        self._guard = node.create_guard_condition(self._hand_over)

    def start(self, settings: SegmentSettings, sizes: Mapping[Modality, Size]) -> None:
        """Begin to load; see `Networks.load`. A failure is logged."""
        self._number += 1
        task = (self._number, settings, dict(sizes))
        threading.Thread(target=self._load, args=task, name='loading', daemon=True).start()

    def cancel(self) -> None:
        """Take nothing over any more."""
        self._number += 1

    def _load(self, number: int, settings: SegmentSettings, sizes: dict[Modality, Size]) -> None:
        try:
            self._done = number, Networks.load(settings, sizes, self._log.info)
        except Exception as error:  # engines raise what they like; the loaded ones go on
            self._log.error(f'the networks cannot be loaded anew: {error}')
            return
        if number == self._number:
            self._guard.trigger()

    def _hand_over(self) -> None:
        done, self._done = self._done, None
        if done is not None and done[0] == self._number:
            self._take_over(done[1])

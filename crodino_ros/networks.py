"""Both networks of the segment node, loaded and warm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

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
Wish = tuple[SegmentSettings, dict[Modality, Size]]
"""What `Networks.load` is given."""


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
            `best`, without networks of that precision and resolution, or no engine works.
        """
        bundle = ModelBundle.load(
            model_path(settings.model), settings.precision, settings.resolution
        )
        policy = settings.arbiter.policy
        watch_for(bundle, policy)  # before the networks: a wrong option is found at once
        fuses = policy in FUSING
        expected = dict.fromkeys(Modality, settings.warm_up_size) | dict(sizes or {})
        loaded = load_engines(
            bundle,
            settings.engine,
            settings.threads,
            logits=fuses,
            exact=settings.exact,
            sizes=expected,
            tensorrt=replace(settings.tensorrt, say=say),
            fallback=settings.engine_fallback,
        )
        for modality, engine in loaded.engines.items():
            warm_up(engine, modality, expected[modality])
        return cls(bundle, loaded, fuses)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Name, version and device of the engine, and which were passed over and why."""
        return self.loaded.describe()

    def __str__(self) -> str:
        facts = self.facts
        passed_over = [f'{n} was passed over: {why}' for n, why in facts['passed_over'].items()]
        line = (
            f'model {self.bundle.name} ({len(self.bundle.labels)} classes) in '
            f'{self.bundle.precision} on {facts["name"]} {facts["version"]}, {facts["device"]}'
        )
        return '; '.join([line, *passed_over])


def warm_up(engine: Engine, modality: Modality, size: Size) -> None:
    """Have an engine do all that it does only once for images of a height and width."""
    engine.prepare(size)
    blank = np.zeros((*size, 3), np.uint8)
    engine.infer(blank if modality is Modality.RGB else blank[..., 0].astype(np.float32))


class BackgroundLoad:
    """Loads networks in a thread of its own and hands them over in that of the callbacks.

    There is one load at a time: until `cancel`, the settings that networks depend on are fixed.

    :param take_over: called with the networks, unless the load was cancelled.
    """

    def __init__(self, node: Node, take_over: Callable[[Networks], None]) -> None:
        self._log = node.get_logger()
        self._take_over = take_over
        self._lock = threading.Lock()
        self._busy = False
        self._wish: Wish | None = None
        """What is loaded, or next where that was cancelled; None after it was handed over."""
        self._done: tuple[Wish, Networks] | None = None
        self._guard = node.create_guard_condition(self._hand_over)

    def start(self, settings: SegmentSettings, sizes: Mapping[Modality, Size]) -> None:
        """Have networks loaded, unless they are already; see `Networks.load`.

        A load that was cancelled ends first. A failure is logged.
        """
        with self._lock:
            if self._wish is not None:
                return
            policy = settings.arbiter.policy
            self._log.info(f'loading the networks anew for the policy {policy}')
            self._wish = (settings, dict(sizes))
            if not self._busy:
                self._busy = True
                threading.Thread(target=self._run, name='loading', daemon=True).start()

    def cancel(self) -> None:
        """Take nothing over any more."""
        with self._lock:
            self._wish = None

    def _run(self) -> None:
        loaded: Wish | None = None
        while (wish := self._next(loaded)) is not None:
            self._load(wish)
            loaded = wish

    def _next(self, loaded: Wish | None) -> Wish | None:
        with self._lock:
            wish = None if self._wish is loaded else self._wish
            self._busy = wish is not None
            return wish

    def _load(self, wish: Wish) -> None:
        networks = None
        try:
            networks = Networks.load(*wish, self._log.info)
        except Exception as error:  # engines raise what they like; the loaded ones go on
            self._log.error(f'the networks cannot be loaded anew: {error}')
        with self._lock:
            if wish is not self._wish:
                return
            if networks is None:
                self._wish = None  # it may be tried again
            else:
                self._done = wish, networks
                self._guard.trigger()

    def _hand_over(self) -> None:
        with self._lock:
            done, self._done = self._done, None
            if done is None or done[0] is not self._wish:
                return
            self._wish = None
        self._take_over(done[1])

"""One replay of one bag: bag, bundle and scenario in; masks and records out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError, UsageError
from crodino_core.evaluation.inference_time import InferenceTime
from crodino_core.evaluation.records import ReplayResult
from crodino_core.evaluation.replay_setup import replay_with
from crodino_core.evaluation.scenario import Scenario
from crodino_core.modality import Modality
from crodino_core.progress import progress_bar
from crodino_core.runtime.arbiter import FUSING, Arbiter
from crodino_core.runtime.engines import load_engines
from crodino_core.runtime.quality import watch_for
from crodino_core.variants import FLOAT32
from crodino_ros.bags import BagRecording
from crodino_ros.mask_bag import MaskBagWriter


@dataclass(frozen=True)
class ReplaySettings:
    """How a bag is replayed; see `FailoverSegmenter` for the policy's options."""

    model: Path
    scenario: Scenario | None = None
    engine: str = 'auto'
    topics: Mapping[str, str] = field(default_factory=dict)
    policy: str = 'prefer'
    prefer: Modality = Modality.RGB
    when_none: str = 'silence'
    threads: int | None = None
    precision: str = FLOAT32
    resolution: tuple[int, int] | None = None
    """Which of the bundle's networks, see `ModelBundle.choose`."""
    exact: bool = False
    """See `load_engines`."""
    inference_time: InferenceTime = None
    """See `crodino_core.evaluation.replay.replay`."""


def replay_bag(bag: Path, settings: ReplaySettings, out: Path) -> ReplayResult:
    """Replay a bag and write its masks.

    :param out: folder for the mask bag `masks`; if the replay fails it is not made.
    :raises CrodinoError: the bag, the bundle, the engine or the folder cannot be used.
    """
    masks = out / 'masks'
    if masks.resolve() in (bag.resolve(), *bag.resolve().parents):
        raise UsageError(f'{masks} is the bag itself, which the masks would replace; name another')
    is_new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)  # what cannot be made is to be known now
    except OSError as error:
        raise CrodinoError(
            f'the folder {out} cannot be made: {error.strerror or error}; name another with --out'
        ) from error
    try:
        return _replay(bag, settings, masks)
    except BaseException:
        if is_new:
            with suppress(OSError):  # never made, or not empty: the first error is the one to say
                out.rmdir()
        raise


def _replay(bag: Path, settings: ReplaySettings, masks: Path) -> ReplayResult:
    recording = BagRecording(bag, settings.topics)
    bundle = ModelBundle.load(settings.model, settings.precision, settings.resolution)
    # Before the networks: a wrong option is found at once.
    arbiter = Arbiter(settings.policy, settings.prefer, settings.when_none)
    watch_for(bundle, arbiter.policy)
    loaded = load_engines(
        bundle,
        settings.engine,
        settings.threads,
        logits=arbiter.policy in FUSING,
        exact=settings.exact,
        sizes=recording.first_sizes(),
    )
    with progress_bar() as bar, MaskBagWriter(masks, recording.start_ns, bundle.labels) as writer:
        task = bar.add_task(f'replaying {recording.name}', total=round(recording.duration, 1))
        return replay_with(
            recording,
            bundle,
            loaded,
            arbiter,
            settings.scenario,
            sink=writer.write,
            label_sink=writer.write_label,
            state_sink=writer.write_states,
            inference_time=settings.inference_time,
            progress=lambda seconds: bar.update(task, completed=round(seconds, 1)),
        )

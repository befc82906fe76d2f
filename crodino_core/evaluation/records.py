"""What a replay leaves behind: the records that metrics and report read.

Times named `..._s` are seconds since the arrival of the first camera or depth frame of the
recording, on the recording's receive clock. A record holds no image except `KeyPicture`, whose
number and size are bounded; so a result grows by about 200 bytes
per mask, and 12 more for each class where there is ground truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crodino_core.evaluation.faults import FAULTS
from crodino_core.evaluation.inference_time import InferenceTime
from crodino_core.labels import LabelSet
from crodino_core.modality import Modality

FUSED, VOID = 'fused', 'void'
SOURCES = (*map(str, Modality), FUSED)
"""What a mask that is not void can be made from."""


def source_of(modality: Modality | None, fused: bool = False) -> str:
    """Name what a mask was made from: 'rgb', 'depth', 'fused' (the mean of both) or 'void'."""
    if fused:
        return FUSED
    return VOID if modality is None else str(modality)


@dataclass
class OutputRecord:
    """One mask that the segmenter gave out."""

    time_s: float
    """When the decision for it fell (arrival of the frame, or the watchdog's time), and then the
    inference time, if the replay was given one."""
    stamp_ns: int
    """Header stamp of the frame it was made from."""
    modality: Modality | None
    """What it was made from; None for a void mask (255 everywhere)."""
    fused: bool
    """Whether it is the mean of both networks."""
    stale: bool
    """Whether its frame repeats the pixels of the sensor's previous frame."""
    latency_ms: float
    """Time from the decision to the mask: what both took, milliseconds of the replay's clock; with
    an inference time, that and the wait for the mask before."""
    phase: int
    """Index of its phase in `ReplayResult.phases`."""
    cause: str
    """What the health of the sensors said when it was made, in words."""
    miou: float | None = None
    """mIoU of this mask alone, percent; None without ground truth."""
    damaged: bool = False
    """Whether a fault has changed a picture it was made from."""
    agreement: float | None = None
    """Pixels of this mask as in the clean run's, percent; None where that was not compared."""

    @property
    def source(self) -> str:
        """What it was made from, see `source_of`."""
        return source_of(self.modality, self.fused)


@dataclass(frozen=True)
class StateChange:
    """A sensor's health became another one."""

    time_s: float
    sensor: Modality
    state: str
    """Value of `SensorState`, e.g. 'late'."""
    cause: str


@dataclass
class Failure:
    """One fault of the scenario and how the segmenter met it."""

    sensor: Modality
    kind: str
    """Name in `FAULTS`, e.g. 'drop'."""
    start_s: float
    end_s: float | None
    """End of the fault as written in the scenario; None: until the recording ends."""
    frames: int = 0
    """Frames of the sensor it touched."""
    onset_s: float | None = None
    """Arrival of the first frame it touched (would have been, if dropped)."""
    cleared_s: float | None = None
    """Arrival of the sensor's first untouched frame afterwards."""
    detected_s: float | None = None
    """First moment from `onset_s` to `cleared_s` at which the sensor was LATE, LOST, FROZEN or
    INVALID, but not because the recording itself pauses."""
    detected_as: str | None = None
    """The state at `detected_s`."""
    recovered_s: float | None = None
    """First moment from `cleared_s` on at which the sensor's state was OK."""
    masks_lost: int = 0
    """Lost masks whose expected time lies from its onset to the recovery."""
    stale_masks: int = 0
    """Stale masks given out in that time."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """What the fault was given: severity, seed, and those of its kind."""

    @property
    def severity(self) -> int | None:
        """1 to 5; None if the fault was given its physical measure instead."""
        kind = FAULTS.get(self.kind)
        if kind is None or self.parameters.get(kind.measure):
            return None
        return self.parameters.get('severity', kind.parameters['severity'])

    @property
    def time_to_detect_s(self) -> float | None:
        """`detected_s - onset_s`; None if it was never detected."""
        if self.detected_s is None or self.onset_s is None:
            return None
        return self.detected_s - self.onset_s

    @property
    def time_to_recover_s(self) -> float | None:
        """`recovered_s - cleared_s`; None if the recording ended before."""
        if self.recovered_s is None or self.cleared_s is None:
            return None
        return self.recovered_s - self.cleared_s


@dataclass
class Failover:
    """The served modality changed from one mask to the next."""

    from_modality: Modality
    to_modality: Modality
    at_s: float
    """Time of the first mask of `to_modality`."""
    gap_s: float
    """Time since the last mask of `from_modality`."""
    cause: str
    """What the health of the sensors said at that moment, in words."""
    explained_by: str | None = None
    """The injected fault, or the gap in the recording, behind it; None: a false switch."""


@dataclass
class Phase:
    """A run of masks with one served modality and one set of active faults."""

    start_s: float
    end_s: float
    served: Modality | None
    """The sensor whose size and stamps the masks bear; None: void masks."""
    faults: tuple[str, ...]
    """Active faults as '<sensor> <kind>', e.g. ('rgb drop',)."""
    frames: int = 0
    """Masks in the phase."""
    scored: int = 0
    """Those of them that met a ground truth label."""
    confusion: np.ndarray | None = None
    """int64 [K, K + 1], rows = ground truth, columns = mask (the last: unlabelled); None
    without ground truth."""
    agreement: np.ndarray | None = None
    """The same against the masks of the clean run (rows); None where it was not compared."""
    tallies: list[np.ndarray] = field(default_factory=list)
    """`bootstrap.tally` of each scored mask, uint32 [3, K]: 12 bytes for a class."""
    fused: int = 0
    """Masks in the phase that are the mean of both sensors."""
    fused_confusion: np.ndarray | None = None
    """The part of `confusion` that is theirs; None where none of them was scored."""

    def confusion_of(self, source: str) -> np.ndarray | None:
        """Return the part of `confusion` of the masks made from `source`, one of `SOURCES`."""
        if source == FUSED:
            return self.fused_confusion
        if source != source_of(self.served):
            return None
        if self.confusion is None or self.fused_confusion is None:
            return self.confusion
        return self.confusion - self.fused_confusion


@dataclass
class KeyPicture:
    """A small copy of everything at one instant, kept around failures and switches."""

    time_s: float
    caption: str
    """Why it was kept, e.g. 'last mask before rgb drop'."""
    failure: int | None
    """Index in `ReplayResult.failures`, or None (no failure is near)."""
    modality: Modality | None
    rgb: np.ndarray | None
    """uint8 [h, w, 3], what the segmenter last saw; None when nothing arrived of late."""
    depth: np.ndarray | None
    """float32 [h, w] metres, 0 = invalid; None when nothing arrived of late."""
    mask: np.ndarray
    """uint8 [h, w], class indices, 255 = unlabelled."""
    label: np.ndarray | None = None
    """uint8 [h, w], ground truth; None without."""
    miou: float | None = None
    """mIoU of the whole mask of this instant, percent."""
    kept: bool = False
    """Whether it will be in the report; the images of others are not small."""
    fused: bool = False
    """Whether the mask is the mean of both sensors."""

    @property
    def source(self) -> str:
        """What the mask was made from, see `source_of`."""
        return source_of(self.modality, self.fused)


@dataclass
class Comparison:
    """What it took to compare the masks with those of the clean run (see `agreement`)."""

    masks: int = 0
    """Masks compared."""
    same: int = 0
    """Those made from the very frame the clean run served: equal, no network had to run."""
    inferences: int = 0
    """Masks of the clean run that were made for the comparison."""
    seconds: float = 0.0
    """Time they took, seconds of the replay's clock."""


@dataclass
class ReplayResult:
    """Everything a replay found; `metrics.summarize` makes the JSON of `crodino replay` of it."""

    recording: str
    duration_s: float
    scenario: str | None
    scenario_description: str
    model: str = ''
    engine: str = ''
    device: str = ''
    engines_passed_over: Mapping[str, str] = field(default_factory=dict)
    """Engines that were tried before it, and why they could not be used."""
    inference_time: InferenceTime = None
    """Milliseconds, or 'measured', by which masks are out after the decision; None: at once."""
    masks_dropped: int = 0
    """Frames chosen for a mask that a newer one replaced while the network was busy."""
    policy: Mapping[str, str] = field(default_factory=dict)
    """The arbiter's settings: policy, prefer, when_none."""
    labels: LabelSet | None = None
    frames: dict[Modality, int] = field(default_factory=lambda: dict.fromkeys(Modality, 0))
    """Frames of each sensor in the recording, before any fault."""
    frames_delivered: dict[Modality, int] = field(
        default_factory=lambda: dict.fromkeys(Modality, 0)
    )
    """Frames of each sensor that reached the segmenter."""
    undecodable: dict[Modality, int] = field(default_factory=lambda: dict.fromkeys(Modality, 0))
    """Messages of each sensor that could not be decoded."""
    period_s: dict[Modality, float | None] = field(
        default_factory=lambda: dict.fromkeys(Modality, None)
    )
    """Median interval between the frames of each sensor in the recording."""
    arrivals_s: dict[Modality, list[float]] = field(
        default_factory=lambda: {modality: [] for modality in Modality}
    )
    """Arrival of each frame in the recording, before any fault."""
    expected_s: list[float] = field(default_factory=list)
    """Times of the masks the same recording gives without the scenario."""
    outputs: list[OutputRecord] = field(default_factory=list)
    state_changes: list[StateChange] = field(default_factory=list)
    failovers: list[Failover] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    pictures: list[KeyPicture] = field(default_factory=list)
    film: list[KeyPicture] = field(default_factory=list)
    """Pictures spread evenly over the masks, for scrubbing; some are in `pictures` too."""
    comparison: Comparison | None = None
    """Set where masks were compared with the clean run's: a scenario, but no ground truth."""
    lost_s: list[float] = field(default_factory=list)
    """Times of the expected masks that none replaced."""
    labels_seen: int = 0
    """Ground truth labels in the recording."""
    wall_s: float = 0.0
    """How long the replay took, seconds of the replay's clock."""
    warnings: list[str] = field(default_factory=list)
    """What was wrong with the recording but did not stop the replay, one line each."""

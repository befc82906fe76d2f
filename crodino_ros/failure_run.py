"""One job of a failure plan, done in a worker process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2

from crodino_core.bundle import ModelBundle
from crodino_core.evaluation.failure_job import BundleEntry, FailureJob
from crodino_core.evaluation.inference_time import MEASURED
from crodino_core.evaluation.metrics import summarize
from crodino_core.evaluation.replay_memory import KeptRecording, PredictionMemory
from crodino_core.evaluation.replay_setup import replay_with
from crodino_core.modality import Modality
from crodino_core.runtime.arbiter import FUSING, Arbiter
from crodino_core.runtime.engines import LoadedEngines, load_engines
from crodino_ros.bags import BagRecording

_Topics = tuple[tuple[str, str], ...]
_Sizes = tuple[tuple[Modality, tuple[int, int]], ...]

FRAMES_SHARE = 0.75
"""Of a worker's memory, for decoded frames; the rest is for predictions."""


def run_job(job: FailureJob) -> dict[str, Any]:
    """Replay a job's bag on one thread and return the figures (`metrics.summarize`).

    Frames, networks and predictions are kept for the next job of the same bag and bundle.

    :raises CrodinoError: the bag, the bundle or the engine cannot be used.
    """
    cv2.setNumThreads(1)  # as many workers as cores
    limit = job.memory_mb * 1_000_000
    topics = tuple(sorted(job.bag.topics.items()))
    recording, sizes = _recording(job.bag.path, topics, round(limit * FRAMES_SHARE))
    arbiter = Arbiter(job.policy.policy, job.policy.prefer, job.policy.when_none)
    logits = arbiter.policy in FUSING
    bundle, loaded = _networks(job.bundle, job.engine, logits, sizes)
    memory = None
    if job.inference_time != MEASURED:
        memory = _predictions(
            job.bag.path, job.bundle, job.engine, logits, round(limit * (1 - FRAMES_SHARE))
        )
    result = replay_with(
        recording,
        bundle,
        loaded,
        arbiter,
        job.scenario,
        memory=memory,
        inference_time=job.inference_time,
        read_ahead=False,  # a worker is one processor's work
    )
    return summarize(result)


@lru_cache(maxsize=1)
def _recording(path: Path, topics: _Topics, limit: int) -> tuple[KeptRecording, _Sizes]:
    recording = BagRecording(path, dict(topics))
    sizes = recording.first_sizes()
    ordered = tuple((modality, sizes[modality]) for modality in Modality if modality in sizes)
    return KeptRecording(recording, limit), ordered


@lru_cache(maxsize=1)
def _networks(
    entry: BundleEntry, engine: str, logits: bool, sizes: _Sizes
) -> tuple[ModelBundle, LoadedEngines]:
    bundle = ModelBundle.load(entry.path, entry.precision, entry.resolution)
    return bundle, load_engines(bundle, engine, threads=1, logits=logits, sizes=dict(sizes))


@lru_cache(maxsize=1)
def _predictions(
    bag: Path, bundle: BundleEntry, engine: str, logits: bool, limit: int
) -> PredictionMemory:
    """Of one bag and one bundle: with another of them it starts empty."""
    return PredictionMemory(limit)

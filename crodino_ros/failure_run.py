"""One job of a failure plan, done in a worker process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2

from crodino_core.bundle import ModelBundle
from crodino_core.evaluation.failure_job import FailureJob
from crodino_core.evaluation.inference_time import MEASURED
from crodino_core.evaluation.metrics import summarize
from crodino_core.evaluation.replay import replay
from crodino_core.evaluation.replay_memory import (
    KeptRecording,
    PredictionMemory,
    RememberingSegmenter,
)
from crodino_core.runtime.arbiter import FUSING
from crodino_core.runtime.engines import LoadedEngines, load_engines
from crodino_core.runtime.quality import watch_for
from crodino_core.runtime.selector import FailoverSelector
from crodino_ros.bags import BagRecording

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
    recording = _recording(job.bag.path, topics, round(limit * FRAMES_SHARE))
    logits = job.policy.policy in FUSING
    bundle, loaded = _networks(job.bundle.path, job.engine, logits)
    policy: dict[str, Any] = {
        'policy': job.policy.policy,
        'prefer': job.policy.prefer,
        'when_none': job.policy.when_none,
    }
    segmenter = RememberingSegmenter(bundle, engines=loaded.engines, **policy)
    if job.inference_time != MEASURED:
        segmenter.memory = _predictions(
            job.bag.path, job.bundle.path, job.engine, logits, round(limit * (1 - FRAMES_SHARE))
        )
    result = replay(
        recording,
        segmenter,
        FailoverSelector(quality=watch_for(bundle, job.policy.policy), **policy),
        job.scenario,
        labels=bundle.labels,
        inference_time=job.inference_time,
    )
    facts = loaded.describe()
    result.model = bundle.name
    result.engine = f'{facts["name"]} {facts["version"]}'
    result.device = facts['device']
    result.policy = {key: str(value) for key, value in policy.items()}
    return summarize(result)


@lru_cache(maxsize=1)
def _recording(path: Path, topics: tuple[tuple[str, str], ...], limit: int) -> KeptRecording:
    return KeptRecording(BagRecording(path, dict(topics)), limit)


@lru_cache(maxsize=1)
def _networks(path: Path, engine: str, logits: bool) -> tuple[ModelBundle, LoadedEngines]:
    bundle = ModelBundle.load(path)
    return bundle, load_engines(bundle, engine, threads=1, logits=logits)


@lru_cache(maxsize=1)
def _predictions(
    bag: Path, bundle: Path, engine: str, logits: bool, limit: int
) -> PredictionMemory:
    """Of one bag and one bundle: with another of them it starts empty."""
    return PredictionMemory(limit)

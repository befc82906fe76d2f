"""One job of a plan: a bag, a scenario, a policy and a bundle."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crodino_core import __version__
from crodino_core.bundle import DESCRIPTION_FILE
from crodino_core.evaluation.inference_time import InferenceTime
from crodino_core.evaluation.scenario import Scenario
from crodino_core.modality import Modality
from crodino_core.variants import FLOAT32

CLEAN = 'clean'
"""Stands for a scenario without any fault."""
DEFAULT_MEMORY_MB = 512


@dataclass(frozen=True)
class BagEntry:
    """A bag of a plan."""

    name: str
    path: Path
    topics: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PolicyEntry:
    """A policy of a plan; the fields are those of `Arbiter`."""

    name: str
    policy: str = 'prefer'
    prefer: Modality = Modality.RGB
    when_none: str = 'silence'


@dataclass(frozen=True)
class BundleEntry:
    """A model bundle of a plan, and the pair of its networks that is replayed."""

    name: str
    path: Path
    precision: str = FLOAT32
    resolution: tuple[int, int] | None = None


@dataclass(frozen=True)
class FailureJob:
    """One replay of a plan."""

    bag: BagEntry
    bundle: BundleEntry
    policy: PolicyEntry
    scenario: Scenario | None
    """None: without any fault."""
    severity: int | None = None
    """Given to every fault of the scenario; None: as it says."""
    engine: str = 'auto'
    inference_time: InferenceTime = None
    memory_mb: int = DEFAULT_MEMORY_MB

    @property
    def scenario_name(self) -> str:
        """Name of the scenario; 'clean' without."""
        return self.scenario.name if self.scenario else CLEAN

    @property
    def labels(self) -> dict[str, Any]:
        """What tells the job from the others of its plan, as plain data."""
        return {
            'bag': self.bag.name,
            'bundle': self.bundle.name,
            'policy': self.policy.name,
            'scenario': self.scenario_name,
            'severity': self.severity,
        }

    def identity(self) -> str:
        """Return a name for the job's files; another one as soon as its result may be another.

        It ends in a hash of everything the result depends on: the settings, the faults, the
        bundle's description (with the sha256 of its networks), name, size and time of the bag's
        files, and the version of this package.
        """
        content = [
            str(self.bag.path.resolve()),
            _file_facts(self.bag.path),
            sorted(self.bag.topics.items()),
            _digest_of(self.bundle.path / DESCRIPTION_FILE),
            [self.bundle.precision, self.bundle.resolution],
            repr(self.policy),
            repr(self.scenario),
            [self.severity, self.engine, self.inference_time, __version__],
        ]
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]
        words = [str(value) for value in self.labels.values() if value is not None]
        return f'{"--".join(re.sub(r"[^A-Za-z0-9.]+", "_", word) for word in words)}--{digest}'


def _file_facts(path: Path) -> list[tuple[str, int, int]]:
    """Return name, size and time of change of a file, or of those in a folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.is_file() else []
    return [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files if f.is_file()]


def _digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ''

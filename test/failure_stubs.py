"""Stand-ins for the replay of a plan's job; worker processes import them by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_core.evaluation.failure_job import FailureJob

PLAN = """
bags: [hall, yard]
scenarios: [clean, camera_blackout, fog_bank]
policies: [prefer, average]
"""


def summary(**figures: Any) -> dict[str, Any]:
    """Return what the leaderboard reads of a summary."""
    return {
        'scenario': 'some', 'expected_masks': 100, 'masks': 100, 'masks_lost': 0,
        'max_gap_s': 0.15, 'max_gap_expected_s': 0.1, 'false_switches': 0,
        'wrong_modality_s': 0.0, 'miou': 50.0, 'failovers': [], **figures,
    }  # fmt: skip


def replayed(job: FailureJob) -> dict[str, Any]:
    """Do a job at once, and leave a note of it beside the bag."""
    note = job.bag.path.with_name('done.txt')
    with note.open('a') as file:
        file.write(f'{job.identity()} {os.getpid()}\n')
    return summary(miou=60.0 if job.policy.policy == 'average' else 50.0)


def fails_in_the_yard(job: FailureJob) -> dict[str, Any]:
    """Fail with the bag 'yard' in the two ways a job can."""
    if job.bag.name == 'yard' and job.scenario is None:
        raise CrodinoError('there is no bag yard')
    if job.bag.name == 'yard':
        raise ValueError('torn')
    return replayed(job)


def dies_in_the_fog(job: FailureJob) -> dict[str, Any]:
    """Die as a process does that the kernel kills."""
    if job.scenario_name == 'fog_bank':
        os.kill(os.getpid(), signal.SIGKILL)
    return replayed(job)


def notes(folder: Path) -> list[str]:
    """Return the lines that `replayed` left in the folder of the plan."""
    file = folder / 'done.txt'
    return file.read_text().splitlines() if file.is_file() else []

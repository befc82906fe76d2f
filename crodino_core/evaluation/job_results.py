"""The results of a plan's jobs: a folder with one JSON file for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_core.evaluation.failure_job import FailureJob
from crodino_core.whole_files import write_whole

DONE, FAILED = 'done', 'failed'


class JobResults:
    """Keeps the result of every job as soon as it is there.

    A file is written under another name and renamed, so it is whole or it is not there: a run
    that is stopped, even by a power cut, loses only the jobs that were under way. The name says
    what the result depends on (`FailureJob.identity`), so that a changed scenario, bundle or bag
    is computed anew.
    """

    def __init__(self, folder: Path) -> None:
        """Use a folder; it is made if need be.

        :raises CrodinoError: it cannot be made.
        """
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CrodinoError(
                f'the folder {folder} cannot be made: {error.strerror or error}; name another one'
            ) from error

    def path(self, job: FailureJob) -> Path:
        """Return the file of a job's result."""
        return self.folder / f'{job.identity()}.json'

    def load(self, job: FailureJob) -> dict[str, Any] | None:
        """Return a job's record, None if there is none (or none that can be read)."""
        try:
            record = json.loads(self.path(job).read_text(encoding='utf-8'))
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) and 'status' in record else None

    def is_done(self, job: FailureJob) -> bool:
        """Whether a job need not be run again; one that failed is tried again."""
        record = self.load(job)
        return record is not None and record['status'] == DONE

    def save(self, job: FailureJob, summary: dict[str, Any] | None, error: str = '') -> None:
        """Write a job's record: its summary, or why it failed."""
        record = {
            **job.labels,
            'status': DONE if summary is not None else FAILED,
            'error': error,
            'summary': summary,
        }
        write_whole({self.path(job): json.dumps(record, allow_nan=False)})

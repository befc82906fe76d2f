"""The figures of a training run: `metrics.csv` and TensorBoard events."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crodino_core.whole_files import write_whole

METRICS_FILE = 'metrics.csv'
BOARD_FOLDER = 'tensorboard'
VALIDATION = 'validation_miou_'
"""Columns that begin so are mIoU in percent, those after `step` without it are losses."""


class RunLog:
    """Writes the same rows for spreadsheets, for the eye and for TensorBoard."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._board: Any = None

    def add(self, step: int, losses: Mapping[str, float], miou: Mapping[str, float]) -> None:
        """Write what was measured after a step.

        :param losses: weighted losses by name, means since the row before.
        :param miou: validation mIoU by network, percent.
        """
        row = {'step': step, **losses} | {f'{VALIDATION}{k}': v for k, v in miou.items()}
        path = self.run / METRICS_FILE
        new = not path.exists()
        with path.open('a', newline='') as stream:
            writer = csv.DictWriter(stream, row)
            if new:
                writer.writeheader()
            writer.writerow({key: f'{value:.6g}' for key, value in row.items()})
        self._add_to_board(step, {'loss': losses, 'validation mIoU': miou})

    def _add_to_board(self, step: int, groups: Mapping[str, Mapping[str, float]]) -> None:
        if self._board is None:
            # Not at the top: the import takes seconds, and a run that is over needs none.
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.run / BOARD_FOLDER), purge_step=step)
        for group, values in groups.items():
            for name, value in values.items():
                self._board.add_scalar(f'{group}/{name}', value, step)
        self._board.flush()

    def close(self) -> None:
        """Close the files."""
        if self._board is not None:
            self._board.close()


def forget_rows_after(run: Path, step: int) -> None:
    """Drop the rows of `metrics.csv` that a resumed run will write again, or that were cut off."""
    path = run / METRICS_FILE
    if not path.is_file():
        return
    with path.open(newline='') as stream:
        rows = [row for row in csv.reader(stream) if row]
    whole = [row for row in rows if len(row) == len(rows[0])]
    kept = io.StringIO(newline='')
    csv.writer(kept).writerows(row for row in whole if row[0] == 'step' or int(row[0]) <= step)
    write_whole({path: kept.getvalue()})

"""Measures the policy `best` on graded damage and makes the tables of docs/degradation.md.

    python docs/degradation_study.py --data FOLDER [--model DIR] [--cache FILE] [--write]

Every fault of content, at each severity, damages one sensor of the frames; the other one stays
as it is. What both networks make of each image is kept in the cache (some 10 minutes of one core
for every 4th of 116 test frames and every 3rd of 69 validation frames; the tables take a
minute). Then each signal drives the same decision, `QualityWatch`, over three rounds of the
frames at 10 Hz: one clean, two damaged, of which the second is scored. All that a signal knows
was learned on clean frames: the validation split and synthetic rooms. Its limit was chosen on
damaged validation frames; the other tables are of test frames.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from degradation_data import Rows, collect, collect_known, collect_walks
from degradation_tables import tables
from study_page import put_measured

from crodino_core.bundle import ModelBundle
from crodino_core.rgbd_folder import RgbdFolder

HERE = Path(__file__).resolve().parent
EVERY = {'test': 4, 'val': 3}
"""Of which split which frames are damaged: every n-th."""


def collected(bundle: ModelBundle, folder: RgbdFolder) -> Rows:
    """Run the networks on everything; `split` says what a row may be used for."""
    parts = {
        'known': collect_known(bundle, folder),
        **{split: collect(bundle, folder, split, every) for split, every in EVERY.items()},
    }
    walks = collect_walks(bundle)
    parts['known'] = {key: np.concatenate([parts['known'][key], walks[key]]) for key in walks}
    split = np.concatenate([[name] * len(rows['case']) for name, rows in parts.items()])
    columns = {key: np.concatenate([rows[key] for rows in parts.values()]) for key in walks}
    return {**columns, 'split': split}


def main() -> None:
    """Collect what is not in the cache, then print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, required=True, help='data set in the folder format')
    parser.add_argument('--model', type=Path, default=HERE.parent / 'models' / 'indoor')
    parser.add_argument('--cache', type=Path, default=Path('degradation.npz'))
    parser.add_argument('--write', action='store_true', help='put the tables into the document')
    given = parser.parse_args()
    bundle = ModelBundle.load(given.model)
    if not given.cache.exists():
        np.savez_compressed(given.cache, **collected(bundle, RgbdFolder(given.data)))
    with np.load(given.cache) as cache:
        found = tables({key: cache[key] for key in cache.files}, bundle)
    if given.write:
        put_measured(HERE / 'degradation.md', found)
    else:
        print(found)


if __name__ == '__main__':
    main()

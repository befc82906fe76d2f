"""Trains every arm of the comparison in docs/results.md, and makes its tables.

    python docs/training_study.py --data FOLDER --weights FILE [--work DIR] [--seeds N]
        [--out DIR] [--steps N] [--batch N] [--view PIXELS] [--input PIXELS] [--only ARM] [--write]

Every run is one row of docs/results.csv, written when the run is over; a study that was stopped
goes on where it was. Another budget needs a --work and an --out of its own. All arms of a seed see
the same views and start from the same weights. What is scored are the averaged weights of the last
step, so that nothing is gained by choosing among checkpoints. `--write` only puts the tables of
what there is into docs/results.md.
"""

from __future__ import annotations

import argparse
import csv
import platform
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from training_arms import ARMS, MAIN, configure, plan, run_folder
from training_gradients import encoder_gradients
from training_rooms import write_rooms
from training_scores import CLEAN, SETS, load_networks, score, score_damaged
from training_scores import DAMAGED as DAMAGED_FIGURES
from training_tables import BALANCED, FUSION, TWIN, Row, read_rows, write_page

from crodino_core.errors import CrodinoError
from crodino_core.learning import checkpoint
from crodino_core.learning.bench import bench_training
from crodino_core.learning.config import FolderSource
from crodino_core.learning.data.samples import load_source
from crodino_core.learning.models.twin import Architecture
from crodino_core.learning.train import train
from crodino_core.rgbd_folder import RgbdFolder, RgbdSample

HERE = Path(__file__).resolve().parent

DAMAGED = (*MAIN, FUSION)
"""Arms that are also scored on damaged frames."""
PROBES = ('_damaged', '_trained', '_gradients', '_cost')
"""Endings of the files beside results.csv."""
LARGER = HERE / 'larger' / 'results.csv'
"""Rows of the main arms with a larger budget, which was given by options."""
BUDGET = ('steps', 'batch', 'view', 'input', 'learning_rate')


def train_arm(given: argparse.Namespace, arm: str, seed: int) -> Row:
    """Train one arm and score it on clean frames; return its row."""
    config, folder = configure(given, arm, seed), run_folder(given, arm, seed)
    shutil.rmtree(folder, ignore_errors=True)
    start = time.process_time()
    train(config, folder)
    seconds = time.process_time() - start
    (folder / checkpoint.LAST).unlink()  # larger by far than what is needed from here on
    figures = score(load_networks(folder), config, {s: _frames(given, s) for s in SETS})
    row = _key(given, arm, seed) | {'cpu_seconds': f'{seconds:.0f}', 'machine': _machine(given)}
    return row | {name: f'{value:.2f}' for name, value in figures.items()}


def damage_arm(given: argparse.Namespace, arm: str, seed: int) -> Row:
    """Score the networks of a run on damaged test frames; return their row."""
    networks = load_networks(run_folder(given, arm, seed))
    samples = _frames(given, 'test')[:: given.every]
    normalised = Architecture(len(RgbdFolder(given.data).labels))
    figures = score_damaged(networks, configure(given, arm, seed), samples, normalised)
    row = _key(given, arm, seed) | {'every': str(given.every)}
    return row | {name: f'{value:.2f}' for name, value in figures.items()}


def measure_costs(given: argparse.Namespace) -> list[Row]:
    """Measure a step of every method in one run, as `crodino bench train` does."""
    found = bench_training(configure(given, BALANCED, 1), given.cost_rounds)
    budget = {name: str(getattr(given, name)) for name in ('batch', 'view')}
    return [
        {
            'step': BALANCED if name == TWIN else name,
            **budget,
            'seconds': f'{seconds:.4f}',
            'gflop': f'{found["gflop"][name]:.3f}',
        }
        for name, seconds in found['seconds'].items()
    ]


def score_trained_frames(given: argparse.Namespace) -> list[Row]:
    """Score the first run of the main arms on every third frame it was trained on."""
    samples = {'train': _frames(given, 'train')[::3]}
    return [
        _key(given, arm, 1)
        | {
            name: f'{value:.2f}'
            for name, value in score(
                load_networks(run_folder(given, arm, 1)), configure(given, arm, 1), samples
            ).items()
        }
        for arm in MAIN
    ]


def measure_gradients(given: argparse.Namespace) -> list[Row]:
    """Compare the losses of the first twin by what they do to its encoders."""
    return encoder_gradients(run_folder(given, TWIN, 1), configure(given, TWIN, 1))


def _key(given: argparse.Namespace, arm: str, seed: int) -> Row:
    return {'arm': arm, 'seed': str(seed)} | {name: str(getattr(given, name)) for name in BUDGET}


def _frames(given: argparse.Namespace, name: str) -> list[RgbdSample]:
    if name == 'rooms':
        source = FolderSource(f'{given.work}/rooms', split='test')
    else:
        source = FolderSource(str(given.data), split=name)
    return load_source(source, RgbdFolder(given.data).labels, (given.input, given.input))


def _machine(given: argparse.Namespace) -> str:
    if given.device != 'cpu':
        return f'{torch.cuda.get_device_name(given.device)}, torch {torch.__version__}'
    threads = torch.get_num_threads()
    return f'{platform.machine()} CPU, {threads} threads, torch {torch.__version__}'


def append_row(path: Path, row: Row, columns: Sequence[str] = ()) -> None:
    """Write one row at the end, and the head of the file where it is new."""
    new = not path.exists()
    with path.open('a', newline='') as stream:
        writer = csv.DictWriter(stream, columns or list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def pending(
    rows: Iterable[Row], runs: Iterable[tuple[str, int]], given: argparse.Namespace
) -> list[tuple[str, int]]:
    """Return the runs that have no row yet.

    :raises CrodinoError: the rows are of another budget, so that new ones could not be compared.
    """
    done = set()
    for row in rows:
        for name in BUDGET:
            if float(row[name]) != getattr(given, name):
                raise CrodinoError(
                    f'the rows in {given.out} have {name} {row[name]}, {getattr(given, name)} '
                    'was given; name another folder with --out'
                )
        done.add((row['arm'], int(row['seed'])))
    return [run for run in runs if run not in done]


def main() -> None:
    """Measure what has no row yet, or write the tables."""
    given = _arguments()
    files = {kind: given.out / f'results{kind}.csv' for kind in ('', *PROBES)}
    if given.write:
        write_page(HERE / 'results.md', *map(read_rows, files.values()), read_rows(LARGER))
        return
    given.out.mkdir(parents=True, exist_ok=True)
    if not (given.work / 'rooms').exists():
        given.work.mkdir(parents=True, exist_ok=True)
        write_rooms(given.work / 'rooms', RgbdFolder(given.data), (given.input, given.input))
    wanted = [run for run in plan(range(1, given.seeds + 1)) if run[0] in (given.only or ARMS)]
    for arm, seed in pending(read_rows(files['']), wanted, given):
        row = train_arm(given, arm, seed)
        append_row(files[''], row, [*_key(given, arm, seed), 'cpu_seconds', 'machine', *CLEAN])
        print(', '.join(f'{key} {value}' for key, value in row.items()), flush=True)
    if given.only:
        return
    trained = [(row['arm'], int(row['seed'])) for row in read_rows(files[''])]
    by_seed = sorted(trained, key=lambda run: run[1])
    for arm, seed in pending(read_rows(files['_damaged']), by_seed, given):
        if arm in DAMAGED:
            columns = [*_key(given, arm, seed), 'every', *DAMAGED_FIGURES]
            append_row(files['_damaged'], damage_arm(given, arm, seed), columns)
    probes = {
        '_trained': score_trained_frames,
        '_gradients': measure_gradients,
        '_cost': measure_costs,
    }
    for kind, probe in probes.items():
        if not files[kind].exists():
            for row in probe(given):
                append_row(files[kind], row)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, required=True, help='data set in the folder format')
    parser.add_argument('--weights', type=Path, required=True, help='of the encoders, ImageNet')
    parser.add_argument('--work', type=Path, default=Path('runs/study'), help='for the runs')
    parser.add_argument('--out', type=Path, default=HERE, help='for the CSV files')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--steps', type=int, default=800)
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--view', type=int, default=128, help='side of a training view, pixels')
    parser.add_argument('--input', type=int, default=192, help='side of a whole frame, pixels')
    parser.add_argument('--learning-rate', type=float, default=1e-3)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--workers', type=int, default=0)
    parser.add_argument('--every', type=int, default=8, help='damage every n-th test frame')
    parser.add_argument('--cost-rounds', type=int, default=9)
    parser.add_argument('--only', action='append', choices=ARMS, help='train these arms alone')
    parser.add_argument('--write', action='store_true', help='only write the tables')
    return parser.parse_args()


if __name__ == '__main__':
    main()

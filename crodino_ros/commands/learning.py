"""`crodino train` and `evaluate`. Torch is imported only where it is needed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.evaluation.evaluate import check_protocol, evaluate_bundle, needs_logits
from crodino_core.modality import Modality
from crodino_core.rgbd_folder import RgbdFolder
from crodino_core.runtime.engines import load_engines
from crodino_core.variants import FLOAT32, parse_resolution
from crodino_ros.commands.options import (
    EngineOption,
    ExactOption,
    JsonOption,
    ModelOption,
    PrecisionOption,
    ResolutionOption,
    ThreadsOption,
    console,
    default_model,
    out_option,
    print_json,
    say_passed_over,
)

STATES_IN_A_TABLE = 6
"""That many columns fit a terminal of 80 characters."""


def train(
    config: Annotated[Path, typer.Argument(help='A training configuration (YAML).')],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar='[KEY=VALUE]...', help='Settings to change.')
    ] = None,
    out: Annotated[Path | None, out_option('Run folder.', 'runs/NAME')] = None,
    resume: Annotated[bool, typer.Option('--resume', help='Go on where the run stopped.')] = False,
) -> None:
    """Train the networks of both modalities together."""
    require_training()
    from crodino_core.learning import processes
    from crodino_core.learning.config import load_config
    from crodino_core.learning.train import train as run_training

    settings = load_config(config, overrides or [])
    run = out or Path('runs') / settings.name
    best = run_training(settings, run, resume, config)
    if not processes.is_first():
        return
    scores = ', '.join(f'{name} {score:.1f}' for name, score in best.items())
    console.print(f'best validation mIoU: {scores}')
    if best.keys() == set(map(str, Modality)):  # a fusion network is no bundle
        console.print(f'next: crodino export {run} --out models/NAME')


def evaluate(
    data: Annotated[Path, typer.Option('--data', help='Data set in the folder format.')],
    model: ModelOption = None,
    protocol: Annotated[str, typer.Option(help='clean, emm, rmm or nm.')] = 'clean',
    split: Annotated[str, typer.Option('--split')] = 'test',
    policy: Annotated[
        str | None,
        typer.Option(
            help='What serves both sensors: prefer or average in emm; average in rmm and nm, '
            'beside each network alone.',
            show_default='prefer in emm, else none',
        ),
    ] = None,
    prefer: Annotated[
        Modality | None,
        typer.Option(help='Sensor that emm with the policy prefer serves.', show_default='rgb'),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help='Of the damage in rmm and nm.')] = 0,
    engine: EngineOption = 'auto',
    precision: PrecisionOption = FLOAT32,
    resolution: ResolutionOption = '',
    exact: ExactOption = False,
    threads: ThreadsOption = None,
    confusion: Annotated[
        bool, typer.Option('--confusion', help='Show what is taken for what (always in --json).')
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Score a bundle on a data set, whole or with a modality missing or noisy."""
    bundle = ModelBundle.load(model or default_model(), precision, parse_resolution(resolution))
    report = score_bundle(
        bundle,
        data,
        split,
        protocol,
        policy=policy,
        prefer=prefer,
        seed=seed,
        engine=engine,
        threads=threads,
        exact=exact,
    )
    say_passed_over(report['engine']['passed_over'])
    if as_json:
        print_json(report)
        return
    _print_report(report)
    for state in report['scores'] if confusion else ():
        _print_confusion(report, state)


def score_bundle(
    bundle: ModelBundle,
    data: Path,
    split: str,
    protocol: str,
    *,
    policy: str | None = None,
    prefer: Modality | None = None,
    seed: int = 0,
    engine: str = 'auto',
    threads: int | None = None,
    exact: bool = False,
) -> dict[str, Any]:
    """Score a bundle's chosen networks by a protocol; see `evaluate_bundle`."""
    check_protocol(protocol, policy, prefer)
    folder = RgbdFolder(data)
    loaded = load_engines(bundle, engine, threads, needs_logits(protocol, policy), exact)
    report = evaluate_bundle(
        bundle, loaded.engines, folder, split, protocol, policy=policy, prefer=prefer, seed=seed
    )
    return report | {'engine': loaded.describe()}


def _print_report(report: dict[str, Any]) -> None:
    title = (
        f'{report["model"]} on {report["data"]} {report["split"]}, {report["frames"]} frames, '
        f'{report["protocol"]}' + (f', policy {report["policy"]}' if report['policy'] else '')
    )
    states = list(report['scores'].items())
    for start in range(0, len(states), STATES_IN_A_TABLE):
        part = dict(states[start : start + STATES_IN_A_TABLE])
        _print_scores(title, report['classes'], part)
    for key, value in report['summary'].items():
        console.print(f'{key.replace("_", " ")}: {_percent(value)}')
    engine = report['engine']
    words = f'engine: {engine["name"]} {engine["version"]}, {engine["device"]}'
    console.print(words, markup=False, highlight=False)


def _print_scores(title: str, classes: list[str], states: dict[str, dict[str, Any]]) -> None:
    table = Table('', *states, title=title)
    for key in ('miou', 'pixel_accuracy', 'mean_class_accuracy'):
        table.add_row(key.replace('_', ' '), *(_percent(s[key]) for s in states.values()))
    for key, words in (('iou', 'IoU'), ('accuracy', 'accuracy')):
        table.add_section()
        for name in classes:
            table.add_row(f'{words} {name}', *(_percent(s[key][name]) for s in states.values()))
    console.print(table)


def _print_confusion(report: dict[str, Any], state: str) -> None:
    """Print where the pixels of each class went, percent of the class; `-` below a half."""
    numbers = [str(index) for index in range(len(report['classes']))]
    table = Table('%', *numbers, 'none', title=f'{state}: predicted', padding=(0, 0))
    counts = report['scores'][state]['confusion']
    for number, name, row in zip(numbers, report['classes'], counts, strict=True):
        shares = [round(100 * count / max(1, sum(row))) for count in row]
        table.add_row(f'{number} {name}', *(str(share) if share else '-' for share in shares))
    console.print(table)


def _percent(value: float | None) -> str:
    return '-' if value is None else f'{value:.1f}'


def require_training() -> None:
    """Refuse to go on where the training tools are not installed.

    :raises CrodinoError: says which, and how to get them.
    """
    missing = [
        name for name in (
            *('torch', 'torchvision', 'torchmetrics', 'pydantic', 'onnx'),
            *('onnxruntime', 'matplotlib', 'tensorboard'),  # imported late
        )
        if importlib.util.find_spec(name) is None
    ]  # fmt: skip
    if missing:
        raise CrodinoError(
            f'training and export need {", ".join(missing)}, which is not installed; '
            "install it with: pip install 'crodino_ros[train]'"
        )

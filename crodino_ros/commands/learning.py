"""`crodino train`, `evaluate` and `export`. Torch is imported only where it is needed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from crodino_core.bundle import ModelBundle
from crodino_core.errors import CrodinoError
from crodino_core.evaluation.evaluate import evaluate_bundle
from crodino_core.rgbd_folder import RgbdFolder
from crodino_core.runtime.arbiter import FUSING
from crodino_core.runtime.engines import load_engines
from crodino_ros.commands.options import (
    EngineOption,
    JsonOption,
    ModelOption,
    ThreadsOption,
    console,
    default_model,
    print_json,
)


def train(
    config: Annotated[Path, typer.Argument(help='A training configuration (YAML).')],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar='[KEY=VALUE]...', help='Settings to change.')
    ] = None,
    out: Annotated[
        Path | None, typer.Option('--out', help='Run folder. [default: runs/NAME]')
    ] = None,
    resume: Annotated[bool, typer.Option('--resume', help='Go on where the run stopped.')] = False,
) -> None:
    """Train the networks of both modalities together."""
    _require_training()
    from crodino_core.learning.config import load_config
    from crodino_core.learning.train import train as run_training

    settings = load_config(config, overrides or [])
    run = out or Path('runs') / settings.name
    best = run_training(settings, run, resume)
    scores = ', '.join(f'{name} {score:.1f}' for name, score in best.items())
    console.print(f'best validation mIoU: {scores}\nnext: crodino export {run} --out models/NAME')


def export(
    run: Annotated[Path, typer.Argument(help='Folder of a training run.')],
    out: Annotated[Path, typer.Option('--out', help='Bundle folder to make.')],
    data: Annotated[
        Path | None,
        typer.Option('--data', help='Data set folder whose test split the bundle is scored on.'),
    ] = None,
    split: Annotated[str, typer.Option('--split')] = 'test',
) -> None:
    """Write a training run's networks as a model bundle, checked against torch."""
    _require_training()
    from crodino_core.learning.export import export_run

    bundle = export_run(run, out)
    if data is not None:
        report = _evaluate(bundle, data, split, 'clean')
        scores = {name: round(figures['miou'], 2) for name, figures in report['scores'].items()}
        bundle = bundle.with_scores({f'{split}_miou': {'data': report['data'], **scores}})
    console.print(f'bundle: {out}', soft_wrap=True)
    for name, value in bundle.scores.items():
        console.print(f'  {name}: {value}', markup=False)


def evaluate(
    data: Annotated[Path, typer.Option('--data', help='Data set in the folder format.')],
    model: ModelOption = None,
    protocol: Annotated[str, typer.Option(help='clean, emm, rmm or nm.')] = 'clean',
    split: Annotated[str, typer.Option('--split')] = 'test',
    policy: Annotated[
        str, typer.Option(help='What serves both sensors in emm: prefer, average or best.')
    ] = 'prefer',
    engine: EngineOption = 'auto',
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a bundle on a data set, whole or with a modality missing or noisy."""
    bundle = ModelBundle.load(model or default_model())
    report = _evaluate(bundle, data, split, protocol, policy, engine, threads)
    if as_json:
        print_json(report)
    else:
        _print_report(report)


def _evaluate(
    bundle: ModelBundle,
    data: Path,
    split: str,
    protocol: str,
    policy: str = 'prefer',
    engine: str = 'auto',
    threads: int | None = None,
) -> dict[str, Any]:
    folder = RgbdFolder(data)
    loaded = load_engines(bundle, engine, threads, logits=policy in FUSING)
    report = evaluate_bundle(bundle, loaded.engines, folder, split, protocol, policy=policy)
    return report | {'engine': loaded.describe()}


def _print_report(report: dict[str, Any]) -> None:
    states = report['scores']
    title = (
        f'{report["model"]} on {report["data"]} {report["split"]}, {report["frames"]} frames, '
        f'{report["protocol"]}'
    )
    table = Table('', *states, title=title)
    for key in ('miou', 'pixel_accuracy', 'mean_class_accuracy'):
        table.add_row(key.replace('_', ' '), *(_percent(s[key]) for s in states.values()))
    table.add_section()
    for name in report['classes']:
        table.add_row(name, *(_percent(s['iou'][name]) for s in states.values()))
    console.print(table)
    for key, value in report['summary'].items():
        console.print(f'{key.replace("_", " ")}: {_percent(value)}')


def _percent(value: float | None) -> str:
    return '-' if value is None else f'{value:.1f}'


def _require_training() -> None:
    missing = [
        name for name in ('torch', 'torchvision', 'torchmetrics', 'pydantic', 'onnx')
        if importlib.util.find_spec(name) is None
    ]  # fmt: skip
    if missing:
        raise CrodinoError(
            f'training and export need {", ".join(missing)}, which is not installed; '
            "install it with: pip install 'crodino_ros[train]'"
        )

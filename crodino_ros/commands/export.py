"""`crodino export`: from a training run to a bundle, and further precisions of a bundle."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from crodino_core.bundle import DESCRIPTION_FILE, ModelBundle
from crodino_core.errors import CrodinoError, UsageError
from crodino_core.resources import model_path
from crodino_core.rgbd_folder import RgbdFolder
from crodino_core.variants import parse_resolution
from crodino_ros.commands.learning import require_training, score_bundle
from crodino_ros.commands.options import console, notes, out_option

DEFAULT_MAX_LOSS = 1.0
FRAMES = 64


def export(
    source: Annotated[
        Path,
        typer.Argument(
            parser=model_path,
            metavar='RUN|BUNDLE',
            help='Folder of a training run, or a bundle to add a precision to.',
        ),
    ],
    out: Annotated[Path | None, out_option('Bundle folder to make of a training run.')] = None,
    resolution: Annotated[
        list[str] | None,
        typer.Option(
            '--resolution',
            metavar='HEIGHTxWIDTH',
            help='Of a run: also networks that work at this size (may be repeated).',
        ),
    ] = None,
    fp16: Annotated[bool, typer.Option('--fp16', help='Also fp16 networks, for GPUs.')] = False,
    int8: Annotated[bool, typer.Option('--int8', help='Also int8 networks.')] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            '--calibrate', metavar='DIR|BAG', help='int8: a data set (its train split) or a bag.'
        ),
    ] = None,
    frames: Annotated[
        int, typer.Option('--frames', min=1, help='int8: frames of each sensor to calibrate with.')
    ] = FRAMES,
    max_loss: Annotated[
        float | None,
        typer.Option(
            '--max-loss',
            min=0.0,
            help='int8: points of mIoU that may be lost; more, and nothing is written.',
            show_default=f'{DEFAULT_MAX_LOSS:g}',
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            '--data',
            help='Labelled data set to score on.',
            show_default='with --int8: that of --calibrate',
        ),
    ] = None,
    split: Annotated[str, typer.Option('--split', help='Of the data set to score on.')] = 'test',
) -> None:
    """Write a training run as a model bundle, or add fp16 or int8 networks to a bundle."""
    is_bundle = (source / DESCRIPTION_FILE).is_file()
    _check_usage(source, is_bundle, out, resolution, fp16, int8, calibrate, max_loss)
    if is_bundle:
        bundle = ModelBundle.load(source)
    else:
        assert out is not None
        bundle = _of_run(source, out, resolution or [], data, split)
    if fp16:
        bundle = _add_fp16(bundle)
    if int8:
        assert calibrate is not None
        bundle = _add_int8(bundle, calibrate, frames, max_loss, data, split)
    console.print(f'bundle: {bundle.path}', soft_wrap=True)
    for name, value in bundle.scores.items():
        console.print(f'  {name}: {value}', markup=False)
    for variant in bundle.variants:
        console.print(f'  {variant}: {dict(variant.facts)}', markup=False)


def _check_usage(
    source: Path,
    is_bundle: bool,
    out: Path | None,
    resolution: list[str] | None,
    fp16: bool,
    int8: bool,
    calibrate: Path | None,
    max_loss: float | None,
) -> None:
    if int8 and calibrate is None:
        raise UsageError('int8 needs calibration frames; give a data set or a bag: --calibrate')
    if not int8 and (calibrate is not None or max_loss is not None):
        raise UsageError('--calibrate and --max-loss are for int8 networks; add --int8')
    if not is_bundle:
        if out is None:
            raise UsageError(f'{source} is exported into a new bundle; name it with --out DIR')
        return
    if out is not None or resolution:
        raise UsageError(
            f'{source} is a bundle: precisions are added in place, and networks of another '
            'resolution are made of the training run; --out and --resolution do not apply'
        )
    if not fp16 and not int8:
        raise UsageError(f'{source} is a bundle; --fp16 or --int8 was expected')


def _of_run(
    run: Path, out: Path, resolutions: list[str], data: Path | None, split: str
) -> ModelBundle:
    require_training()
    from crodino_core.learning.export import export_run

    sizes = [size for size in map(parse_resolution, resolutions) if size]
    bundle = export_run(run, out, sizes)
    if data is None:
        return bundle
    report = score_bundle(bundle, data, split, 'clean')
    scores = {name: round(figures['miou'], 2) for name, figures in report['scores'].items()}
    return bundle.with_scores({f'{split}_miou': {'data': report['data'], **scores}})


def _add_fp16(bundle: ModelBundle) -> ModelBundle:
    _require_onnx()
    from crodino_ros.precision_export import add_fp16

    return add_fp16(bundle)


def _add_int8(
    bundle: ModelBundle,
    calibrate: Path,
    frames: int,
    max_loss: float | None,
    data: Path | None,
    split: str,
) -> ModelBundle:
    _require_onnx()
    from crodino_ros.calibration_frames import CALIBRATION_SPLIT, calibration_frames, is_data_set
    from crodino_ros.precision_export import add_int8, score_on

    images = calibration_frames(calibrate, bundle, frames)
    calibrated_on = calibrate.resolve().name
    if is_data_set(calibrate):
        calibrated_on += f' {CALIBRATION_SPLIT}'
        data = data or calibrate
    if data is None:
        if max_loss is not None:
            raise UsageError(
                f'{calibrate} has no labels to measure the loss with; name labelled data: --data'
            )
        notes.print('the loss of mIoU is not measured: no labelled data was named (--data)')
        return add_int8(bundle, images, calibrated_on, None)
    folder = RgbdFolder(data)
    return add_int8(
        bundle,
        images,
        calibrated_on,
        score_on(folder, split),
        f'{folder.path.resolve().name} {split}',
        DEFAULT_MAX_LOSS if max_loss is None else max_loss,
    )


def _require_onnx() -> None:
    missing = [name for name in ('onnx', 'onnxruntime') if importlib.util.find_spec(name) is None]
    if missing:
        raise CrodinoError(
            f'fp16 and int8 networks are made with {" and ".join(missing)}, which is not '
            "installed; install it with: pip install 'crodino_ros[onnxruntime]'"
        )

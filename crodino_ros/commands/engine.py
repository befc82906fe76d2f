"""`crodino engine build` and `info`: TensorRT engines before the robot needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from crodino_core.bundle import ModelBundle, sha256_of
from crodino_core.modality import Modality
from crodino_core.resources import DEFAULT_MODEL, model_path
from crodino_core.runtime.engines import TensorRtSettings, load_engines
from crodino_core.runtime.engines.engine_cache import (
    CachedEngine,
    EngineCache,
    StaleEngineError,
)
from crodino_core.runtime.engines.tensorrt_settings import say_on_stderr
from crodino_core.variants import FLOAT32, parse_resolution
from crodino_ros.commands.options import (
    ExactOption,
    JsonOption,
    PrecisionOption,
    ResolutionOption,
    console,
    default_model,
    output_folder,
    print_json,
)

app = typer.Typer(help='Built TensorRT engines.', no_args_is_help=True)

BundleArgument = Annotated[
    Path | None,
    typer.Argument(
        parser=model_path,
        metavar='[DIR|NAME]',
        help='Model bundle: its folder, or the name of one that ships.',
        show_default=DEFAULT_MODEL,
    ),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        '--engine-cache',
        parser=output_folder,
        metavar='DIR',
        help='Folder of engines.',
        show_default='the user cache folder',
    ),
]


@app.command()
def build(
    bundle: BundleArgument = None,
    precision: PrecisionOption = FLOAT32,
    resolution: ResolutionOption = '',
    height: Annotated[int, typer.Option(min=16, help='Of the images of the camera.')] = 480,
    width: Annotated[int, typer.Option(min=16)] = 640,
    engine_cache: CacheOption = None,
    workspace: Annotated[
        int, typer.Option(min=1, help='MiB for the scratch space of one layer.')
    ] = TensorRtSettings.workspace_mib,
    dla_core: Annotated[
        int | None, typer.Option('--dla', min=0, help='Core of the deep learning accelerator.')
    ] = None,
    version_compatible: Annotated[
        bool, typer.Option('--version-compatible', help='Usable by later TensorRT; slower.')
    ] = False,
    hardware_compatible: Annotated[
        bool, typer.Option('--hardware-compatible', help='Usable on any GPU since Ampere; slower.')
    ] = False,
    logits: Annotated[
        bool, typer.Option('--logits', help='For the policies average and best.')
    ] = False,
    exact: ExactOption = False,
    force: Annotated[bool, typer.Option('--force', help='Build even if one is there.')] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the engines of a bundle for this GPU, check them against the CPU, and exit."""
    settings = TensorRtSettings(
        cache=engine_cache,
        workspace_mib=workspace,
        dla_core=dla_core,
        version_compatible=version_compatible,
        hardware_compatible=hardware_compatible,
        rebuild=force,
    )
    model = ModelBundle.load(bundle or default_model(), precision, parse_resolution(resolution))
    sizes = dict.fromkeys(Modality, (height, width))
    loaded = load_engines(
        model, 'tensorrt', logits=logits, exact=exact, sizes=sizes, tensorrt=settings
    )
    found = _entries(model, EngineCache(engine_cache, say_on_stderr))
    _print({**loaded.describe(), **found}, as_json)


@app.command()
def info(
    bundle: BundleArgument = None,
    engine_cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which engines of a bundle are kept, what each was built for, and what it scored."""
    model = ModelBundle.load(bundle or default_model())
    _print(_entries(model, EngineCache(engine_cache, say_on_stderr)), as_json)


def _entries(model: ModelBundle, cache: EngineCache) -> dict[str, Any]:
    networks = {sha256_of(path): path.name for path in sorted(model.path.glob('*.onnx'))}
    engines = [
        _facts(entry, networks[entry.key.onnx_sha256])
        for entry in cache.entries()
        if entry.key.onnx_sha256 in networks
    ]
    return {'model': model.name, 'folder': str(cache.folder), 'engines': engines}


def _facts(entry: CachedEngine, network: str) -> dict[str, Any]:
    try:
        entry.read()
        state = 'whole'
    except StaleEngineError as error:
        state = str(error)
    return {
        'file': entry.path.name,
        'network': network,
        'state': state,
        **entry.key.to_json(),
        **entry.facts,
    }


def _print(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if not found['engines']:
        console.print(
            f'no engine of {found["model"]} in {found["folder"]}; build them with: '
            'crodino engine build',
            markup=False,
            soft_wrap=True,
        )
    for facts in found['engines']:
        table = Table(facts['file'], '', box=None, padding=(0, 2, 0, 0), title_justify='left')
        for name, value in facts.items():
            if name != 'file':
                table.add_row(name.replace('_', ' '), escape(str(value)))
        console.print(table)

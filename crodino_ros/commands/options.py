"""Options that several commands share, and how they print."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from crodino_core.resources import DEFAULT_MODEL, model_path, share_directory
from crodino_core.runtime.engines import AUTO, ENGINE_NAMES
from crodino_core.variants import PRECISIONS


def output_folder(path: str | Path) -> Path:
    """Take a folder to write to as it was given.

    :raises typer.BadParameter: nothing was given, which would be the working folder to `Path`.
    """
    if not str(path).strip():
        raise typer.BadParameter(
            'the path is empty, as of a shell variable that is not set; a folder was expected'
        )
    return Path(path)


def out_option(help_text: str, default: str | bool = True) -> Any:
    """Make the option `--out DIR` of a command.

    :param default: what the help says of it, where it is not a folder's name.
    """
    return typer.Option(
        '--out', parser=output_folder, metavar='DIR', help=help_text, show_default=default
    )


JsonOption = Annotated[
    bool, typer.Option('--json', help='Print one JSON object on stdout, all else on stderr.')
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        '--model',
        parser=model_path,
        metavar='DIR|NAME',
        help='Model bundle: its folder, or the name of one that ships.',
        show_default=DEFAULT_MODEL,
    ),
]
EngineOption = Annotated[
    str,
    typer.Option('--engine', metavar='NAME', help=f'{AUTO}, {", ".join(ENGINE_NAMES)}.'),
]
PrecisionOption = Annotated[
    str, typer.Option('--precision', metavar='|'.join(PRECISIONS), help='Of the networks.')
]
ResolutionOption = Annotated[
    str,
    typer.Option(
        '--resolution',
        metavar='HEIGHTxWIDTH',
        help='That the networks work at, if the bundle has several.',
        show_default="the bundle's first",
    ),
]
ExactOption = Annotated[
    bool,
    typer.Option(
        '--exact',
        help='Compute in float32, also where the processor is faster in bfloat16 or TF32.',
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        '--threads', min=1, help='CPU threads of the engine.', show_default="the engine's choice"
    ),
]

GPU_ENGINES = ('tensorrt', 'onnxruntime-gpu')
INTERRUPTED = 130
"""Exit code after SIGINT, as shells have it."""


@contextmanager
def tidy_on_sigterm() -> Iterator[None]:
    """Have SIGTERM end the command as Ctrl-C does, so that nothing half-written stays."""

    def end(number: int, _: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


console = Console()
notes = Console(stderr=True)


def default_model() -> Path:
    """Folder of the bundle that ships with the package."""
    return share_directory() / 'models' / DEFAULT_MODEL


def say_passed_over(engines: Mapping[str, str]) -> None:
    """Say on stderr which engines could not be used, those for GPUs only where there is one.

    :param engines: why, by name.
    """
    for name, why in engines.items():
        if name in GPU_ENGINES and not _has_gpu():
            continue
        words = f'{name} was passed over: {why}'
        notes.print(words, markup=False, highlight=False, soft_wrap=True)


def _has_gpu() -> bool:
    """Whether the machine has an NVIDIA GPU, by its devices: no library need be there for it."""
    return any(next(Path('/dev').glob(name), None) for name in ('nvidia*', 'nvhost-*', 'dxg'))


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    typer.echo(json.dumps(content, allow_nan=False))

"""The command line `crodino`."""

from __future__ import annotations

import errno
import sys
from typing import Annotated

import typer

from crodino_core import __version__
from crodino_core.errors import CrodinoError
from crodino_ros.commands import (
    bench,
    calibration,
    data,
    engine,
    export,
    failures,
    learning,
    live,
    replay,
    scenario,
)

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a write, with which the kernel does not say which file it was."""


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f'crodino_ros {__version__}')
        raise typer.Exit


app = typer.Typer(
    name='crodino',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command('demo')(live.demo)
app.command('segment')(live.segment)
app.command('replay')(replay.replay)
app.command('train')(learning.train)
app.command('evaluate')(learning.evaluate)
app.command('export')(export.export)
app.command('calibrate')(calibration.calibrate)
app.command('bench')(bench.bench)
app.command('evaluate-failures')(failures.evaluate_failures)
app.add_typer(engine.app, name='engine')
app.add_typer(scenario.app, name='scenario')
app.add_typer(data.app, name='data')


@app.callback()
def crodino(
    version: Annotated[
        bool,
        typer.Option(
            '--version', callback=_print_version, is_eager=True, help='Show the version.'
        ),
    ] = False,
) -> None:
    """Segmentation masks that survive a dead camera or depth sensor."""


def main() -> None:
    """Run the command line; an error for the user is one line and an exit code."""
    try:
        app()
    except CrodinoError as error:
        # In one write: several processes of torchrun share the terminal.
        print(f'crodino: {error}\n', end='', file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:  # a disk that is full, a folder that is read-only
        if error.filename is None and error.errno not in NO_ROOM:
            raise
        what = error.filename or 'the disk of the results'
        reason = error.strerror or type(error).__name__
        print(f'crodino: {what} cannot be used: {reason}', file=sys.stderr)
        sys.exit(CrodinoError.exit_code)


if __name__ == '__main__':
    main()

"""The files of a model bundle: hashed, checked, and replaced in one step."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crodino_core.errors import CrodinoError
from crodino_core.whole_files import put_in_place

DESCRIPTION_FILE = 'model.yaml'


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a folder to fill, which then takes the place of a bundle's in one step.

    :raises CrodinoError: what is there is not a bundle.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    occupied = path.is_file() or (path.is_dir() and any(path.iterdir()))
    if occupied and not (path / DESCRIPTION_FILE).is_file():
        raise CrodinoError(
            f'{path} exists and is not a model bundle; name a new folder for the bundle'
        )
    scratch = Path(tempfile.mkdtemp(prefix=f'.{path.name}-', dir=path.parent))
    staging = scratch / 'new'
    try:
        staging.mkdir()
        yield staging
        put_in_place(staging, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_digest(file: Path, expected: str) -> None:
    """Compare a network with its recorded sha256.

    :raises CrodinoError: it is missing or its sha256 differs.
    """
    if not file.is_file():
        raise CrodinoError(
            f'the bundle {file.parent} lacks {file.name}; copy the whole folder again '
            'or export it anew'
        )
    found = sha256_of(file)
    if found != expected:
        raise CrodinoError(
            f'{file} is damaged or was replaced: its sha256 is {found}, '
            f'{DESCRIPTION_FILE} says {expected}; '
            'copy the bundle again or export it anew'
        )


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    digest = hashlib.sha256()
    with path.open('rb') as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

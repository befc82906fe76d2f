"""Files and folders that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def write_whole(contents: Mapping[Path, str | bytes]) -> None:
    """Write files (text in UTF-8) beside their targets, and rename them once all are written.

    So a full disk leaves none of them behind, and none of the files they replace is harmed.

    :raises OSError: one of them cannot be written; its `filename` says which.
    """
    written: dict[Path, str] = {}
    try:
        for path, content in contents.items():
            descriptor, name = tempfile.mkstemp(prefix=f'.{path.name}-', dir=path.parent)
            written[path] = name
            try:
                with os.fdopen(descriptor, 'wb') as stream:
                    stream.write(content.encode() if isinstance(content, str) else content)
            except OSError as error:  # of a full disk the kernel does not say where
                error.filename = str(path)
                raise
            os.chmod(name, 0o644)
        for path, name in written.items():
            os.replace(name, path)
    finally:
        for name in written.values():
            with suppress(FileNotFoundError):  # it was renamed
                os.unlink(name)


def put_in_place(new: Path, path: Path) -> None:
    """Rename a finished folder to where an earlier one may lie; where that fails, it stays there.

    :param new: in a scratch folder on the same file system, which the caller removes afterwards;
        the earlier folder is moved there.
    :raises OSError: it cannot be renamed.
    """
    old = new.with_name(f'{new.name}.old')
    try:
        if os.path.lexists(path):  # a link that leads nowhere, too
            path.rename(old)
        new.rename(path)
    except BaseException:  # an interrupt, too
        if os.path.lexists(old) and not os.path.lexists(path):
            old.rename(path)
        raise

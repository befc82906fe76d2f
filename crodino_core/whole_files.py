"""Text files that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def write_whole(texts: Mapping[Path, str]) -> None:
    """Write text files (UTF-8) beside their targets, and rename them once all are written.

    So a full disk leaves none of them behind, and none of the files they replace is harmed.

    :raises OSError: one of them cannot be written.
    """
    written: dict[Path, str] = {}
    try:
        for path, text in texts.items():
            descriptor, name = tempfile.mkstemp(prefix=f'.{path.name}-', dir=path.parent)
            written[path] = name
            with os.fdopen(descriptor, 'w', encoding='utf-8', newline='') as stream:
                stream.write(text)
            os.chmod(name, 0o644)
        for path, name in written.items():
            os.replace(name, path)
    finally:
        for name in written.values():
            with suppress(FileNotFoundError):  # it was renamed
                os.unlink(name)

"""Files that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def write_whole(contents: Mapping[Path, str | bytes]) -> None:
    """Write files (text in UTF-8) beside their targets, and rename them once all are written.

    So a full disk leaves none of them behind, and none of the files they replace is harmed.

    :raises OSError: one of them cannot be written.
    """
    written: dict[Path, str] = {}
    try:
        for path, content in contents.items():
            descriptor, name = tempfile.mkstemp(prefix=f'.{path.name}-', dir=path.parent)
            written[path] = name
            with os.fdopen(descriptor, 'wb') as stream:
                stream.write(content.encode() if isinstance(content, str) else content)
            os.chmod(name, 0o644)
        for path, name in written.items():
            os.replace(name, path)
    finally:
        for name in written.values():
            with suppress(FileNotFoundError):  # it was renamed
                os.unlink(name)

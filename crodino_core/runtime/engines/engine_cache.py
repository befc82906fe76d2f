"""Built engines on disk: found only when they fit, written whole, built once by many processes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crodino_core.errors import CrodinoError
from crodino_core.runtime.engines.engine_key import EngineKey
from crodino_core.whole_files import write_whole


class StaleEngineError(CrodinoError):
    """An engine file is of no use here; a new one may be."""


@dataclass(frozen=True)
class CachedEngine:
    """An engine file and what its sidecar says."""

    path: Path
    key: EngineKey
    facts: dict[str, Any]
    """How it was made: 'build_s', 'agreement' with the CPU, 'rejected' (a reason, or absent)."""
    sha256: str

    def read(self) -> bytes:
        """Return the engine.

        :raises StaleEngineError: the file is missing or its content is not what was written.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise StaleEngineError(f'{self.path} cannot be read: {error.strerror}') from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise StaleEngineError(f'{self.path} is damaged: its sha256 is not the recorded one')
        return content


def default_folder() -> Path:
    """Return the user's folder for engines (XDG base directory specification)."""
    base = os.environ.get('XDG_CACHE_HOME', '')
    return (Path(base) if os.path.isabs(base) else Path.home() / '.cache') / 'crodino' / 'engines'


class EngineCache:
    """A folder of engines, each with a sidecar `<engine>.json`."""

    def __init__(self, folder: Path | None, say: Callable[[str], object]) -> None:
        """Open the folder; where it cannot be written, a temporary one serves, and `say` hears it.

        :param folder: None: `default_folder()`.
        :raises CrodinoError: no temporary folder can be written either.
        """
        self._say = say
        self.folder = (folder or default_folder()).expanduser()
        problem = _why_not_writable(self.folder)
        if problem:
            wanted = self.folder
            self.folder = Path(tempfile.gettempdir()) / f'crodino-{os.getuid()}'
            say(
                f'the engine cache {wanted} cannot be written ({problem}); engines are kept in '
                f'{self.folder}, which may not outlive a restart: name another with engine_cache'
            )
            problem = _why_not_writable(self.folder)
            if problem:
                raise CrodinoError(f'no engine cache: {self.folder} cannot be written ({problem})')
            if self.folder.stat().st_uid != os.getuid():  # an engine is code
                raise CrodinoError(f'no engine cache: {self.folder} belongs to another user')

    def find(self, stem: str, key: EngineKey) -> CachedEngine | str:
        """Return the engine for a key, or the reason why there is none."""
        path = self.folder / key.file_name(stem)
        entry = self._entry(path)
        if isinstance(entry, CachedEngine):
            differences = key.differences(entry.key)
            return '; '.join(differences) if differences else entry
        if path.exists():
            return entry
        return self._nearest(stem, key)

    def store(
        self, stem: str, key: EngineKey, engine: bytes, facts: dict[str, Any]
    ) -> CachedEngine:
        """Write an engine; the sidecar comes last, so what is found is whole."""
        path = self.folder / key.file_name(stem)
        digest = hashlib.sha256(engine).hexdigest()
        record = {'key': key.to_json(), 'sha256': digest, 'bytes': len(engine), **facts}
        _sidecar(path).unlink(missing_ok=True)
        self.write(path, engine)
        self.write(_sidecar(path), json.dumps(record, indent=1).encode())
        return CachedEngine(path, key, facts, digest)

    def entries(self) -> list[CachedEngine]:
        """Return every engine that has a readable sidecar, by name."""
        found = (self._entry(path) for path in sorted(self.folder.glob('*.engine')))
        return [entry for entry in found if isinstance(entry, CachedEngine)]

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Keep other processes from building the same engine; freed also when this one dies."""
        with (self.folder / f'{name}.lock').open('ab') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say(f'another process is building {name}; waiting for it')
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def write(self, path: Path, content: bytes) -> None:
        """Write a file of the folder in one step.

        :raises CrodinoError: it cannot be written, e.g. because the disk is full.
        """
        try:
            write_whole({path: content})
        except OSError as error:
            raise CrodinoError(
                f'{path} cannot be written: {error.strerror}; make room, or name another folder '
                'with engine_cache'
            ) from error

    def _entry(self, path: Path) -> CachedEngine | str:
        sidecar = _sidecar(path)
        try:
            content = json.loads(sidecar.read_text())
            key, digest = EngineKey.from_json(content.pop('key')), str(content.pop('sha256'))
        except FileNotFoundError:
            return f'{path.name} has no {sidecar.name} beside it'
        except (OSError, KeyError, TypeError, ValueError, AttributeError):
            return f'{sidecar.name} is damaged'
        return CachedEngine(path, key, content, digest)

    def _nearest(self, stem: str, key: EngineKey) -> str:
        """Say what keeps the most similar engine from being used."""
        nearest = min(
            (
                key.differences(entry.key)
                for entry in self.entries()
                if entry.path.name.startswith(f'{stem}-')
            ),
            key=len,
            default=None,
        )
        return 'none was built yet' if nearest is None else '; '.join(nearest)


def _sidecar(path: Path) -> Path:
    return path.with_name(f'{path.name}.json')


def _why_not_writable(folder: Path) -> str:
    """Say why files cannot be made in a folder; empty if they can. The folder is made."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ''
    except OSError as error:
        return error.strerror or type(error).__name__

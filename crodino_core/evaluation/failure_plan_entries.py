"""The entries of a failure plan: what each may say, and where it is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from crodino_core.errors import UsageError
from crodino_core.evaluation.failure_job import CLEAN, BagEntry, BundleEntry, PolicyEntry
from crodino_core.evaluation.scenario import Scenario, load_scenario, scenario_names
from crodino_core.known_words import check_keys, nearest
from crodino_core.modality import Modality
from crodino_core.runtime.arbiter import Arbiter
from crodino_core.runtime.engines import AUTO, ENGINE_NAMES
from crodino_core.variants import FLOAT32, check_precision, parse_resolution

ALL = 'all'
_ROLES = ('rgb', 'depth', 'label')
_Entry = TypeVar('_Entry', BagEntry, PolicyEntry, BundleEntry)


class PlanReader:
    """Reads the parts of a plan; its errors say where they are."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(
        self,
        content: Mapping[str, Any],
        key: str,
        read: Callable[[Any, str], _Entry],
        default: list[Any] | None = None,
    ) -> tuple[_Entry, ...]:
        """Read a list whose entries have names; two of one name are an error."""
        where = f'{self._path}: {key}'
        found = content.get(key, default)
        if not isinstance(found, list) or not found:
            raise UsageError(f'{where} is {found!r}; a list with at least one entry was expected')
        entries = tuple(read(each, f'{where}, entry {n}') for n, each in enumerate(found, 1))
        name, count = Counter(entry.name for entry in entries).most_common(1)[0]
        if count > 1:
            raise UsageError(
                f'{where}: {count} entries are called {name!r}; give each a name of its own, '
                'e.g. {name: mine, ...}'
            )
        return entries

    def bag(self, value: Any, where: str) -> BagEntry:
        """Read a bag: a path, or a mapping with one."""
        path, options = self._located(value, where, ('path', 'name', 'topics'))
        topics = options.get('topics') or {}
        if not isinstance(topics, dict):
            raise UsageError(f'{where}: topics is {topics!r}; a mapping by role was expected')
        check_keys(topics, _ROLES, f'{where}: topics')
        topics = {role: str(topic) for role, topic in topics.items()}
        return BagEntry(str(options.get('name') or path.name), path, topics)

    def bundle(self, value: Any, where: str) -> BundleEntry:
        """Read a bundle: a path, or a mapping with one."""
        path, options = self._located(value, where, ('path', 'name', 'precision', 'resolution'))
        precision = str(options.get('precision') or FLOAT32)
        size = str(options.get('resolution') or '')
        try:
            check_precision(precision)
            resolution = parse_resolution(size)
        except UsageError as error:
            raise UsageError(f'{where}: {error}') from error
        chosen = [precision] if precision != FLOAT32 else []
        name = str(options.get('name') or ' '.join([path.name, *chosen, *size.split()]))
        return BundleEntry(name, path, precision, resolution)

    def policy(self, value: Any, where: str) -> PolicyEntry:
        """Read a policy: its name, or a mapping."""
        options = {'policy': value} if isinstance(value, str) else value
        if not isinstance(options, dict):
            raise UsageError(f'{where} is {value!r}; the name of a policy or a mapping expected')
        check_keys(options, ('name', 'policy', 'prefer', 'when_none'), where)
        prefer = options.get('prefer', Modality.RGB.value)
        sensors = [modality.value for modality in Modality]
        if prefer not in sensors:
            raise UsageError(f'{where} prefers {prefer!r}{nearest(prefer, sensors)}')
        chosen = {key: str(options[key]) for key in ('policy', 'when_none') if key in options}
        try:
            Arbiter(prefer=Modality(prefer), **chosen)
        except UsageError as error:
            raise UsageError(f'{where}: {error}') from error
        words = [chosen.get('policy', 'prefer'), *([prefer] if 'prefer' in options else [])]
        name = str(options.get('name') or ' '.join(words))
        return PolicyEntry(name, prefer=Modality(prefer), **chosen)

    def scenarios(self, value: Any) -> tuple[Scenario | None, ...]:
        """Read the list of scenarios, or `all`."""
        names = [CLEAN, *scenario_names()] if value == ALL else value
        if not isinstance(names, list) or not names:
            raise UsageError(
                f'{self._path}: scenarios is {value!r}; {ALL!r} or a list of names and files '
                'was expected'
            )
        found = [self._scenario(name, n) for n, name in enumerate(names, 1)]
        name, count = Counter(s.name if s else CLEAN for s in found).most_common(1)[0]
        if count > 1:
            raise UsageError(f'{self._path}: {count} scenarios are called {name!r}')
        return tuple(found)

    def _scenario(self, name: Any, number: int) -> Scenario | None:
        where = f'{self._path}: scenarios, entry {number}'
        if not isinstance(name, str):
            raise UsageError(f'{where} is {name!r}; the name of a scenario or a file expected')
        if name == CLEAN:
            return None
        if name.endswith(('.yaml', '.yml')):
            name = str(self._path.parent / name)
        try:
            return load_scenario(name)
        except UsageError as error:
            raise UsageError(f'{where}: {error}') from error

    def severities(self, value: Any) -> tuple[int | None, ...]:
        """Read the list of severities; None stands for those of the scenarios."""
        if value is None:
            return (None,)
        if (
            not isinstance(value, list)
            or not value
            or any(type(each) is not int or not 1 <= each <= 5 for each in value)
            or len(set(value)) < len(value)
        ):
            raise UsageError(
                f'{self._path}: severities is {value!r}; a list of different numbers from 1 '
                '(slight) to 5 (worst) was expected'
            )
        return tuple(value)

    def engine(self, value: Any) -> str:
        """Read the name of an engine."""
        known = [AUTO, *ENGINE_NAMES]
        if value not in known:
            raise UsageError(f'{self._path}: the engine is {value!r}{nearest(str(value), known)}')
        return str(value)

    def memory_mb(self, value: Any) -> int:
        """Read what a worker may keep, megabytes."""
        if type(value) is not int or value < 0:
            raise UsageError(f'{self._path}: memory_mb is {value!r}; megabytes (512) expected')
        return value

    def _located(
        self, value: Any, where: str, keys: tuple[str, ...]
    ) -> tuple[Path, dict[str, Any]]:
        """Return the path an entry names, and the entry as a mapping."""
        options = {'path': value} if isinstance(value, str) else value
        if not isinstance(options, dict) or not isinstance(options.get('path'), str):
            raise UsageError(f'{where} is {value!r}; a path or {{path: ...}} was expected')
        check_keys(options, keys, where)
        return self._path.parent / options['path'], options

"""What a training run says of itself: its configuration and what it ran with."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml

from crodino_core.environment import machine, versions
from crodino_core.errors import CrodinoError, UsageError
from crodino_core.learning import checkpoint, processes
from crodino_core.learning.config import TrainConfig, read_settings, to_yaml
from crodino_core.learning.run_log import METRICS_FILE
from crodino_core.whole_files import write_whole

CONFIG_FILE = 'config.yaml'
ENVIRONMENT_FILE = 'environment.yaml'
PACKAGES = (
    'torch', 'torchvision', 'torchmetrics', 'numpy', 'opencv-python-headless', 'pydantic',
)  # fmt: skip
FREE_ON_RESUME = ('device', 'data.workers', 'validate_every')
"""Settings that do not change how the weights move."""


def check_free(run: Path, config: TrainConfig, config_file: Path | None = None) -> None:
    """Refuse a folder in which a new run would write over something.

    What a run left that was broken off before its first checkpoint may be written over.

    :param config_file: where the configuration was read from.
    :raises CrodinoError: the folder holds a run, or files that are of none.
    :raises UsageError: its `config.yaml` is the file that was read, and would be changed.
    """
    if (run / checkpoint.LAST).exists():
        raise CrodinoError(f'{run} holds a run already; resume it or name another folder')
    if next(run.glob(checkpoint.best_name('*')), None) is not None:
        raise CrodinoError(
            f'{run} holds the networks of a run already, without {checkpoint.LAST} to resume it; '
            'remove the folder or name another one'
        )
    if run.exists() and not run.is_dir():
        raise CrodinoError(f'{run} is a file; the folder of a run was expected; name another one')
    if not run.exists() or not (found := sorted(path.name for path in run.iterdir())):
        return
    if not _is_broken_off(run):
        raise CrodinoError(
            f'{run} is no folder of a run and not empty (it has {found[0]}); a new or an empty '
            'folder was expected; name one with --out'
        )
    own = run / CONFIG_FILE
    is_read = config_file is not None and own.samefile(config_file)
    if is_read and own.read_text() != to_yaml(config):
        raise UsageError(
            f'{own} is the configuration that was read, and the run would write over it; name '
            'another folder with --out'
        )


def _is_broken_off(run: Path) -> bool:
    """Whether a run was begun there."""
    try:
        environment = yaml.safe_load((run / ENVIRONMENT_FILE).read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return False
    # Others have an environment.yaml, too.
    ours = isinstance(environment, dict) and 'command' in environment
    return ours and (run / CONFIG_FILE).is_file()


def begin(run: Path, config: TrainConfig) -> None:
    """Make the folder of a new run, which `check_free` has found free."""
    run.mkdir(parents=True, exist_ok=True)
    (run / METRICS_FILE).unlink(missing_ok=True)
    environment = yaml.safe_dump(_environment(), sort_keys=False)
    write_whole({run / CONFIG_FILE: to_yaml(config), run / ENVIRONMENT_FILE: environment})


def note_resumption(run: Path, step: int) -> None:
    """Add to environment.yaml what the run goes on with from a step."""
    path = run / ENVIRONMENT_FILE
    try:
        content = dict(yaml.safe_load(path.read_text()))
    except (OSError, TypeError, ValueError, yaml.YAMLError):
        content = {}  # it is there to be read by people, and shall not keep a run from going on
    content['resumed'] = [*(content.get('resumed') or []), {'step': step, **_environment()}]
    write_whole({path: yaml.safe_dump(content, sort_keys=False)})


def check_same_config(run: Path, config: TrainConfig) -> None:
    """Refuse to resume a run under other settings: the result would be that of neither.

    :raises UsageError: a setting differs that would change the numbers, or the run does not say
        which ones it has.
    """
    path = run / CONFIG_FILE
    if not path.is_file():
        raise UsageError(
            f'{path} does not exist, so that nobody can tell whether the run would go on with its '
            'own settings; put it back or start another run'
        )
    earlier = dict(_flatten(read_settings(path)))
    now = dict(_flatten(yaml.safe_load(to_yaml(config))))
    for key in sorted(earlier.keys() ^ now.keys()):
        holder = 'this version has' if key in now else f'{path} has'
        raise UsageError(
            f'the run {run} was begun by another version: only {holder} the setting {key}; resume '
            f'with the version of its {ENVIRONMENT_FILE} or start another run'
        )
    for key in sorted(earlier.keys() - set(FREE_ON_RESUME)):
        if earlier[key] != now[key]:
            raise UsageError(
                f'{key} is {now[key]}, but the run {run} has {earlier[key]}; resume with its '
                f'own {CONFIG_FILE} or start another run'
            )


def _flatten(content: Any, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """Yield each setting with its dotted key; a list is one setting."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _flatten(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}', value


def _environment() -> dict[str, Any]:
    """Return versions, machine and state of the source, to tell two runs apart later."""
    return {
        'source': _git_state(),
        'packages': versions(PACKAGES),
        'command': shlex.join(sys.argv),
        'processes': processes.count(),
        'threads': torch.get_num_threads(),
        'gpu': torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        'machine': machine(),
    }


def _git_state() -> str:
    """Return the commit of the source, with `-dirty` when it was edited since."""
    try:
        # An installed package may lie in somebody's repository without being part of it.
        _git('ls-files', '--error-unmatch', Path(__file__).name)
        return _git('describe', '--always', '--dirty')
    except (OSError, subprocess.SubprocessError):
        return 'not under git'


def _git(*arguments: str) -> str:
    command = ['git', '-C', str(Path(__file__).parent), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return answer.stdout.strip()

"""Versions and machine that figures depend on, without names or paths."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from crodino_core import __version__


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Return the versions of this package, of Python, and of the libraries that are installed."""
    found = {'crodino_ros': __version__, 'Python': platform.python_version()}
    for library in libraries:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """Return the operating system and the processor."""
    # Not all systems let a process be kept to some of the cores.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    return {
        'System': f'{platform.system()} {platform.release()}, {platform.machine()}',
        'Processor': f'{_processor()}, {usable} cores usable',
    }


def _processor() -> str:
    """Return the processor's model name; what Python knows of it where Linux does not say."""
    try:
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

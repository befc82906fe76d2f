"""What a user may choose about TensorRT engines."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crodino_core.errors import UsageError


def say_on_stderr(line: str) -> None:
    """Tell of slow work; stdout stays clean for `--json`."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class TensorRtSettings:
    """How engines are built, kept and run.

    :raises UsageError: a number makes no sense.
    """

    cache: Path | None = None
    """Folder of the engine files; None: `engine_cache.default_folder()`."""
    workspace_mib: int = 1024
    """Memory TensorRT may use for the scratch space of one layer, MiB."""
    dla_core: int | None = None
    """Core of the deep learning accelerator (Jetson Xavier, Orin); what it cannot do runs on the
    GPU. None: GPU only."""
    version_compatible: bool = False
    """Whether the file may be used by later TensorRT of the same major version; some slower."""
    hardware_compatible: bool = False
    """Whether the file may be used on any GPU since Ampere; some slower."""
    cuda_graph: bool = True
    """Whether one launch replays copies and kernels, instead of one launch for each."""
    in_background: bool = False
    """Whether an engine for another image size is built while the last one goes on serving (its
    input and masks are resized so long); otherwise the caller waits."""
    rebuild: bool = False
    """Whether to build even if a usable engine is there."""
    say: Callable[[str], object] = say_on_stderr
    """Is told of builds, which take minutes, and of their reasons."""

    def __post_init__(self) -> None:
        if self.workspace_mib < 1:
            raise UsageError(f'a workspace of {self.workspace_mib} MiB; 1 or more was expected')
        if self.dla_core is not None and self.dla_core < 0:
            raise UsageError(f'DLA core {self.dla_core}; 0 or 1 was expected')

"""Memory of freed tensors, in processes of their own: the setting is the whole process's."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import torch
from crodino_core.learning.allocator import keep_freed_memory

if {keep}:
    print(keep_freed_memory())
for _ in range(100):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensor = torch.ones(16, 1024, 1024)  # 64 MB, 16384 pages
    del tensor
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(keep: bool) -> tuple[list[str], int]:
    """Return what the process said, and its page faults when it takes 64 MB once more."""
    program = PROGRAM.format(keep=keep)
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, check=True, text=True
    )
    *said, faults = done.stdout.split()
    return said, int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='only glibc has the setting')
def test_memory_that_was_freed_is_not_fetched_from_the_kernel_again() -> None:
    if page_faults(keep=False)[1] < 1000:
        pytest.skip('freed memory is cheap here: huge pages, or another allocator')
    said, faults = page_faults(keep=True)

    assert said == ['True']
    assert faults < 100


def test_another_c_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from crodino_core.learning import allocator

    monkeypatch.setattr(allocator.ctypes, 'CDLL', lambda name: object())
    assert not allocator.keep_freed_memory()

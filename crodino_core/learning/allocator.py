"""How the C library's allocator is set for training on a CPU."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = -1


def keep_freed_memory() -> bool:
    """Have freed tensors stay with the process, which needs their memory again.

    By itself glibc gives a large tensor's pages back to the kernel when it is freed, and the next
    one's are fetched and zeroed page by page, on one thread: a tenth of a twin's step on two
    threads (docs/training.md). It holds for what the main thread allocates, which in training is
    every tensor, for as long as the process lives.

    :return: whether it could be set: with glibc only, see `man mallopt`.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return False
    # A threshold for mmap instead of none would be refused by old versions above 32 MiB.
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _NEVER))

"""How the C library's allocator is set for training on a CPU."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have freed tensors of up to 2 GiB stay with the process, which needs their memory again.

    By itself glibc gives a large tensor's pages back to the kernel when it is freed, and the next
    one's are fetched and zeroed page by page, on one thread: a third of a twin's step on two
    threads (docs/training.md). It holds for the whole process and cannot be undone.

    :return: whether it could be set: with glibc only, see `man mallopt`.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return False
    return bool(
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_INT) and mallopt(_M_TRIM_THRESHOLD, _LARGEST_INT)
    )

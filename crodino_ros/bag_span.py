"""When the first and the last message of some topics came, found without reading them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

Times = Callable[[int | None], Iterator[int]]
"""Gives the receive times from one on (None: from the beginning), ascending, nanoseconds."""

_NEAR = 100_000_000
"""Nanoseconds within which all messages are looked at."""


def span_of(times: Times, end_ns: int) -> tuple[int, int] | None:
    """Return the first and the last receive time, nanoseconds; None if there is no message.

    The last one is as a rule just before the end of the bag. Steps back from there grow until
    one finds a message, and are halved from then on; each asks a reader for one message.

    :param end_ns: no message came later.
    """
    first = next(times(None), None)
    if first is None:
        return None
    earliest, latest, step = first, end_ns, _NEAR
    while latest - earliest > _NEAR:
        probe = max(latest - step, (earliest + latest) // 2)
        found = next(times(probe), None)
        if found is None:
            latest, step = probe, 4 * step
        else:
            earliest = found
    return first, max(times(earliest))

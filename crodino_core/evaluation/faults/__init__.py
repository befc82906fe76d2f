"""Faults: what a broken sensor does to the stream of its frames.

`FAULTS` is the registry. `FAULTS[kind].start(previous, parameters)` begins a fault and returns
a function that takes each further frame of the sensor and returns the frames that come out
instead; it serves the replay of a recording and a live stream alike. A frame that comes out with
a later `arrival` than the one that went in is to be given out at that time (see `DelayLine`).

Every fault takes `severity` (1 slight to 5 worst) and `seed`: the same seed, parameters and
frames give the same result. No fault changes the image it was given; a frame whose image is not
what `Frame` promises passes the content faults as it is. A new fault is a function with the
decorator `timing_fault` or `content_fault` in the file of its concern; docs/faults.md is made
from their docstrings.
"""

from crodino_core.evaluation.faults import both, color, depth, optics, returns, timing
from crodino_core.evaluation.faults.kind import (
    BOTH,
    FAULTS,
    HIGHEST_SEVERITY,
    Decides,
    FaultKind,
    Newest,
    Parameters,
    Push,
)

__all__ = [
    'BOTH',
    'FAULTS',
    'HIGHEST_SEVERITY',
    'Decides',
    'FaultKind',
    'Newest',
    'Parameters',
    'Push',
    'both',
    'color',
    'depth',
    'optics',
    'returns',
    'timing',
]

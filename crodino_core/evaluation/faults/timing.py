"""Faults of time: frames that do not come, come late, or bear a wrong stamp."""

from __future__ import annotations

from dataclasses import replace

from crodino_core.evaluation.faults.kind import Decides, Given, Push, timing_fault
from crodino_core.runtime.frame import Frame

_FARTHEST_OVERTAKEN = 3


@timing_fault(
    'no frame arrives',
    decides=Decides.FRAMES,
    measure='lost_share',
    meaning='share of each second without frames',
    levels=(0.2, 0.4, 0.6, 0.8, 1.0),
    severity=5,
)
def drop(given: Given) -> Push:
    """The cable is out or the link is being reset: nothing comes; below severity 5, for a part of
    every second.

    Source: the missing modality (EMM) of "Benchmarking Multi-modal Semantic Segmentation under
    Sensor Failures", CVPRW 2025, arXiv 2503.18445.
    """
    start: float | None = None

    def push(frame: Frame) -> list[Frame]:
        nonlocal start
        start = frame.arrival if start is None else start
        return [] if (frame.arrival - start) % 1.0 < given.level else [frame]

    return push


@timing_fault(
    'the same picture again and again',
    decides=Decides.FRAMES,
    measure='repeats',
    meaning='times that each picture is shown (inf: always the same one)',
    levels=(2, 4, 8, 16, float('inf')),
    severity=5,
    least=2,
    greatest=float('inf'),
    advance_stamps=True,
)
def freeze(given: Given) -> Push:
    """The driver repeats the last frame before the fault (or, without one, the first in it), with
    stamps that go on (it stamps a stale buffer) or, with `advance_stamps: false`, repeat too.
    Below severity 5 it takes a new picture now and then.

    Source: the stale buffers that the health check of this package looks for (design, FROZEN).
    """
    held = given.previous
    shown = 0.0 if held is None else 1.0

    def push(frame: Frame) -> list[Frame]:
        nonlocal held, shown
        if held is None or shown >= given.level:
            held, shown = frame, 0
        shown += 1
        stamp_ns = frame.stamp_ns if given.values['advance_stamps'] else held.stamp_ns
        return [replace(frame, image=held.image, stamp_ns=stamp_ns)]

    return push


@timing_fault(
    'frames are lost at random',
    decides=Decides.FRAMES,
    measure='probability',
    meaning='probability that a frame is lost',
    levels=(0.1, 0.25, 0.5, 0.75, 0.9),
)
def intermittent(given: Given) -> Push:
    """A loose connector or a weak radio link: each frame is lost with a probability, independently
    of the others.

    Source: the random missing modality (RMM) of arXiv 2503.18445, applied to whole frames.
    """
    rng = given.rng()
    return lambda frame: [] if rng.random() < given.level else [frame]


@timing_fault(
    'only every n-th frame arrives',
    decides=Decides.FRAMES,
    measure='keep_every',
    meaning='n, of which one frame is kept',
    levels=(2, 3, 4, 6, 10),
    least=2,
    greatest=1e6,
)
def rate_drop(given: Given) -> Push:
    """A throttled camera (heat, low light, USB 2 instead of USB 3) gives a fraction of its rate.

    Source: the steps between the frame rates that RGB-D cameras offer (Intel's D400 series: 90,
    60, 30, 15 and 6 Hz).
    """
    index = -1

    def push(frame: Frame) -> list[Frame]:
        nonlocal index
        index += 1
        return [frame] if index % round(given.level) == 0 else []

    return push


@timing_fault(
    'every frame arrives late by the same time',
    decides=Decides.ARRIVAL,
    measure='delay_s',
    meaning='delay of the arrival, seconds',
    levels=(0.05, 0.1, 0.2, 0.5, 1.0),
    greatest=5,
)
def delay(given: Given) -> Push:
    """A queue somewhere between sensor and robot has filled: every frame waits in it. The stamps
    stay those of the exposure.

    Source: RFC 2679, "A One-way Delay Metric for IPPM".
    """
    return lambda frame: [replace(frame, arrival=frame.arrival + given.level)]


@timing_fault(
    'frames arrive irregularly, in their order',
    decides=Decides.ARRIVAL,
    measure='jitter_s',
    meaning='longest additional delay of an arrival, seconds',
    levels=(0.01, 0.03, 0.06, 0.12, 0.25),
    greatest=5,
)
def jitter(given: Given) -> Push:
    """A busy computer or network: each frame waits another while, evenly spread up to the longest;
    none overtakes another.

    Source: RFC 3393, "IP Packet Delay Variation Metric".
    """
    rng = given.rng()
    last = float('-inf')

    def push(frame: Frame) -> list[Frame]:
        nonlocal last
        last = max(last, frame.arrival + rng.uniform(0, given.level))
        return [replace(frame, arrival=last)]

    return push


@timing_fault(
    'frames overtake each other',
    decides=Decides.ARRIVAL,
    measure='probability',
    meaning='probability that a frame is overtaken by up to three later ones',
    levels=(0.1, 0.2, 0.3, 0.4, 0.5),
)
def out_of_order(given: Given) -> Push:
    """Best-effort transport over several paths or threads: a frame arrives after later ones.

    Source: RFC 4737, "Packet Reordering Metrics".
    """
    rng = given.rng()
    previous = given.previous

    def push(frame: Frame) -> list[Frame]:
        nonlocal previous
        interval = 0.0 if previous is None else max(0.0, frame.arrival - previous.arrival)
        previous = frame
        waits = rng.random() < given.level
        overtaken_by = rng.integers(1, _FARTHEST_OVERTAKEN + 1)
        # A little more than whole intervals, so that a later frame is surely first.
        later = frame.arrival + (overtaken_by + 0.3) * interval
        return [replace(frame, arrival=later) if waits else frame]

    return push


@timing_fault(
    'stamps are off by a constant time',
    decides=Decides.STAMPS,
    measure='offset_s',
    meaning='added to every stamp, seconds',
    levels=(-0.005, -0.02, -0.05, -0.2, -1.0),
    least=-1e9,
    greatest=1e9,
)
def stamp_shift(given: Given) -> Push:
    """The sensor's clock is not synchronised, or the driver stamps at reception instead of at
    exposure; negative offsets are a clock that is behind. No stamp falls below zero.

    Source: temporal calibration, Furgale et al., "Unified Temporal and Spatial Calibration for
    Multi-Sensor Systems", IROS 2013.
    """
    return lambda frame: [_shifted(frame, given.level)]


@timing_fault(
    'stamps are zero',
    decides=Decides.STAMPS,
    measure='probability',
    meaning='probability that a stamp is zero',
    levels=(0.2, 0.4, 0.6, 0.8, 1.0),
    severity=5,
)
def stamp_zero(given: Given) -> Push:
    """A driver that forgets to fill in the header.

    Source: std_msgs/Header, whose default stamp is zero.
    """
    rng = given.rng()
    return lambda frame: [replace(frame, stamp_ns=0) if rng.random() < given.level else frame]


@timing_fault(
    'stamps lie in the future',
    decides=Decides.STAMPS,
    measure='ahead_s',
    meaning='how far the stamps are ahead, seconds',
    levels=(0.5, 5.0, 60.0, 3600.0, 86400.0),
    greatest=1e9,
)
def stamp_future(given: Given) -> Push:
    """The sensor's computer has another idea of the time (no NTP or PTP, a wrong time zone).

    Source: REP-105's and tf2's refusal to extrapolate into the future, which such stamps meet.
    """
    return lambda frame: [_shifted(frame, given.level)]


def _shifted(frame: Frame, offset_s: float) -> Frame:
    return replace(frame, stamp_ns=max(0, frame.stamp_ns + round(offset_s * 1e9)))

"""How a frame follows its predecessor: stamps in order, a new image, the same size."""

from __future__ import annotations

from dataclasses import dataclass

from crodino_core.runtime.frame import Frame

STAMP_JUMP = 1.0
"""Seconds. A stamp that advances by so much more than the arrivals do is from the future. One that
goes back by more is of a clock that was set anew (a bag begins again) and tells nothing of the
order; one that goes back by less is of an older frame."""


@dataclass(frozen=True)
class Trace:
    """What is remembered of a frame."""

    stamp_ns: int
    arrival: float
    size: tuple[int, ...]
    payload_hash: int | None
    """None where the images are not to be compared."""

    @classmethod
    def of(cls, frame: Frame, with_payload: bool) -> Trace:
        """Keep what the next comparison needs, not the pixels."""
        payload_hash = frame.payload_hash if with_payload else None
        return cls(frame.stamp_ns, frame.arrival, frame.size, payload_hash)


@dataclass(frozen=True)
class Succession:
    """What sets a frame apart from an ordinary successor; causes are '' where nothing does."""

    stamp_cause: str = ''
    """'zero stamp', 'future stamp', 'restarted stamp', or one that does not advance: 'repeated
    stamp', 'backward stamp'."""
    size_cause: str = ''
    same_image: bool = False

    @property
    def advances(self) -> bool:
        """Whether the frame is of a later instant than its predecessor, as far as is known."""
        return self.stamp_cause not in ('repeated stamp', 'backward stamp')

    @property
    def repetition(self) -> str:
        """What makes it look like its predecessor, in words; '' for a new frame."""
        if not self.advances:
            return 'the stamp did not advance'
        return 'the same image came' if self.same_image else ''


def compare(previous: Trace | None, current: Trace) -> Succession:
    """Compare a frame with the one before it."""
    if previous is None:
        return Succession(stamp_cause='' if current.stamp_ns else 'zero stamp')
    return Succession(
        stamp_cause=_stamp_cause(previous, current),
        size_cause='' if current.size == previous.size else 'size change',
        same_image=(
            current.payload_hash is not None
            and current.payload_hash == previous.payload_hash
            and current.size == previous.size
        ),
    )


def _stamp_cause(previous: Trace, current: Trace) -> str:
    if current.stamp_ns == 0:
        return 'zero stamp'
    if previous.stamp_ns == 0:
        return ''
    advance = (current.stamp_ns - previous.stamp_ns) * 1e-9
    if advance == 0:
        return 'repeated stamp'
    if advance < 0:
        return 'backward stamp' if advance >= -STAMP_JUMP else 'restarted stamp'
    if advance - (current.arrival - previous.arrival) > STAMP_JUMP:
        return 'future stamp'
    return ''

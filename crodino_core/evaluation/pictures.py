"""Small copies of what was seen, for the report: around each failure, and all along the way."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crodino_core.evaluation.records import KeyPicture
from crodino_core.modality import Modality
from crodino_core.runtime.frame import Frame

LONGEST_SIDE = 240
MOST_PICTURES = 96
MOST_FILM_PICTURES = 150
CALM = 'on the way'
"""Caption of a picture that nothing but the passing of time is the reason for."""
_CALM_PICTURES = 4


class PictureBook:
    """Chooses and keeps the pictures, at most `MOST_PICTURES` and `MOST_FILM_PICTURES`.

    Every mask is shown to it in order. Kept in `pictures` are: the last mask before and the first
    after each mark (a fault begins or ends, the served modality changes, a sensor's state
    changes), and a few masks spread evenly over the recording. `film` has the first mask of each
    150th of the recording, which are all masks of a short one.

    :param duration: seconds of the recording.
    """

    def __init__(self, duration: float) -> None:
        self.pictures: list[KeyPicture] = []
        self.film: list[KeyPicture] = []
        self._film_every = max(duration, 1e-3) / MOST_FILM_PICTURES
        self._film_slot = -1
        self._calm_every = max(duration, 1e-3) / _CALM_PICTURES
        self._next_calm = 0.0
        self._last: KeyPicture | None = None
        self._mark: tuple[str, int | None] | None = None

    def mark(self, what: str, failure: int | None = None) -> None:
        """Say that something happened: the mask before and the next one are worth keeping."""
        if self._last is not None and self._last.caption in ('', CALM):
            self._keep(self._last, f'last mask before: {what}', failure)
        if self._mark is None or self._mark[1] is None:
            self._mark = (what, failure)

    def show(
        self,
        time_s: float,
        modality: Modality | None,
        fused: bool,
        mask: np.ndarray,
        newest: Mapping[Modality, Frame],
        fresh: Mapping[Modality, bool],
    ) -> KeyPicture:
        """Show a mask and what the sensors last gave; returns the picture made of it.

        :param mask: uint8 [H, W].
        :param newest: the last frame of each sensor that reached the segmenter.
        :param fresh: whether that frame is recent enough to count as seen now.
        """
        frames = {m: newest[m] for m in newest if fresh.get(m)}
        picture = KeyPicture(
            time_s=time_s,
            caption='',
            failure=None,
            modality=modality,
            rgb=frames[Modality.RGB].image if Modality.RGB in frames else None,
            depth=frames[Modality.DEPTH].image if Modality.DEPTH in frames else None,
            mask=mask,
            fused=fused,
        )
        if self._mark is not None:
            self._keep(picture, f'first mask after: {self._mark[0]}', self._mark[1])
            self._mark = None
        elif time_s >= self._next_calm:
            self._keep(picture, CALM, None)
            self._next_calm = time_s + self._calm_every
        slot = min(int(time_s / self._film_every), MOST_FILM_PICTURES - 1)
        if slot > self._film_slot:
            self.film.append(picture)
            self._film_slot = slot
            _reduce(picture)
        if self._last is not None and not self._last.kept:
            # It never will be; whoever still waits for its label need not hold whole images.
            self._last.rgb = self._last.depth = None
        self._last = picture
        return picture

    def score(self, picture: KeyPicture, label: np.ndarray, miou: float | None) -> None:
        """Add the ground truth of a mask that was shown, uint8 [H, W], and what it scored."""
        picture.label, picture.miou = label, miou
        if picture.kept:
            _reduce(picture)

    def _keep(self, picture: KeyPicture, caption: str, failure: int | None) -> None:
        if not picture.caption and len(self.pictures) >= MOST_PICTURES:
            return
        if not picture.caption:
            self.pictures.append(picture)
        picture.caption, picture.failure = caption, failure
        _reduce(picture)


def _reduce(picture: KeyPicture) -> None:
    """Make copies of a picture's images, small ones: most pictures are never kept."""
    picture.kept = True
    if picture.rgb is not None:
        picture.rgb = thumbnail(picture.rgb)
    if picture.depth is not None:
        picture.depth = _metres(picture.depth)
    if picture.label is not None:
        picture.label = thumbnail(picture.label)
    picture.mask = thumbnail(picture.mask)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Return every n-th row and column so that the longest side is at most `LONGEST_SIDE`."""
    step = -(-max(image.shape[:2]) // LONGEST_SIDE)
    return image[::step, ::step].copy()


def _metres(depth: np.ndarray) -> np.ndarray:
    small = thumbnail(depth)
    return np.where(np.isfinite(small), small, 0).astype(np.float32)

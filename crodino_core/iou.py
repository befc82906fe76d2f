"""Agreement of a mask with the ground truth."""

from __future__ import annotations

import cv2
import numpy as np


def confusion_matrix(label: np.ndarray, mask: np.ndarray, classes: int) -> np.ndarray:
    """Count pixels by true and predicted class.

    Pixels whose label is 255 (or no class of the set) do not count. A mask value that is no
    class, 255 above all, counts in the last column: it is a wrong answer, not an absent one.

    :param label: ground truth, uint8 [H, W].
    :param mask: prediction, uint8 [H, W].
    :param classes: number of classes K.
    :return: int64 [K, K + 1]; rows = ground truth, columns = prediction.
    """
    # Its counts are float32, which are exact up to 2**24 pixels of one cell in one image.
    pairs = cv2.calcHist([label, mask], [0, 1], None, [256, 256], [0, 256, 0, 256])
    known = pairs[:classes].astype(np.int64)
    unknown = known[:, classes:].sum(axis=1, keepdims=True)
    return np.hstack([known[:, :classes], unknown])


def iou_by_class(confusion: np.ndarray) -> np.ndarray:
    """Return IoU_k = n_kk / (sum_j n_kj + sum_i n_ik - n_kk) of each class, percent.

    n_ij counts the pixels of true class i that were predicted as j.

    :param confusion: int64 [K, K + 1], see `confusion_matrix`; or [K, K] where every prediction is
        a class.
    :return: float64 [K], 0..100; NaN where a class is in neither ground truth nor prediction.
    """
    hits = np.diagonal(confusion)
    union = confusion.sum(axis=1) + confusion[:, : len(confusion)].sum(axis=0) - hits
    with np.errstate(invalid='ignore'):
        return np.where(union > 0, hits / union * 100, np.nan)


def miou_of(confusion: np.ndarray) -> float | None:
    """Return the mIoU in percent: the mean IoU of the classes in ground truth or prediction.

    Summing the matrices of several masks first gives the mIoU of all of them together.

    :param confusion: int64 [K, K + 1], see `confusion_matrix`; or [K, K] where every prediction is
        a class.
    :return: 0..100; None when no pixel was counted.
    """
    present = iou_by_class(confusion)
    present = present[~np.isnan(present)]
    return float(present.mean()) if len(present) else None

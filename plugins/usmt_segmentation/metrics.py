"""DSC and HD as the FMC_UIA challenge defines them, image by image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from torchmetrics import Metric

from usmt import ImageMetric


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Dice coefficient of two boolean masks (H, W); 1 if both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def hausdorff(a: np.ndarray, b: np.ndarray) -> float:
    """Hausdorff distance of two boolean masks (H, W) as sets of pixels, in pixels; exact.

    0 if both are empty, the image's diagonal if one is.
    """
    if not a.any() or not b.any():
        return 0.0 if a.any() == b.any() else float(np.hypot(*a.shape))
    either = a | b
    rows, columns = np.flatnonzero(either.any(axis=1)), np.flatnonzero(either.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    a, b = a[box], b[box]
    return max(_farthest(a, b), _farthest(b, a))


def _farthest(a: np.ndarray, b: np.ndarray) -> float:
    """The largest distance of a pixel of a to its nearest pixel of b."""
    alone = a & ~b
    if not alone.any():
        return 0.0
    outside = (~b).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    squared = np.rint(np.square(distance[alone].max(), dtype=np.float64))
    return float(np.sqrt(squared))  # distances of pixels are roots of whole numbers


@dataclass(frozen=True, slots=True)
class OverClasses:
    """Mean of a measure of two masks over classes. A callable object, so that it can be pickled.

    Attributes:
        measure: `dice` or `hausdorff`.
        classes: class numbers.
    """

    measure: Any
    classes: tuple[int, ...]

    def __call__(self, result: Any, label: Any) -> float:
        values = [self.measure(result.mask == k, np.asarray(label) == k) for k in self.classes]
        return float(np.mean(values))


def make_metrics(classes: list[str]) -> dict[str, Metric]:
    """Fresh metrics; with several foreground classes, also the DSC of each."""
    foreground = tuple(range(1, len(classes)))
    metrics: dict[str, Metric] = {
        "dsc": ImageMetric(OverClasses(dice, foreground), higher_is_better=True),
        "hd": ImageMetric(OverClasses(hausdorff, foreground), higher_is_better=False),
    }
    if len(foreground) > 1:
        for k in foreground:
            name = f"dsc_{classes[k]}"
            metrics[name] = ImageMetric(OverClasses(dice, (k,)), higher_is_better=True)
    return metrics

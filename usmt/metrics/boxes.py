"""How far boxes agree."""

from __future__ import annotations

import numpy as np


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (..., 4), broadcast against each other; 0 where both are
    empty, as an inverted box is.

    A box is x_min, y_min, x_max, y_max.
    """
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., 2:], b[..., 2:])
    shared = _area(low, high)
    union = _area(a[..., :2], a[..., 2:]) + _area(b[..., :2], b[..., 2:]) - shared
    return np.divide(shared, union, out=np.zeros_like(union), where=union > 0)


def _area(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.asarray(np.prod(np.clip(high - low, 0, None), axis=-1, dtype=np.float64))

"""How far points are from where they should be."""

from __future__ import annotations

import numpy as np


def mean_radial_error(points: np.ndarray, truth: np.ndarray) -> float:
    """Mean Euclidean distance of points (P, 2) to the true ones, in their unit."""
    return float(np.linalg.norm(points - truth, axis=-1).mean())

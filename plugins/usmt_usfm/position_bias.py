"""Relative position biases of another input size, as BEiT has them (microsoft/unilm, beit).

A table for a grid of n x n patches has a row for each distance (dy, dx) between two of them, from
-(n - 1) to n - 1, and three more: from the class token to patches, back, and to itself.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
import torch
from scipy.interpolate import RectBivariateSpline
from torch import Tensor

OF_CLASS_TOKEN = 3


def resized(table: Tensor, rows: int) -> Tensor:
    """A table (distances + 3, heads) for a grid of another size -> (rows, heads), interpolated by
    cubic splines; as it is where it has those rows.

    The known distances are laid out in a geometric progression that reaches as far as the new
    ones, so that near patches keep their biases and far ones are stretched.

    Raises `ValueError` for a table of no square grid.
    """
    given = len(table) if table.ndim == 2 else 0
    if given == rows:
        return table
    known, wanted = isqrt(max(given - OF_CLASS_TOKEN, 0)), isqrt(rows - OF_CLASS_TOKEN)
    # A cubic spline needs four distances, so three patches.
    if known**2 + OF_CLASS_TOKEN != given or known % 2 == 0 or known < 5:
        raise ValueError(
            f"its relative position biases, {tuple(table.shape)}, are of no square grid of patches"
        )
    places = _places(known // 2, wanted // 2)
    distances = np.arange(-(wanted // 2), wanted // 2 + 1)
    biases = table[:-OF_CLASS_TOKEN].double().reshape(known, known, -1).numpy()
    heads = [
        RectBivariateSpline(places, places, biases[..., head])(distances, distances)
        for head in range(biases.shape[-1])
    ]
    between_patches = torch.from_numpy(np.stack(heads, axis=-1)).flatten(0, 1).to(table.dtype)
    return torch.cat([between_patches, table[-OF_CLASS_TOKEN:]])


def _places(known: int, wanted: int) -> np.ndarray:
    """Where the distances -known to known lie, if the last of them lies at `wanted`."""
    steps = np.arange(known)
    low, high = 1.01, 1.5  # BEiT's bounds: where `wanted` is nearer, the far distances are not used
    while high - low > 1e-6:
        ratio = (low + high) / 2
        low, high = (low, ratio) if (ratio**steps).sum() > wanted else (ratio, high)
    positive = np.cumsum(high**steps)
    return np.concatenate([-positive[::-1], [0], positive])

"""Closed outlines as masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Points = Sequence[tuple[float, float]]
"""Corners, x and y in pixels; (0, 0) is the top left corner of the image."""


def polygon_mask(points: Points, size: tuple[int, int]) -> np.ndarray:
    """uint8 (H, W): 1 where the centre of a pixel, half a pixel right and below of its corner, is
    inside the polygon. The last point is joined to the first. Where the outline crosses itself,
    whatever it goes around is inside (non-zero winding): a hand-drawn loop has no hole where its
    ends overlap."""
    height, width = size
    turns = np.zeros((height, width + 1), np.int32)
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        top, bottom = sorted((y0, y1))
        rows = np.arange(
            max(0, int(np.ceil(top - 0.5))), min(height, int(np.ceil(bottom - 0.5))), dtype=np.int64
        )
        if len(rows):  # so it is not level
            crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            # From the first centre that is not left of the crossing on, there is one turn more.
            columns = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.int64)
            turns[rows, columns] += 1 if y1 > y0 else -1
    return (turns.cumsum(axis=1)[:, :width] != 0).astype(np.uint8)

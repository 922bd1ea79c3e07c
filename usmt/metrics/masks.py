"""How far two masks agree: the Dice coefficient and the Hausdorff distance."""

from __future__ import annotations

import numpy as np

MARGIN = 32
"""Pixels around the pixels of one mask in which those of the other are looked for first."""

LARGEST = 2048
FARTHEST = 512
"""Side of a window, and distance in it, up to which OpenCV's transform is taken for exact. It
counts in float32: distances from 885 pixels on may be wrong, and lesser ones in long images."""


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Dice coefficient of two boolean masks (H, W), in [0, 1]; 1 if both are empty."""
    total = np.count_nonzero(a) + np.count_nonzero(b)
    return 2 * np.count_nonzero(a & b) / total if total else 1.0


def hausdorff(a: np.ndarray, b: np.ndarray) -> float:
    """Hausdorff distance of two boolean masks (H, W) as sets of pixels, in pixels; exact.

    0 if both are empty, the image's diagonal if one is.
    """
    if not a.any() or not b.any():
        return 0.0 if a.any() == b.any() else float(np.hypot(*a.shape))
    return float(np.sqrt(max(_farthest(a, b), _farthest(b, a))))


def _farthest(a: np.ndarray, b: np.ndarray) -> int:
    """The square of the largest distance of a pixel of a to its nearest pixel of b, not empty.

    The nearest pixels are looked for in a window around those that a has alone, which grows until
    nothing outside it can be nearer.
    """
    alone = a & ~b
    rows, columns = np.flatnonzero(alone.any(axis=1)), np.flatnonzero(alone.any(axis=0))
    if not len(rows):
        return 0
    margin = MARGIN
    while True:
        top, left = max(rows[0] - margin, 0), max(columns[0] - margin, 0)
        window = np.s_[top : rows[-1] + 1 + margin, left : columns[-1] + 1 + margin]
        if b[window].any():
            squared = _farthest_squared(alone[window], b[window])
            if squared <= margin**2 or alone[window].shape == alone.shape:
                return squared
        margin *= 4


def _farthest_squared(a: np.ndarray, b: np.ndarray) -> int:
    """The same without a window: of all pixels of a."""
    if max(b.shape) <= LARGEST:
        import cv2

        outside = (~b).view(np.uint8)
        distances = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        farthest = cv2.minMaxLoc(distances, a.view(np.uint8))[1]
        if farthest <= FARTHEST:
            return round(farthest**2)  # of pixels: a whole number
    from scipy.ndimage import distance_transform_edt

    return round(float(distance_transform_edt(~b)[a].max()) ** 2)

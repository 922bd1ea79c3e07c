"""A box as a rectangle."""

from __future__ import annotations

import cv2
import numpy as np

COLOUR = (230, 159, 0)


def draw_box(image: np.ndarray, box: np.ndarray, caption: str) -> np.ndarray:
    """RGB uint8 (H, W, 3) -> a copy with the box (4,) and a caption above it."""
    picture = image.copy()
    x_min, y_min, x_max, y_max = (round(float(value)) for value in box)
    line = max(1, round(min(picture.shape[:2]) / 150))
    cv2.rectangle(picture, (x_min, y_min), (x_max - 1, y_max - 1), COLOUR, line)
    if caption:
        scale = max(0.3, min(picture.shape[:2]) / 500)
        at = (x_min, max(10, y_min - 3))
        cv2.putText(picture, caption, at, cv2.FONT_HERSHEY_SIMPLEX, scale, COLOUR, 1, cv2.LINE_AA)
    return picture

"""A class as a caption below the picture's top edge."""

from __future__ import annotations

import cv2
import numpy as np

YELLOW = (255, 221, 51)


def draw_caption(image: np.ndarray, text: str) -> np.ndarray:
    """RGB uint8 (H, W, 3) -> a copy with a dark strip and the text on it."""
    picture = image.copy()
    scale = max(0.35, picture.shape[0] / 450)
    (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    if width > picture.shape[1] - 4:
        scale *= (picture.shape[1] - 4) / width
    strip = picture[: height + base + 4]
    strip[:] = strip // 4
    cv2.putText(
        picture, text, (2, height + 2), cv2.FONT_HERSHEY_SIMPLEX, scale, YELLOW, 1, cv2.LINE_AA
    )
    return picture

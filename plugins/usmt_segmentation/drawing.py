"""Classes as translucent colours with outlines."""

from __future__ import annotations

import cv2
import numpy as np

# Okabe and Ito's colours, told apart by the colour-blind.
COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
)
OPACITY = 0.3


def draw_mask(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """RGB uint8 (H, W, 3) and classes (H, W) -> a copy with the classes drawn, 0 left out."""
    picture = image.copy()
    for k in np.unique(mask):
        if k == 0:
            continue
        colour = np.array(COLOURS[(int(k) - 1) % len(COLOURS)])
        held = mask == k
        picture[held] = ((1 - OPACITY) * picture[held] + OPACITY * colour).astype(np.uint8)
        outlines, _ = cv2.findContours(held.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, colour.tolist(), 1)
    return picture

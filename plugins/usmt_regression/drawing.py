"""Landmarks as numbered crosses."""

from __future__ import annotations

import cv2
import numpy as np

# Okabe and Ito's colours, told apart by the colour-blind.
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (204, 121, 167))


def draw_points(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """RGB uint8 (H, W, 3) -> a copy with a cross and a number, from 1, at each point (P, 2)."""
    picture = image.copy()
    arm = max(3, round(min(picture.shape[:2]) / 30))
    scale = max(0.3, min(picture.shape[:2]) / 500)
    limit = 4 * max(picture.shape[:2])
    for number, (x, y) in enumerate(np.clip(points, -limit, limit), start=1):
        colour = COLOURS[(number - 1) % len(COLOURS)]
        at = (round(float(x)), round(float(y)))
        cv2.drawMarker(picture, at, colour, cv2.MARKER_CROSS, 2 * arm, max(1, arm // 3))
        beside = (at[0] + arm, at[1] - arm // 2)
        cv2.putText(
            picture, str(number), beside, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA
        )
    return picture

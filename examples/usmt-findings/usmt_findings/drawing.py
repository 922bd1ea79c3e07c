"""Findings as bars with their names, below one another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

GREEN = (80, 220, 120)
GREY = (150, 150, 150)


def draw_findings(image: np.ndarray, probabilities: Mapping[str, float]) -> np.ndarray:
    """RGB uint8 (H, W, 3) -> a copy with a bar for each finding, as long as it is probable: green
    for those that are shown (0.5 or more), grey for the others."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    step = max(8, min(16, image.shape[0] // max(1, len(probabilities))))
    full = max(8, image.shape[1] // 4)
    for row, (name, probability) in enumerate(probabilities.items()):
        colour = GREEN if probability >= 0.5 else GREY
        top = row * step + 2
        draw.rectangle((2, top, 2 + full, top + step - 4), outline=colour)
        draw.rectangle((2, top, 2 + round(full * probability), top + step - 4), fill=colour)
        draw.text((full + 6, top - 1), name, fill=colour, font_size=step - 2)
    return np.array(picture)

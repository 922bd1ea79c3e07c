"""Boxes as labels: what is wrong or odd about one, and numbers that describe it."""

from __future__ import annotations

from typing import Any

import numpy as np

from usmt import Fault, Size

TOLERANCE = 1.0
"""Pixels that a box may reach over the image's edge: annotation tools round outwards."""

TINY_SIDE = 4.0
"""Pixels."""
TINY_AREA = 0.001
"""Share of the image."""


def problems_of(label: Any, size: Size) -> list[str]:
    """Why the box of an image of this size (H, W) cannot be trained on."""
    try:
        box = np.asarray(label)
    except (TypeError, ValueError):  # ragged lists
        box = np.array(None)
    if box.dtype.kind not in "biuf":
        return [Fault("the box is not an array of four numbers", "not a box")]
    if box.shape != (4,):
        return [Fault(f"a box of shape {box.shape}, expected (4,)", "not a box")]
    if not np.isfinite(box).all():
        return [Fault(f"the box {_text(box)} is not finite", "not a box")]
    x_min, y_min, x_max, y_max = box
    found: list[str] = []
    if x_max <= x_min or y_max <= y_min:
        kind = "inverted box" if x_max < x_min or y_max < y_min else "empty box"
        text = f"the box {_text(box)} is inverted or empty: x_min < x_max, y_min < y_max"
        found.append(Fault(text, kind))
    height, width = size
    low = min(x_min, y_min, x_max, y_max)
    high = max(x_min - width, x_max - width, y_min - height, y_max - height)
    if low < -TOLERANCE or high > TOLERANCE:
        text = f"the box {_text(box)} is outside the image of {width} x {height} pixels"
        found.append(Fault(text, "box outside"))
    return found


def concerns_of(box: np.ndarray, size: Size) -> list[str]:
    """What is odd about a sound box (4,)."""
    width, height = box[2:] - box[:2]
    if min(width, height) >= TINY_SIDE and width * height >= TINY_AREA * size[0] * size[1]:
        return []
    text = f"the box {_text(box)} is tiny: {width:g} x {height:g} pixels"
    if box.max() <= 1:
        text += "; are these shares of the image's size?"
    return [Fault(text, "tiny box")]


def numbers_of(box: np.ndarray, size: Size) -> dict[str, float]:
    """Size and centre of the box, as shares of the image's width, height and area."""
    x_min, y_min, x_max, y_max = (box / [size[1], size[0], size[1], size[0]]).tolist()
    return {
        "width": x_max - x_min,
        "height": y_max - y_min,
        "area": (x_max - x_min) * (y_max - y_min),
        "centre x": (x_min + x_max) / 2,
        "centre y": (y_min + y_max) / 2,
    }


def _text(box: np.ndarray) -> str:
    return f"({', '.join(f'{value:g}' for value in box)})"

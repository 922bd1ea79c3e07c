"""Points as labels: what is wrong or odd about some, and numbers that describe them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from usmt import Fault, Size

ONE_PLACE = 0.5
"""Pixels: two points that are nearer are in one place."""


def problems_of(label: Any, names: Sequence[str], size: Size) -> list[str]:
    """Why points of an image of this size (H, W) cannot be trained on."""
    try:
        points = np.asarray(label)
    except (TypeError, ValueError):  # ragged lists
        points = np.array(None)
    if points.dtype.kind not in "biuf":
        text = f"the points are not an array of numbers of shape ({len(names)}, 2)"
        return [Fault(text, "not points")]
    if points.shape != (len(names), 2):
        text = f"points of shape {points.shape}, expected ({len(names)}, 2)"
        return [Fault(text, "not points")]
    found: list[str] = []
    height, width = size
    for name, (x, y) in zip(names, points, strict=True):
        if not np.isfinite([x, y]).all():
            text = f"the point {name} is not finite: ({x:g}, {y:g})"
            found.append(Fault(text, "missing point"))
        elif not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            text = f"the point {name} at ({x:g}, {y:g}) is outside the image of "
            found.append(Fault(f"{text}{width} x {height} pixels", "point outside"))
    return found


def concerns_of(points: np.ndarray, names: Sequence[str]) -> list[str]:
    """What is odd about sound points (P, 2)."""
    if ((points >= 0) & (points <= 1)).all() and (points % 1).any():
        text = "all points are within the first pixel: are these shares of the image's size?"
        return [Fault(text, "points as shares")]
    found: list[str] = []
    for (one, a), (other, b) in combinations(zip(names, points, strict=True), 2):
        if np.hypot(*(a - b)) < ONE_PLACE:
            text = f"the points {one} and {other} are in one place: ({a[0]:g}, {a[1]:g})"
            found.append(Fault(text, "points in one place"))
    for name, point in zip(names, points, strict=True):
        if not point.any():
            text = f"the point {name} is at (0, 0), as points are written that are missing"
            found.append(Fault(text, "point at (0, 0)"))
    return found


def numbers_of(points: np.ndarray, names: Sequence[str], size: Size) -> dict[str, float]:
    """Where the points lie, as shares of the image's width and height."""
    numbers: dict[str, float] = {}
    for name, (x, y) in zip(names, (points + 0.5) / (size[1], size[0]), strict=True):
        numbers |= {f"{name} x": float(x), f"{name} y": float(y)}
    return numbers

"""Masks as labels: what is wrong or odd about one, and numbers that describe it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from usmt import Fault, Size


def problems_of(label: Any, classes: Sequence[str], size: Size) -> list[str]:
    """Why a mask of an image of this size (H, W) cannot be trained on."""
    try:
        mask = np.asarray(label)
    except (TypeError, ValueError):  # ragged lists
        mask = np.array(None)
    if mask.dtype.kind not in "biuf":
        return [Fault("the mask is not an array of numbers", "not a mask")]
    values = values_of(mask)
    found: list[str] = []
    if mask.shape != size:
        text = f"a mask of {_shape(mask.shape)} pixels for an image of {_shape(size)} pixels"
        found.append(Fault(text, "size mismatch"))
    foreign = [value for value in values if value not in range(len(classes))]
    if mask.ndim == 2 and foreign:
        found.append(_foreign_values(values, foreign, len(classes)))
    return found


def _foreign_values(values: list[Any], foreign: list[Any], count: int) -> Fault:
    shown = ", ".join(map(str, foreign[:6])) + (", ..." if len(foreign) > 6 else "")
    text = f"the mask has the values {shown}, expected 0 to {count - 1}"
    if not set(values) <= {0, 255}:
        return Fault(text, "mask values")
    if count == 2:
        text = "the mask has the values 0 and 255, expected 0 and 1: divide it by 255"
    else:
        text += ": give each class its own number in place of 255"
    return Fault(text, "mask of 0 and 255")


def concerns_of(mask: np.ndarray) -> list[str]:
    """What is odd about a sound mask."""
    if mask.any():
        return []
    return [Fault("the mask is empty: all of it is background", "empty mask")]


def shares_of(mask: np.ndarray, count: int) -> list[float]:
    """The share of each class in the mask's area."""
    counts = np.bincount(mask.astype(np.int64).ravel(), minlength=count)
    return (counts / mask.size).tolist()


def values_of(mask: np.ndarray) -> list[Any]:
    """The values that an array holds, in order."""
    if mask.dtype == np.uint8:  # many times faster than sorting
        return np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist()
    return np.unique(mask).tolist()


def _shape(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, reversed(size)))

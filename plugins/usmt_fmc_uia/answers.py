"""What one prediction says, and what is wrong with it, by its type."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from usmt import DataError, Size, read_mask

TOLERANCE = 1.0
"""Pixels by which a place may be outside the image, or be another in pixels than as a share of the
image's sides: both are rounded."""

SUM_TOLERANCE = 1e-3

MOST = 1e9
"""Numbers beyond are not taken for one: no image is wider."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong, or odd, with a prediction; the fields are those of a `Defect`."""

    reason: str
    kind: str
    severity: Literal["error", "warning"] = "error"


# -- the values of an entry


def class_number(entry: dict[str, Any], classes: int | None) -> int | Flaw:
    """The predicted class, in 0 .. K - 1 if their number K is known; 1.0 is 1, as some tools write
    it."""
    if "predicted_class" not in entry:
        return Flaw("has no predicted_class", "missing key")
    value = entry["predicted_class"]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return Flaw(f"predicted_class is {_shown(value)}, expected a whole number", "form")
    if classes is not None and not 0 <= value < classes:
        text = f"predicted_class is {_shown(value)}, expected 0 to {classes - 1}"
        return Flaw(text, "class out of range")
    return value


def numbers(entry: dict[str, Any], key: str, count: int | None) -> np.ndarray | Flaw:
    """The finite numbers under a key, float64 (count,); if that is not known, as many as there
    are, one at least."""
    if key not in entry:
        return Flaw(f"has no {key}", "missing key")
    values = entry[key]
    expected = f"expected {'a list of' if count is None else count} numbers"
    if not isinstance(values, list):
        return Flaw(f"{key} is {_shown(values)}, {expected}", "form")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return Flaw(f"{key} holds {_shown(value)}, {expected}", "form")
    if not values or len(values) != (count or len(values)):
        return Flaw(f"{key} has {len(values)} numbers, {expected}", "number of values")
    try:
        found = np.array(values, np.float64)
    except OverflowError:  # a whole number that no float reaches
        found = np.array([np.inf])
    if not (np.abs(found) <= MOST).all():  # false for NaN
        return Flaw(f"{key} holds a number that is not finite, or beyond {MOST:g}", "not finite")
    return found


def is_likeliest(chosen: int, probabilities: np.ndarray) -> bool:
    """Whether no class is more probable than the chosen one."""
    known = chosen in range(len(probabilities))
    return known and bool(probabilities[chosen] == probabilities.max())


# -- flaws


def classification_flaws(entry: dict[str, Any], classes: int | None) -> list[Flaw]:
    """`classes`: their number K; None if it is not known."""
    chosen, found = class_number(entry, classes), numbers(entry, "predicted_probs", classes)
    flaws = [each for each in (chosen, found) if isinstance(each, Flaw)]
    if isinstance(found, Flaw):
        return flaws
    if (found < 0).any():
        text = f"predicted_probs has the negative probability {found.min():g}"
        flaws.append(Flaw(text, "negative probability"))
    if abs(found.sum() - 1) > SUM_TOLERANCE:
        text = f"predicted_probs sums to {found.sum():g}, expected 1"
        flaws.append(Flaw(text, "sum of probabilities"))
    if isinstance(chosen, int) and not is_likeliest(chosen, found):
        text = f"predicted_class is {chosen}, but class {found.argmax()} is the most probable"
        flaws.append(Flaw(text, "not the arg max", "warning"))
    return flaws


def detection_flaws(entry: dict[str, Any], size: Size | None) -> list[Flaw]:
    """`size`: of the image, (H, W); None if it is not known."""
    pixels, flaws = _places(entry, "bbox", 4, size)
    if pixels is None:
        return flaws
    x_min, y_min, x_max, y_max = pixels
    if x_max <= x_min or y_max <= y_min:
        text = f"bbox_pixels {_text(pixels)} is inverted or empty: x_min < x_max, y_min < y_max"
        # What is left of a box that a network puts beside the image is empty, and no mistake.
        inverted = x_max < x_min or y_max < y_min
        flaws.append(Flaw(text, "inverted box", "error" if inverted else "warning"))
    if size is not None and _outside(pixels, size).max() > TOLERANCE:
        text = f"bbox_pixels {_text(pixels)} is outside the image of {_pixels(size)} pixels"
        flaws.append(Flaw(text, "outside the image"))
    return flaws


def regression_flaws(entry: dict[str, Any], points: int | None, size: Size | None) -> list[Flaw]:
    """`points`: their number P, `size`: of the image, (H, W); None if it is not known."""
    count = None if points is None else 2 * points
    pixels, flaws = _places(entry, "predicted_points", count, size)
    if pixels is None or size is None:
        return flaws
    for number, reach in enumerate(_outside(pixels, size), start=1):
        if reach.max() > TOLERANCE:
            point = _text(pixels[2 * number - 2 : 2 * number])
            text = f"point {number} at {point} is outside the image of {_pixels(size)} pixels"
            flaws.append(Flaw(text, "outside the image", "warning"))
    return flaws


def mask_flaws(path: Path, classes: int | None, size: Size | None) -> list[Flaw]:
    """Of a file that is there; `classes`: their number K, `size`: of the image, (H, W)."""
    import cv2

    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is not None and pixels.ndim == 3:
        return [Flaw("the mask is in colour, expected a grey PNG of class numbers", "colour")]
    try:
        mask = read_mask(path, classes or 256)
    except DataError as error:
        return [Flaw(f"the mask cannot be read: {error.message}", "unreadable mask")]
    flaws = []
    if pixels is None or pixels.dtype != np.uint8 or not np.array_equal(pixels, mask):
        text = "the mask is not a grey PNG of 8 bits: other class numbers may be read from it"
        flaws.append(Flaw(text, "unreadable mask"))
    if size is not None and mask.shape != size:
        text = f"the mask has {_pixels(mask.shape)} pixels, the image {_pixels(size)}"
        flaws.append(Flaw(text, "size of the mask"))
    if classes is not None and mask.max() >= classes:
        foreign = np.unique(mask[mask >= classes]).tolist()
        shown = ", ".join(map(str, foreign[:6])) + (", ..." if len(foreign) > 6 else "")
        text = f"the mask has the values {shown}, expected 0 to {classes - 1}"
        flaws.append(Flaw(text, "values of the mask"))
    return flaws


def _places(
    entry: dict[str, Any], name: str, count: int | None, size: Size | None
) -> tuple[np.ndarray | None, list[Flaw]]:
    """The numbers of `NAME_pixels`, pairs of x and y, if they are sound, and what is wrong with
    them or with those of `NAME_normalized`."""
    pixels, shares = (numbers(entry, f"{name}_{unit}", count) for unit in ("pixels", "normalized"))
    flaws = [each for each in (pixels, shares) if isinstance(each, Flaw)]
    if isinstance(pixels, Flaw) or len(pixels) % 2:
        return None, flaws
    if not isinstance(shares, Flaw) and len(shares) == len(pixels) and size is not None:
        apart = np.abs(shares.reshape(-1, 2) * size[::-1] - pixels.reshape(-1, 2)).max()
        if apart > TOLERANCE:
            text = f"{name}_normalized and {name}_pixels are {apart:.1f} pixels apart"
            flaws.append(Flaw(text, "pixels and shares disagree"))
    return pixels, flaws


def _outside(pixels: np.ndarray, size: Size) -> np.ndarray:
    """Pixels by which each point (x, y) is outside, (P, 2)."""
    points = pixels.reshape(-1, 2)
    return np.maximum(np.maximum(-points, points - size[::-1]), 0)


def _text(values: np.ndarray) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"


def _pixels(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, reversed(size)))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."

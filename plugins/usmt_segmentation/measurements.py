"""Areas, and ellipses about outlines, as a task's spec declares them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field, model_serializer

from usmt import Measurement, MeasurementSpec, ellipse_circumference


class ClassMeasurement(MeasurementSpec):
    """`class`: name of the class that is measured.

    `area`: of all of its pixels. `ellipse_circumference`, `ellipse_long_axis` and
    `ellipse_short_axis`: of the ellipse fitted to the outline of its largest connected part.
    """

    kind: Literal["area", "ellipse_circumference", "ellipse_long_axis", "ellipse_short_axis"]
    of: str = Field(alias="class")

    @model_serializer
    def _as_written(self) -> dict[str, str]:
        return {"kind": self.kind, "class": self.of}

    def measure(self, held: np.ndarray, pixel_size: tuple[float, float]) -> Measurement:
        """From where the class is, bool (H, W); NaN if it is nowhere."""
        if self.kind == "area":
            area = float(held.sum() * pixel_size[0] * pixel_size[1])
            return Measurement(area if held.any() else float("nan"), "area")
        long, short = fitted_axes(held, pixel_size)
        if self.kind == "ellipse_long_axis":
            return Measurement(long, "length")
        if self.kind == "ellipse_short_axis":
            return Measurement(short, "length")
        return Measurement(ellipse_circumference(long, short), "length")


def fitted_axes(held: np.ndarray, pixel_size: tuple[float, float]) -> tuple[float, float]:
    """Lengths of the long and the short axis of the ellipse that is fitted to the outline of the
    largest connected part of a mask, bool (H, W): least squares (Fitzgibbon et al. 1999).

    Where the image's edge cuts the part off, the ellipse goes on beyond it. NaN where there is
    nothing, or no ellipse that is about as large as what it stands for.
    """
    import cv2

    part = largest_part(held)
    outline = outline_points(part) * np.array(pixel_size)
    nothing = (float("nan"), float("nan"))
    if len(outline) < 5:
        return nothing
    _, axes, _ = cv2.fitEllipseDirect(outline.astype(np.float32))
    short, long = sorted(axes)
    # A straight outline, of a part that reaches the image's edges, has no ellipse.
    if not np.pi / 4 * long * short > part.sum() * pixel_size[0] * pixel_size[1] / 2:
        return nothing
    return float(long), float(short)


def largest_part(held: np.ndarray) -> np.ndarray:
    """The largest connected part of a mask, without holes; bool (H, W)."""
    import cv2

    count, parts, stats, _ = cv2.connectedComponentsWithStats(held.astype(np.uint8))
    if count == 1:  # the background alone
        return held
    largest = parts == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
    outlines, _ = cv2.findContours(
        largest.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    filled: Any = cv2.drawContours(np.zeros_like(held, np.uint8), outlines, -1, 1, cv2.FILLED)
    return filled == 1


def outline_points(part: np.ndarray) -> np.ndarray:
    """Where a mask, bool (H, W), ends: (n, 2), x and y, halfway between each pixel that it holds
    and each neighbour (beside, above, below) that it does not. The outermost pixels' own centres
    would lie half a pixel inside the outline. Where the image ends is no outline."""
    rows, columns = np.nonzero(part[:, 1:] != part[:, :-1])
    beside = np.stack([columns + 0.5, rows], axis=1)
    rows, columns = np.nonzero(part[1:] != part[:-1])
    above = np.stack([columns, rows + 0.5], axis=1)
    return np.concatenate([beside, above])

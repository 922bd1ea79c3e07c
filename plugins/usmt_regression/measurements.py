"""Lengths, angles and areas between landmarks, as a task's spec declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from usmt import Measurement, MeasurementSpec, ellipse_circumference


class PointMeasurement(MeasurementSpec):
    """`points`: names of landmarks, as many as the kind takes, each once.

    `distance`: from one to the other. `angle`: at the second point, between the first and the
    third. `ellipse_circumference`: the ends of one axis, then those of the other. `area`: the
    corners of a polygon in their order.
    """

    kind: Literal["distance", "angle", "ellipse_circumference", "area"]
    points: list[str] = Field(min_length=1)

    COUNTS: ClassVar[Mapping[str, int]] = {"distance": 2, "angle": 3, "ellipse_circumference": 4}

    @field_validator("points")
    @classmethod
    def _as_many_as_needed(cls, names: list[str], info: ValidationInfo) -> list[str]:
        kind = info.data.get("kind", "")
        count = cls.COUNTS.get(kind)
        if count is not None and len(names) != count:
            raise ValueError(f"found {len(names)} points, expected {count} for kind {kind}")
        if kind == "area" and len(names) < 3:
            raise ValueError(f"found {len(names)} points, expected 3 or more for kind area")
        if len(set(names)) < len(names):
            raise ValueError("two of the points are the same")
        return names

    def measure(self, places: Mapping[str, np.ndarray]) -> Measurement:
        """From the place of each landmark, x and y in units of length."""
        points = np.array([places[name] for name in self.points], np.float64)
        if self.kind == "distance":
            return Measurement(float(np.linalg.norm(points[1] - points[0])), "length")
        if self.kind == "angle":
            return Measurement(angle(*points), "angle")
        if self.kind == "area":
            return Measurement(polygon_area(points), "area")
        return Measurement(circumference_through(points), "length")


def angle(first: np.ndarray, vertex: np.ndarray, second: np.ndarray) -> float:
    """Degrees, 0 to 180, at the vertex; NaN if it coincides with another point."""
    (ax, ay), (bx, by) = first - vertex, second - vertex
    if not (np.hypot(ax, ay) > 0 and np.hypot(bx, by) > 0):
        return float("nan")
    return float(np.degrees(np.arctan2(abs(ax * by - ay * bx), ax * bx + ay * by)))


def polygon_area(corners: np.ndarray) -> float:
    """Area of a polygon (n, 2) whose sides do not cross."""
    x, y = (corners - corners[0]).T
    return float(abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2)


def circumference_through(ends: np.ndarray) -> float:
    """Circumference of the ellipse with two diameters whose ends are given, (4, 2).

    They are taken as conjugate: as its axes if they are at right angles, and where pixels are not
    square as the axes that were drawn in the image, which are stretched to other diameters.
    """
    diameters = np.array([ends[1] - ends[0], ends[3] - ends[2]])
    if not np.isfinite(diameters).all():
        return float("nan")
    long, short = np.linalg.svd(diameters, compute_uv=False)
    return ellipse_circumference(float(long), float(short))

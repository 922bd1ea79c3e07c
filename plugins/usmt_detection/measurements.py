"""Sides of the box, as a task's spec declares them."""

from __future__ import annotations

from typing import Literal

import numpy as np

from usmt import Measurement, MeasurementSpec


class BoxMeasurement(MeasurementSpec):
    """`width` and `height` of the box."""

    kind: Literal["width", "height"]

    def measure(self, box: np.ndarray) -> Measurement:
        """Of a box (4,), x_min, y_min, x_max, y_max in units of length; NaN if it is empty."""
        width, height = box[2:] - box[:2]
        if not (width > 0 and height > 0):
            return Measurement(float("nan"), "length")
        return Measurement(float(width if self.kind == "width" else height), "length")

"""Measurements: how a spec declares one, what a result gives, and the formula of an ellipse.

Import these from `usmt`, not from here. This module imports no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number that a result gives, as a task's spec declares it.

    Attributes:
        value: NaN where the result does not give it (nothing was found, say).
        dimension: `length` and `area` are in units of the pixel size that was given, `angle` in
            degrees.
    """

    value: float
    dimension: Literal["length", "area", "angle"]


_UNITS = {"length": ("px", "mm"), "area": ("px²", "mm²"), "angle": ("°", "°")}
"""By dimension: without and with a pixel size."""


def in_units(in_pixels: Measurement, in_mm: Measurement | None) -> dict[str, float | None]:
    """One measurement as plain values by unit, None where the result does not give it.

    Args:
        in_pixels: taken with the pixel size (1, 1).
        in_mm: taken with the true one, in mm; None where that is not known.
    """
    pixels, millimetres = _UNITS[in_pixels.dimension]
    if in_mm is None:
        return {pixels: _plain(in_pixels.value)}
    # An angle is one number; where pixels are not square, the physical one is meant.
    both = {} if in_pixels.dimension == "angle" else {pixels: _plain(in_pixels.value)}
    return {**both, millimetres: _plain(in_mm.value)}


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


class MeasurementSpec(BaseModel):
    """Base of what a spec says under a measurement's name; a task type subclasses it with its own
    kinds of measurement and what they are taken of. Unknown keys are errors."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    kind: str


def ellipse_circumference(long: float, short: float) -> float:
    """Circumference of an ellipse, exact.

    Args:
        long, short: lengths of its two axes (from end to end), the long one first; NaN gives NaN.
    """
    from scipy.special import ellipe

    return 2 * long * float(ellipe(1 - (short / long) ** 2)) if long != 0 else 0.0

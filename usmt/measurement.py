"""Measurements: how a spec declares one, what a result gives, and the formula of an ellipse.

Import these from `usmt`, not from here. This module imports no torch.
"""

from __future__ import annotations

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

"""The JSON file beside an image: what was annotated on it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from usmt import DataError, Fault

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Coordinate = Annotated[float, Field(allow_inf_nan=False)]
Point = Annotated[list[Coordinate], Field(min_length=2, max_length=2)]
"""x and y in pixels, (0, 0) the centre of the top left pixel."""
Outline = Annotated[list[Point], Field(min_length=3)]

TOLERANCE = 0.05
"""Relative difference between a caliper's length as written and as drawn that rounding explains."""


class Strict(BaseModel):
    """Unknown keys are errors, and so is text where a number is meant."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, strict=True)


class Caliper(Strict):
    """A distance that was measured.

    Attributes:
        ends: its two ends.
        mm: its length, as the scanner wrote it down.
    """

    ends: Annotated[list[Point], Field(min_length=2, max_length=2)]
    mm: Positive


class Annotation(Strict):
    """What is known of one image.

    Attributes:
        image: the file's name.
        pixel_mm: width and height of a pixel in millimetres.
        diagnosis: in a word.
        outlines: by structure, its parts; no parts: it is not in the image. A structure that is
            not named was not looked for.
        calipers: by name.
    """

    image: str
    pixel_mm: Annotated[list[Positive], Field(min_length=2, max_length=2)]
    diagnosis: str | None = None
    outlines: dict[str, list[Outline]] = {}
    calipers: dict[str, Caliper] = {}

    @model_validator(mode="after")
    def _calipers_are_as_long_as_written(self) -> Annotation:
        """Else the pixel size or the ends are wrong, and nobody knows which."""
        width, height = self.pixel_mm
        for name, caliper in self.calipers.items():
            (x0, y0), (x1, y1) = caliper.ends
            drawn = math.hypot((x1 - x0) * width, (y1 - y0) * height)
            if abs(drawn - caliper.mm) > TOLERANCE * caliper.mm:
                raise ValueError(
                    f"the caliper '{name}' is {caliper.mm:g} mm long, but {drawn:.1f} mm from end "
                    f"to end at {width:g} x {height:g} mm a pixel"
                )
        return self


def read_annotation(path: Path, place: str) -> Annotation:
    """Raises `DataError` with the place, and the key or line of what is wrong."""
    try:
        return Annotation.model_validate_json(path.read_bytes())
    except OSError as error:
        text = f"{place}: cannot be read: {error.strerror}"
        raise DataError(Fault(text, "annotation")) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        where = f"{place}: {key}" if key else place
        reason = first["msg"].removeprefix("Value error, ")
        raise DataError(Fault(f"{where}: {reason}{more}", "annotation")) from None

"""How the pixels of a mask stand for classes, as `values` in a spec's `layout` says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from usmt import DataError, Fault, read_binary_mask, read_coloured_mask, read_mapped_mask, read_mask
from usmt_own_data.layout_fields import unknown_classes

Colour = tuple[int, int, int]


def _one_kind(values: dict[str, str]) -> dict[str, str]:
    if len({value.startswith("#") for value in values}) > 1:
        raise ValueError("grey values and colours are mixed, expected one kind")
    if beyond := [value for value in values if value[0] != "#" and int(value) > 255]:
        raise ValueError(f"{beyond[0]} is no grey value, expected 0 to 255")
    if len({value.lower().lstrip("0") for value in values}) < len(values):
        raise ValueError("one value is there twice, written in two ways")
    return values


PixelValue = Annotated[str, Field(pattern=r"^([0-9]{1,3}|#[0-9A-Fa-f]{6})$")]
MaskValues = (
    Literal["ids", "binary"]
    | Annotated[dict[PixelValue, str], Field(min_length=1), AfterValidator(_one_kind)]
)
"""`ids`: a pixel is the position of its class. `binary`: dark is the background, bright the other
class. Else the class of each grey value, or of each colour as `"#rrggbb"`."""


@dataclass(frozen=True, slots=True)
class MaskReader:
    """How the masks of one task are read; plain values with a stable `repr`.

    Attributes:
        classes: how many there are.
        binary: whether masks are dark and bright.
        greys, colours: pairs of a pixel and the position of its class. If there are none, pixels
            are positions themselves.
    """

    classes: int
    binary: bool = False
    greys: tuple[tuple[int, int], ...] = ()
    colours: tuple[tuple[Colour, int], ...] = ()

    def read(self, path: Path) -> np.ndarray:
        """Class ids, uint8 (H, W). Raises `DataError`."""
        try:
            return self._read(path)
        except DataError as error:
            reason = error.message
            if self.colours or not isinstance(reason, Fault) or "coloured" not in reason:
                raise
            text = f"{reason}, or the class of each colour in the spec's layout: "
            text += '`values: {"#ff0000": CLASS, ...}`'
            raise DataError(Fault(text, reason.kind)) from None

    def _read(self, path: Path) -> np.ndarray:
        if self.binary:
            return read_binary_mask(path)
        if self.colours:
            return read_coloured_mask(path, dict(self.colours))
        if self.greys:
            return read_mapped_mask(path, dict(self.greys))
        mask = read_mask(path, self.classes)
        if mask.max() == 255 and set(np.unique(mask)) <= {0, 255}:
            text = f"{path.name}: the mask has the values 0 and 255, expected class ids"
            raise DataError(Fault(f"{text}; say `values: binary` in layout", "mask of 0 and 255"))
        return mask


def mask_reader(values: MaskValues, classes: Sequence[str]) -> MaskReader:
    """For a spec without misfits."""
    if not isinstance(values, Mapping):
        return MaskReader(len(classes), binary=values == "binary")
    return MaskReader(
        len(classes),
        greys=tuple((int(v), classes.index(c)) for v, c in values.items() if v[0] != "#"),
        colours=tuple((_colour(v), classes.index(c)) for v, c in values.items() if v[0] == "#"),
    )


def misfits_of_values(values: MaskValues, classes: Sequence[str]) -> list[str]:
    """Why a task with these classes cannot have masks of these values."""
    if values == "binary" and len(classes) != 2:
        return [f"values: binary masks are of 2 classes, the task has {len(classes)}"]
    if not isinstance(values, Mapping):
        return []
    named = list(values.values())
    missing = [f"values: no value stands for '{name}'" for name in classes if name not in named]
    return [*unknown_classes("values", named, classes), *missing]


def _colour(value: str) -> Colour:
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)

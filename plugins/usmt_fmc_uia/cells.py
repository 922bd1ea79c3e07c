"""Cells as numbers and labels, and what is wrong with one that is neither."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from usmt import Fault

T = TypeVar("T")

KINDS = ("segmentation", "classification", "regression", "detection")
"""What `task_name` may be, in any case (the challenge writes `Regression`); also the names of the
task types that these columns serve."""

BOX = ("x_min", "y_min", "x_max", "y_max")

_INTEGER = re.compile(r"[+-]?[0-9]{1,9}(\.0*)?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

Label = int | tuple[float, ...] | tuple[tuple[float, float], ...]
"""A class, a box (x_min, y_min, x_max, y_max), or points (x, y); all in pixels of the image."""


class CellError(Exception):
    """What was found in one or more cells, and what was expected."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults

    @classmethod
    def of(cls, text: str, kind: str) -> CellError:
        return cls(Fault(text, kind))


def columns_of(kind: str, count: int) -> tuple[str, ...]:
    """The columns of a label; `count` is `num_classes`."""
    match kind:
        case "segmentation":
            return ("mask_path",)
        case "classification":
            return ("mask",)
        case "regression":
            return tuple(f"point_{i}_xy" for i in range(1, count + 1))
        case "detection":
            return BOX
        case _:
            raise ValueError(kind)


def parse_label(kind: str, count: int, cells: Mapping[str, str]) -> Label:
    """The label of a row that needs no file. Raises `CellError`, naming all cells at fault."""
    if kind == "classification":
        return integer("mask", cells["mask"])
    if kind == "detection":
        return tuple(_each(number, BOX, cells))
    points = tuple(_each(_point, columns_of(kind, count), cells))
    if cells.get(beyond := f"point_{count + 1}_xy"):
        raise CellError.of(f"{beyond} is filled, but num_classes is {count}", "num_classes")
    return points


def _each(
    parse: Callable[[str, str], T], columns: Iterable[str], cells: Mapping[str, str]
) -> list[T]:
    values: list[T] = []
    faults: list[str] = []
    for column in columns:
        try:
            values.append(parse(column, cells[column]))
        except CellError as error:
            faults += error.faults
    if faults:
        raise CellError(*faults)
    return values


def integer(column: str, cell: str) -> int:
    """A whole number; `3.0` is one, as pandas writes it."""
    if not _INTEGER.fullmatch(cell):
        raise _wrong(column, cell, "a whole number")
    return int(cell.partition(".")[0])


def number(column: str, cell: str) -> float:
    """A finite number."""
    value = float(cell) if _NUMBER.fullmatch(cell) else math.nan
    if not math.isfinite(value):
        raise _wrong(column, cell, "a number")
    return value


def _point(column: str, cell: str) -> tuple[float, float]:
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list) and len(found) == 2 and all(map(_finite, found)):
        return float(found[0]), float(found[1])
    raise _wrong(column, cell, '"[x, y]"', missing="missing point")


def _finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= 1e9  # false for NaN; no image is wider


def _wrong(column: str, cell: str, expected: str, missing: str = "missing value") -> CellError:
    shown = cell if len(cell) <= 40 else f"{cell[:37]}..."
    found = f"'{shown}'" if cell else "empty"
    kind = "wrong value" if cell else missing
    return CellError.of(f"{column} is {found}, expected {expected}", kind)

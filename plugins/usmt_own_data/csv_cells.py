"""Cells of a table as values, and what is wrong with one that is none.

All of these are given the name of a column, for the error, and a stripped cell.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

from usmt import Fault, Side, near
from usmt_own_data.layout_fields import SIDES

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LARGEST = 1e9
"""No image is wider."""
_FLAGS = {"0": False, "1": True, "false": False, "true": True}


class CellError(Exception):
    """What was found in a cell, and what was expected."""

    def __init__(self, column: str, cell: str, expected: str) -> None:
        shown = cell if len(cell) <= 40 else f"{cell[:37]}..."
        found = f"'{shown}'" if cell else "empty"
        text = f"{column} is {found}, expected {expected}"
        super().__init__(text)
        self.message = Fault(text, "wrong value" if cell else "missing value")


def number_in(column: str, cell: str) -> float:
    """A finite number with a decimal point."""
    value = float(cell) if _NUMBER.fullmatch(cell) else math.nan
    if not abs(value) <= _LARGEST:
        decimal = " with a decimal point" if "," in cell else ""
        raise CellError(column, cell, f"a number{decimal}")
    return value


def side_length_in(column: str, cell: str) -> float:
    """A number above 0; NaN for an empty cell."""
    if not cell:
        return math.nan
    if not (value := number_in(column, cell)) > 0:
        raise CellError(column, cell, "a number above 0")
    return value


def flag_in(column: str, cell: str) -> bool:
    """0 or 1, false or true."""
    if (value := _FLAGS.get(cell.lower())) is None:
        raise CellError(column, cell, "0 or 1")
    return value


def filled(what: str) -> Callable[[str, str], str]:
    """Any text."""

    def read(column: str, cell: str) -> str:
        if not cell:
            raise CellError(column, cell, what)
        return cell

    return read


def class_in(classes: Sequence[str], labels: Mapping[str, str]) -> Callable[[str, str], str]:
    """A class by its name, or by the text that stands for it."""

    def read(column: str, cell: str) -> str:
        name = labels.get(cell, cell)
        if name not in classes:
            raise CellError(column, cell, _one_of([*labels, *classes], cell))
        return name

    return read


def side_in(sides: Mapping[str, Side]) -> Callable[[str, str], Side | None]:
    """A side of the official split by its name, or by the text that stands for it; None for an
    empty cell."""

    def read(column: str, cell: str) -> Side | None:
        match sides.get(cell, cell.lower()):
            case "train" | "val" | "test" as side:
                return side
            case "":
                return None
            case _:
                raise CellError(column, cell, _one_of([*sides, *SIDES], cell))

    return read


def _one_of(names: Sequence[str], cell: str) -> str:
    listed = ", ".join(names[:8]) + ", ..." * (len(names) > 8)
    return listed + (near(cell, names) if cell else "")

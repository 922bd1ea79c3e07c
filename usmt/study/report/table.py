"""A table with two faces: rounded for people, exact as CSV."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usmt.study.findings import Interval
from usmt.study.report import wording
from usmt.whole_file import write_csv


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        key: in CSV; with `interval`, KEY_low and KEY_high stand beside it.
        title: for people.
        say: a value for people.
        number: aligned to the right.
    """

    key: str
    title: str
    say: Callable[[Any], str] = wording.plain
    number: bool = False
    interval: bool = False

    @classmethod
    def of(cls, key: str, title: str, number: Callable[[Any], str]) -> Column:
        """A column of numbers."""
        return cls(key, title, number, number=True)

    @classmethod
    def estimate(cls, key: str, title: str, number: Callable[[float], str]) -> Column:
        """A column of estimates with their intervals."""
        return cls(key, title, wording.interval(number), number=True, interval=True)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of values.

    Attributes:
        name: of its CSV file.
        note: a sentence on how to read it.
        folded: shown only when a reader opens it.
        on_page: the rows that the page shows; None for all. CSV has all.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    note: str = ""
    folded: bool = False
    on_page: Sequence[Sequence[Any]] | None = None

    def cells(self) -> list[list[str]]:
        """What people read, row by row."""
        rows = self.rows if self.on_page is None else self.on_page
        return [
            [column.say(value) for column, value in zip(self.columns, row, strict=True)]
            for row in rows
        ]

    def write(self, path: Path) -> None:
        """As CSV: full precision, empty where nothing is known."""
        header: list[str] = []
        for column in self.columns:
            header += _three(column.key) if column.interval else [column.key]
        rows = []
        for row in self.rows:
            exact: list[object] = []
            for column, value in zip(self.columns, row, strict=True):
                exact += _bounds(value) if column.interval else [value]
            rows.append([_exact(value) for value in exact])
        write_csv(path, header, rows)


def _three(key: str) -> list[str]:
    return [key, f"{key}_low", f"{key}_high"]


def _bounds(value: Interval | None) -> list[object]:
    return [None] * 3 if value is None else [value.value, value.low, value.high]


def _exact(value: object) -> object:
    if isinstance(value, list | tuple):
        return " ".join(str(_exact(item)) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "item"):  # of numpy
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        return ""
    return "" if value is None else value

"""CSV files as rows that know their line, without any guess about what cannot be read."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from usmt_fmc_uia.cells import nearest

COMMON = ("task_id", "task_name", "num_classes", "image_path")
"""Columns that every CSV has."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells by column; `defect` if it has too few or too many of them. Cells are
    stripped, but for paths, which stay byte for byte what they are."""

    place: str
    cells: dict[str, str]
    defect: str | None = None

    @property
    def task(self) -> str:
        return self.cells.get("task_id", "")


@dataclass(frozen=True, slots=True)
class Damage:
    """Why a file cannot be read, or not from some line on."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass(slots=True)
class Table:
    """One CSV file.

    Attributes:
        name: as people see it, e.g. `csv_files/fetal_head.csv`.
        columns: of the header.
        rows: all rows that are not blank.
        damage: of the file itself; what rows it would hold besides is not known.
        usable: whether the columns are there that every row needs.
    """

    name: str
    columns: tuple[str, ...] = ()
    rows: list[Row] = field(default_factory=list)
    damage: Damage | None = None
    usable: bool = False

    @property
    def header(self) -> str:
        return f"{self.name}:1"

    @property
    def tasks(self) -> set[str]:
        """The task_ids of its rows."""
        return {row.task for row in self.rows} - {""}


def read_table(path: Path) -> Table:
    """Reads `csv_files/NAME.csv`: UTF-8, with or without a byte order mark, else GBK."""
    table = Table(f"{path.parent.name}/{path.name}")
    try:
        text = _decode(path.read_bytes())
    except OSError as error:
        table.damage = Damage(table.header, f"cannot be read: {error.strerror}")
        return table
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        table.damage = Damage(f"{table.name}:{line}", "neither UTF-8 nor GBK text")
        return table
    try:
        for line, cells in _numbered(text):
            if not table.columns:
                table.columns = tuple(name.strip() for name in cells)
            elif any(cell.strip() for cell in cells):
                table.rows.append(_row(f"{table.name}:{line}", table.columns, cells))
    except _BrokenLineError as error:
        table.damage = Damage(f"{table.name}:{error.line}", f"not CSV: {error}")
    if problem := _column_problem(table.columns):
        table.damage = Damage(table.header, problem)
    else:
        table.usable = True
    return table


def missing_columns(needed: tuple[str, ...], columns: tuple[str, ...]) -> str | None:
    """What to say of needed columns that are not there."""
    missing = [name for name in needed if name not in columns]
    if not missing:
        return None
    spare = set(columns) - {*COMMON, *needed}
    named = ", ".join(f"'{name}'{nearest(name, spare)}" for name in missing)
    return f"missing column{'s' if len(missing) > 1 else ''} {named}"


class _BrokenLineError(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gbk")


def _numbered(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line that each begins on; strict, so that a quote which is never closed
    cannot swallow the rows after it."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _BrokenLineError(line, str(error)) from None
        if cells is None:
            return
        yield line, cells


def _row(place: str, columns: tuple[str, ...], cells: list[str]) -> Row:
    named = {
        name: cell if name.endswith("_path") else cell.strip()
        for name, cell in zip(columns, cells, strict=False)
    }
    if len(cells) == len(columns):
        return Row(place, named)
    return Row(place, named, f"{len(cells)} cells, but the header has {len(columns)} columns")


def _column_problem(columns: tuple[str, ...]) -> str | None:
    if not any(columns):
        return f"no header; expected the columns {', '.join(COMMON)} and those of the label"
    if twice := [name for name, count in Counter(columns).items() if name and count > 1]:
        return f"column '{twice[0]}' is there twice"
    return missing_columns(COMMON, columns)

"""CSV files as rows that know their line, without any guess about what cannot be read."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from usmt import Fault
from usmt_fmc_uia.cells import KINDS, nearest

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
    reason: Fault

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
        encoding: `utf-8`, `utf-8-sig` (with a byte order mark) or `gbk`.
        line_end: `\\n`, `\\r\\n` or `\\r`; of several, the one that is not the first of these.
    """

    name: str
    columns: tuple[str, ...] = ()
    rows: list[Row] = field(default_factory=list)
    damage: Damage | None = None
    usable: bool = False
    encoding: str = "utf-8"
    line_end: str = "\n"

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
        text, table.encoding = _decode(path.read_bytes())
    except OSError as error:
        reason = Fault(f"cannot be read: {error.strerror}", "unreadable file")
        table.damage = Damage(table.header, reason)
        return table
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        reason = Fault("neither UTF-8 nor GBK text", "unknown encoding")
        table.damage = Damage(f"{table.name}:{line}", reason)
        return table
    table.line_end = _line_end(text)
    try:
        for line, cells in _numbered(text):
            if not table.columns:
                table.columns = tuple(name.strip() for name in cells)
            elif any(cell.strip() for cell in cells):
                table.rows.append(_row(f"{table.name}:{line}", table.columns, cells))
    except _BrokenLineError as error:
        reason = Fault(f"not CSV: {error}", "not CSV")
        table.damage = Damage(f"{table.name}:{error.line}", reason)
    if problem := _column_problem(table.columns):
        table.damage = Damage(table.header, problem)
    else:
        table.usable = True
    return table


def missing_columns(needed: tuple[str, ...], columns: tuple[str, ...]) -> Fault | None:
    """What to say of needed columns that are not there."""
    missing = [name for name in needed if name not in columns]
    if not missing:
        return None
    spare = set(columns) - {*COMMON, *needed}
    near = [nearest(name, spare) for name in missing]
    named = ", ".join(f"'{name}'{meant}" for name, meant in zip(missing, near, strict=True))
    text = f"missing column{'s' if len(missing) > 1 else ''} {named}"
    return Fault(text, "misspelt column" if any(near) else "missing column")


class _BrokenLineError(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def _decode(data: bytes) -> tuple[str, str]:
    """The text and its encoding."""
    try:
        text = data.decode("utf-8-sig")
        return text, "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
    except UnicodeDecodeError:
        return data.decode("gbk"), "gbk"


def _line_end(text: str) -> str:
    if "\r\n" in text:
        return "\r\n"
    return "\r" if "\r" in text else "\n"


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
    text = f"{len(cells)} cells, but the header has {len(columns)} columns"
    return Row(place, named, Fault(text, "broken row"))


def _column_problem(columns: tuple[str, ...]) -> Fault | None:
    if not any(columns):
        text = f"no header; expected the columns {', '.join(COMMON)} and those of the label"
        return Fault(text, "no header")
    if not set(columns) & set(COMMON) and any(name.lower() in KINDS for name in columns):
        text = f"no header, the first line is a row; expected the columns {', '.join(COMMON)} and "
        return Fault(f"{text}those of the label", "no header")
    if twice := [name for name, count in Counter(columns).items() if name and count > 1]:
        return Fault(f"column '{twice[0]}' is there twice", "column twice")
    return missing_columns(COMMON, columns)

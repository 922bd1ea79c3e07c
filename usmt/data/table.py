"""CSV files as rows that know their line, without any guess about what cannot be read."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from usmt.errors import Defect, Fault


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a table.

    Attributes:
        place: where a person finds it: `lesions.csv:12`.
        cells: by column, as they stand in the file.
        defect: if it has too few or too many cells.
    """

    place: str
    cells: dict[str, str]
    defect: Fault | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One CSV file.

    Attributes:
        name: as people see it.
        columns: of the header, stripped; empty if there is none.
        rows: all rows that are not blank.
        damage: why the file cannot be read, or not from some line on; what rows it would hold
            besides is not known.
        encoding: `utf-8`, `utf-8-sig` (with a byte order mark) or another that was allowed.
        line_end: `\\n`, `\\r\\n` or `\\r`; of several, the one that is not the first of these.
    """

    name: str
    columns: tuple[str, ...] = ()
    rows: Sequence[TableRow] = ()
    damage: Defect | None = None
    encoding: str = "utf-8"
    line_end: str = "\n"

    @property
    def header(self) -> str:
        """The place of the header."""
        return f"{self.name}:1"

    @property
    def repeated(self) -> str | None:
        """The first column that is there twice; its cells are not to be trusted."""
        counts = Counter(filter(None, self.columns))
        return next((name for name, count in counts.items() if count > 1), None)


class BrokenLineError(Exception):
    """A line from which on a text is not CSV."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def read_table(
    path: Path, *, name: str = "", delimiter: str = ",", encodings: Sequence[str] = ("UTF-8",)
) -> Table:
    """Reads a CSV file with a header. Never raises: see `Table.damage`.

    Args:
        name: as people see it; by default the file's own.
        delimiter: between cells, one character.
        encodings: those that are tried, in this order. UTF-8 may begin with a byte order mark.
    """
    name = name or path.name
    try:
        text, encoding = _decode(path.read_bytes(), encodings)
    except OSError as error:
        return Table(name, damage=_damage(name, 1, f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        tried = ("neither " if encodings[1:] else "not ") + " nor ".join(encodings)
        return Table(name, damage=_damage(name, line, f"{tried} text", "unknown encoding"))
    columns: tuple[str, ...] = ()
    rows: list[TableRow] = []
    damage = None
    try:
        for line, cells in csv_lines(text, delimiter):
            if not columns:
                columns = tuple(cell.strip() for cell in cells)
            elif any(cell.strip() for cell in cells):
                rows.append(_row(f"{name}:{line}", columns, cells))
    except BrokenLineError as error:
        damage = _damage(name, error.line, f"not CSV: {error}", "not CSV")
    return Table(name, columns, rows, damage, encoding, _line_end(text))


def csv_lines(text: str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Rows with the line that each begins on; strict, so that a quote which is never closed
    cannot swallow the rows after it. Raises `BrokenLineError`."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise BrokenLineError(line, str(error)) from None
        if cells is None:
            return
        yield line, cells


def _damage(name: str, line: int, text: str, kind: str = "unreadable file") -> Defect:
    return Defect("", f"{name}:{line}", Fault(text, kind), kind)


def _decode(data: bytes, encodings: Sequence[str]) -> tuple[str, str]:
    """The text and its encoding. Raises what the last encoding that is tried does."""
    for encoding in encodings[:-1]:
        try:
            return _decode(data, [encoding])
        except UnicodeDecodeError:
            continue
    encoding = encodings[-1].lower()
    if encoding == "utf-8" and data.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    return data.decode(encoding), encoding


def _line_end(text: str) -> str:
    if "\r\n" in text:
        return "\r\n"
    return "\r" if "\r" in text else "\n"


def _row(place: str, columns: tuple[str, ...], cells: list[str]) -> TableRow:
    named = dict(zip(columns, cells, strict=False))
    if len(cells) == len(columns):
        return TableRow(place, named)
    text = f"{len(cells)} cells, but the header has {len(columns)} columns"
    return TableRow(place, named, Fault(text, "broken row"))

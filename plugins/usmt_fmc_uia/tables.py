"""The challenge's CSV files: which task a row is of, and whether the columns are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import usmt
from usmt import Defect, Fault, near
from usmt_fmc_uia.cells import KINDS

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
    columns: tuple[str, ...]
    rows: Sequence[Row]
    damage: Defect | None
    usable: bool
    encoding: str
    line_end: str

    @property
    def header(self) -> str:
        return f"{self.name}:1"

    @property
    def tasks(self) -> set[str]:
        """The task_ids of its rows."""
        return {row.task for row in self.rows} - {""}


def read_table(path: Path) -> Table:
    """Reads `csv_files/NAME.csv`: UTF-8, with or without a byte order mark, else GBK."""
    name = f"{path.parent.name}/{path.name}"
    read = usmt.read_table(path, name=name, encodings=("UTF-8", "GBK"))
    rows = [Row(row.place, _stripped(row.cells), row.defect) for row in read.rows]
    damage, usable = read.damage, False
    if read.columns or damage is None or damage.kind == "not CSV":
        problem = _column_problem(read)
        usable = problem is None
        if problem is not None:
            damage = Defect("", read.header, problem, problem.kind)
    return Table(name, read.columns, rows, damage, usable, read.encoding, read.line_end)


def _stripped(cells: dict[str, str]) -> dict[str, str]:
    return {name: cell if name.endswith("_path") else cell.strip() for name, cell in cells.items()}


def missing_columns(needed: tuple[str, ...], columns: tuple[str, ...]) -> Fault | None:
    """What to say of needed columns that are not there."""
    missing = [name for name in needed if name not in columns]
    if not missing:
        return None
    spare = set(columns) - {*COMMON, *needed}
    meant = [near(name, spare) for name in missing]
    named = ", ".join(f"'{name}'{hint}" for name, hint in zip(missing, meant, strict=True))
    text = f"missing column{'s' if len(missing) > 1 else ''} {named}"
    return Fault(text, "misspelt column" if any(meant) else "missing column")


def _column_problem(table: usmt.Table) -> Fault | None:
    columns = table.columns
    if not any(columns):
        text = f"no header; expected the columns {', '.join(COMMON)} and those of the label"
        return Fault(text, "no header")
    if not set(columns) & set(COMMON) and any(name.lower() in KINDS for name in columns):
        text = f"no header, the first line is a row; expected the columns {', '.join(COMMON)} and "
        return Fault(f"{text}those of the label", "no header")
    if table.repeated:
        return Fault(f"column '{table.repeated}' is there twice", "column twice")
    return missing_columns(COMMON, columns)

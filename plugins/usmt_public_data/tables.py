"""CSV files that a dataset is downloaded with: all of the file, or an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from usmt import DataError, TableRow, near, read_table


def read_rows(path: Path, columns: Sequence[str], delimiter: str = ",") -> list[TableRow]:
    """All rows of a CSV file with a header, UTF-8; their cells are stripped, those that a row does
    not have are empty.

    Args:
        columns: that must be there; others may be.

    Raises:
        DataError: the file cannot be read as such a table; it names the line.
    """
    table = read_table(path, delimiter=delimiter)
    if table.damage is not None:
        place = path.parent / table.damage.place
        raise DataError(f"{place}: {table.damage.reason}", hint="Download it again.")
    for name in columns:
        if name not in table.columns:
            found = ", ".join(filter(None, table.columns)) or "nothing"
            meant = near(name, table.columns)
            raise DataError(f"{path}:1: no column '{name}'{meant}", hint=f"The header has: {found}")
        if table.columns.count(name) > 1:
            raise DataError(f"{path}:1: column '{name}' is there twice")
    return [
        replace(row, cells={name: row.cells.get(name, "").strip() for name in table.columns})
        for row in table.rows
    ]

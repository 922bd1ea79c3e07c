"""The dataset `csv`: one table that names images and their labels."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from usmt import (
    DataError,
    Dataset,
    DatasetCard,
    DatasetLayout,
    DatasetOptions,
    NamedFiles,
    Record,
    RootOptions,
    Table,
    TableRow,
    TaskSpec,
    entries_of,
    near,
    read_table,
    root_folder,
)
from usmt_own_data.content import Content, fingerprint_of, image_of, label_of
from usmt_own_data.csv_layout import DELIMITERS, CsvLayout, misfits_of_layout
from usmt_own_data.csv_rows import RowReader
from usmt_own_data.image_folders import shown
from usmt_own_data.other_spellings import SpelledFiles

FILES = """\
ROOT/
├── lesions.csv      one row for each image, a header first
└── images/0001.png  wherever the table says"""


class Csv(Dataset):
    """One CSV table, whose columns the spec names. Serves the four built-in task types, and those
    of plugins whose labels are a class, a mask, points, a box, a number, or a set of names.
    """

    name: ClassVar[str] = "csv"
    Options: ClassVar[type[DatasetOptions]] = RootOptions
    Layout: ClassVar[type[DatasetLayout]] = CsvLayout
    card: ClassVar[DatasetCard] = DatasetCard(
        title="Your own images, named in a table with their labels",
        organ="any",
        licence="that of your images",
        obtain="Any folder with tables: --data csv=ROOT. How tasks are written: "
        "docs/how_to/own_data.md",
        sources="the column that `layout.source` names; without it, none",
        splits="the column that `layout.split` names, if it does",
        files=FILES,
    )
    options: RootOptions

    def __init__(self, options: RootOptions) -> None:
        super().__init__(options)
        self._root = root_folder(self.name, options.root, expected="a folder with tables").resolve()
        self._read = lru_cache(maxsize=None)(read_table)  # a table may serve many tasks

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        return misfits_of_layout(CsvLayout.model_validate(task.layout), task)

    def records(self, task: TaskSpec) -> list[Record]:
        """Raises `DataError` for a table that cannot be read whole, that lacks a column, or in
        which no row is of the task."""
        return self._records(task, labelled=True)

    def unlabelled(self, task: TaskSpec) -> list[Record]:
        """The same rows; the columns of labels, source and split need not be there."""
        return self._records(task, labelled=False)

    def fingerprint(self, record: Record) -> str | None:
        return fingerprint_of(record)

    def pixel_size(self, record: Record) -> tuple[float, float] | None:
        content: Content = record.payload
        return content.pixel_size

    def read_image(self, record: Record) -> np.ndarray:
        """Also of a record with a defect, if its image is known."""
        return image_of(record)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        return label_of(record)

    def _records(self, task: TaskSpec, *, labelled: bool) -> list[Record]:
        layout = CsvLayout.model_validate(task.layout)
        table = self._table(layout)
        _check_columns(table, layout, labelled=labelled)
        folder = Path(layout.table).parent if layout.folder is None else Path(layout.folder)
        files = SpelledFiles(NamedFiles(self._root, self._root / folder), self._root / folder)
        reader = RowReader(task, layout, files, labelled=labelled)
        records = [reader.record(row) for row in table.rows if _is_wanted(row, layout)]
        if not records:
            wanted = ", ".join(f"{key} is {value}" for key, value in layout.where.items())
            reason = f"in no row {wanted}" if wanted else "there are no rows"
            raise DataError(f"{table.name}: {reason}", hint="`where` in the spec's layout chooses")
        return records

    def _table(self, layout: CsvLayout) -> Table:
        """Raises `DataError` for one that cannot be read from end to end."""
        path = self._root / layout.table
        if not path.is_file():
            beside = entries_of(path.parent) if path.parent.is_dir() else []
            meant = near(path.name, [shown(each.name) for each in beside if each != path])
            text = f"csv: '{self._root}' has no file '{layout.table}'{meant}"
            raise DataError(
                text + ", but a folder of this name" * path.is_dir(),
                hint="`table` in the spec's layout names it",
            )
        given = layout.delimiter or ("tab" if path.suffix.lower() == ".tsv" else "comma")
        table = self._read(path, name=layout.table, delimiter=DELIMITERS[given])
        if table.damage is not None:
            raise DataError(f"{table.damage}", hint="Save it as CSV UTF-8, as Excel calls it.")
        if table.repeated is not None:
            raise DataError(f"{table.header}: the column '{table.repeated}' is there twice")
        return table


def _check_columns(table: Table, layout: CsvLayout, *, labelled: bool) -> None:
    lacking = [
        f"no column '{name}'{near(name, table.columns)}, which `{key}` in the layout names"
        for key, name in dict.fromkeys(layout.columns(labelled=labelled))
        if name not in table.columns
    ]
    if not lacking:
        return
    if table.columns and table.columns[0].lower().startswith("sep="):
        hint = "Remove the first line: it is Excel's, and the header must be first."
        raise DataError(f"{table.header}: '{table.columns[0]}' is no header", hint=hint)
    header = ", ".join(table.columns) or "none"
    others = [name for name, char in DELIMITERS.items() if char in header]
    hint = f"its columns: {header[:200]}"
    if len(table.columns) == 1 and others:
        hint += f"; is `delimiter: {others[0]}` missing in the layout?"
    raise DataError(f"{table.header}: {'; '.join(lacking)}", hint=hint)


def _is_wanted(row: TableRow, layout: CsvLayout) -> bool:
    """A row with a defect counts as wanted where its cell is not there."""
    for column, texts in layout.where.items():
        cell = row.cells.get(column)
        wanted = [texts] if isinstance(texts, str) else texts
        if cell is not None and cell.strip() not in wanted:
            return False
    return True

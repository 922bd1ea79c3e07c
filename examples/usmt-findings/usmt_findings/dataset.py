"""The dataset `lung_reports`: images beside one table of what they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from usmt import (
    DataError,
    Dataset,
    DatasetCard,
    Fault,
    NamedFiles,
    Record,
    RootOptions,
    TableRow,
    TaskSpec,
    fingerprint_files,
    read_table,
    root_folder,
)

COLUMNS = ("image", "patient", "findings")
NONE = "none"
"""Written where an image shows no finding: an empty cell is one that nobody filled in."""


class LungReports(Dataset):
    """`findings.csv` has a row an image: its file, the patient, and the findings with `;`."""

    name = "lung_reports"
    options: RootOptions
    card = DatasetCard(
        title="Lung images with their reports",
        organ="lung",
        licence="not stated",
        obtain="Your own. `python tests/make_reports.py FOLDER` draws some.",
        sources="The column `patient`.",
        files="findings.csv with the columns image, patient, findings; the images beside it",
    )

    def __init__(self, options: RootOptions) -> None:
        """Raises `DataError` unless there is a table that can be read, with its columns."""
        super().__init__(options)
        root = root_folder(self.name, options.root, "findings.csv", expected="findings.csv, images")
        table = read_table(root / "findings.csv")
        if table.damage is not None:
            raise DataError(f"{self.name}: {table.damage}")
        if missing := [name for name in COLUMNS if name not in table.columns]:
            raise DataError(f"{self.name}: {table.header}: no column {', '.join(missing)}")
        self._rows = table.rows
        self._files = NamedFiles(root, root)

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        if task.type == "findings":
            return []
        return [f"{cls.name} has labels of type 'findings', not '{task.type}'"]

    def records(self, task: TaskSpec) -> list[Record]:
        seen: dict[str, str] = {}
        return [self._record(task, row, seen) for row in self._rows]

    def read_image(self, record: Record) -> np.ndarray:
        from usmt import read_image

        return read_image(self._file(record))

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        if record.payload is None:
            raise DataError(record.defect or f"{record.place}: no findings")
        return frozenset(record.payload)

    def fingerprint(self, record: Record) -> str | None:
        try:
            return fingerprint_files(record.payload, self._file(record))
        except DataError:
            return None

    def _file(self, record: Record) -> Path:
        return self._files.find("image", record.key)

    def _record(self, task: TaskSpec, row: TableRow, seen: dict[str, str]) -> Record:
        """`seen`, where each image was named first, is added to."""
        image, patient, cell = (row.cells.get(column, "").strip() for column in COLUMNS)
        key = image or row.place
        first = seen.setdefault(key, row.place)
        names = [name.strip() for name in cell.split(";")]
        try:
            if row.defect is not None:
                raise DataError(row.defect)
            self._files.find("image", image)
            if not patient:
                raise DataError(Fault("patient is empty", "missing value"))
            if first != row.place:
                raise DataError(Fault(f"image '{image}' is already in {first}", "duplicate row"))
            if not all(names) or len(set(names)) < len(names):
                text = f"findings is '{cell}', expected different names with ; or '{NONE}'"
                raise DataError(Fault(text, "findings"))
            shown, defect = [] if names == [NONE] else sorted(names), None
        except DataError as error:
            shown, defect = None, error.message
        return Record(
            task=task.id,
            key=key if first == row.place else row.place,
            source_id=patient or row.place,
            place=row.place,
            stratum=";".join(sorted(names)),
            payload=shown,
            defect=defect,
        )

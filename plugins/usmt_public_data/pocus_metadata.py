"""What names and metadata say of the files of POCUS, and where they do not agree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from usmt import Defect, TableRow, files_below, path_below
from usmt_public_data.tables import read_rows

CLASSES = ("covid", "pneumonia", "regular", "viral")
"""In the order of the authors' script."""
_NAMES = dict(zip(("cov", "pne", "reg", "vir"), CLASSES, strict=True))
_LABELS = dict(
    zip(("covid-19", "bacterial pneumonia", "regular", "viral pneumonia"), CLASSES, strict=True)
)

TABLE = "data/dataset_metadata.csv"
_FOLDER, _NAME, _LABEL, _PATIENT = "Current location", "Filename", "Label", "Patient ID / Name"
_ORIGIN, _URL = "Source ID", "URL (Video Name)"
_BEFORE_PATIENT = {"Gender": r"m|w|nd|n/a|", "Age": r"\d{1,3}|nd|n/a|"}
"""The columns before that of the patient, and what they hold; a comma without quotes in a comment
shifts another column's cell there, and another's to the patient."""
UNCERTAIN = "label_uncertain"
"""Folder of files of whose class the authors are not sure."""


class Metadata:
    """The rows of `data/dataset_metadata.csv` by the file that each is of; where several are of
    one file, the first. Raises `DataError`.

    Args:
        files: all that the rows may be of.
    """

    def __init__(self, root: Path, files: Sequence[Path]) -> None:
        self._rows: dict[tuple[str, str], TableRow] = {}
        self._named: dict[str, list[TableRow]] = {}
        self._mixed: set[str] = set()
        files_at = {_place(path) for path in files}
        for row in read_rows(root / TABLE, (_FOLDER, _NAME, _LABEL, _PATIENT)):
            name = row.cells[_NAME].lower()
            self._rows.setdefault((folder_of(row), name), row)
            if (folder_of(row), name) not in files_at:
                self._named.setdefault(name, []).append(row)
            if strange_cell(row) is not None:
                self._mixed.add(_cell(row, _ORIGIN))

    def row(self, path: Path) -> TableRow | None:
        """The table writes neither the suffix, nor upper and lower case as the files do. Where no
        row has the file's folder, it is the only row of this name whose own file is not there."""
        if (row := self._rows.get(_place(path))) is not None:
            return row
        same = self._named.get(_place(path)[1], [])
        return same[0] if len(same) == 1 else None

    def is_uncertain(self, path: Path) -> bool:
        """Whether the authors are not sure of the class, wherever the file lies."""
        row = self.row(path)
        return row is not None and UNCERTAIN in folder_of(row)

    def source(self, path: Path) -> str | None:
        """The patient; of a row without one, its source and video. Where the cells of any row of a
        source are shifted, all files of the source are one, for that row may be of any of its
        patients. None where nothing is known."""
        if (row := self.row(path)) is None:
            return None
        origin, url = _cell(row, _ORIGIN), _cell(row, _URL)
        if origin and origin in self._mixed:
            return f"source {origin}"
        if row.cells[_PATIENT] and strange_cell(row) is None:
            return f"patient {row.cells[_PATIENT]}"
        return f"source {origin}, {url}" if origin and url and strange_cell(row) is None else None


def folder_of(row: TableRow) -> str:
    """As the table has it, e.g. `pocus_videos/convex`."""
    return row.cells[_FOLDER].lower().removeprefix("data/").strip("/")


def strange_cell(row: TableRow) -> str | None:
    """The column before the patient whose cell cannot be its own; then the patient's is not
    either. None where all are sound, or not there."""
    return next(
        (
            column
            for column, pattern in _BEFORE_PATIENT.items()
            if not re.fullmatch(pattern, _cell(row, column), re.IGNORECASE)
        ),
        None,
    )


def _cell(row: TableRow, column: str) -> str:
    return row.cells.get(column, "")


def _place(path: Path) -> tuple[str, str]:
    """As rows name a file: folder and name in small letters."""
    return f"{path.parent.parent.name}/{path.parent.name}".lower(), path.stem.strip().lower()


def class_of(path: Path) -> str | None:
    """By the first three letters of the name."""
    return _NAMES.get(path.name[:3].lower())


def remarks_on(root: Path, files: Sequence[Path], metadata: Metadata) -> list[Defect]:
    """Of the metadata's rows, then of files. `files` are those that are read."""
    return [
        *_strange_rows(root, files, metadata),
        *_other_labels(root, files, metadata),
        *_without_row(root, files, metadata),
        *_not_read(root, files),
    ]


def _strange_rows(root: Path, files: Sequence[Path], metadata: Metadata) -> Iterator[Defect]:
    for path in files:
        if (row := metadata.row(path)) is None:
            continue
        place = f"data/{row.place}"
        if row.defect is not None:
            yield _odd(place, row.defect, row.defect.kind)
        if (column := strange_cell(row)) is not None:
            text = f"{column} is '{row.cells[column]}': the cells are shifted, and the patient of "
            text += (
                f"{path_below(root, path)} is not known; all files of its {_ORIGIN} are one source"
            )
            yield _odd(place, text, "contradiction")
        if folder_of(row) != _place(path)[0]:
            text = f"{_FOLDER} is '{row.cells[_FOLDER]}', but the file is {path_below(root, path)}"
            yield _odd(place, text, "location differs")


def _other_labels(root: Path, files: Sequence[Path], metadata: Metadata) -> Iterator[Defect]:
    for path in files:
        row, named = metadata.row(path), class_of(path)
        if row is None or named is None:
            continue
        label = row.cells[_LABEL]
        if _LABELS.get(label.lower()) != named:
            text = f"{_LABEL} is '{label}', but by its name {path_below(root, path)} is {named}"
            yield _odd(f"data/{row.place}", text, "contradiction")


def _without_row(root: Path, files: Sequence[Path], metadata: Metadata) -> Iterator[Defect]:
    lacking = [path for path in files if metadata.row(path) is None]
    if lacking:
        text = f"files without a row in {TABLE}, whose patient is not known: {len(lacking)}"
        yield _odd(path_below(root, lacking[0]), f"{text}; this is the first", "no metadata")


def _not_read(root: Path, files: Sequence[Path]) -> Iterator[Defect]:
    known = set(files)
    found = [
        path
        for folder in ("data/pocus_images", "data/pocus_videos")
        for path in files_below(root / folder)
        if path not in known
    ]
    if found:
        text = f"files that are not read: {len(found)}; this is the first. Of those in "
        text += f"{UNCERTAIN}, by folder or metadata, the authors are not sure of the class"
        yield _odd(path_below(root, found[0]), text, "file without a record")


def _odd(place: str, text: str, kind: str) -> Defect:
    return Defect("", place, text, kind, "warning")

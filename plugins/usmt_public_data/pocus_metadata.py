"""What names and metadata say of the files of POCUS, and where they do not agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from usmt import Defect, TableRow
from usmt_public_data.files import below
from usmt_public_data.tables import read_rows

CLASSES = ("covid", "pneumonia", "regular", "viral")
"""In the order of the authors' script."""
_NAMES = dict(zip(("cov", "pne", "reg", "vir"), CLASSES, strict=True))
_LABELS = dict(
    zip(("covid-19", "bacterial pneumonia", "regular", "viral pneumonia"), CLASSES, strict=True)
)

TABLE = "data/dataset_metadata.csv"
_FOLDER, _NAME, _LABEL, _PATIENT = "Current location", "Filename", "Label", "Patient ID / Name"


class Metadata:
    """The rows of `data/dataset_metadata.csv` by the file that each is of; where several are of
    one file, the first. Raises `DataError`."""

    def __init__(self, root: Path) -> None:
        self._rows: dict[tuple[str, str], TableRow] = {}
        for row in read_rows(root / TABLE, (_FOLDER, _NAME, _LABEL, _PATIENT)):
            folder = row.cells[_FOLDER].lower().removeprefix("data/").strip("/")
            self._rows.setdefault((folder, row.cells[_NAME].lower()), row)

    def row(self, path: Path) -> TableRow | None:
        """The table writes neither the suffix, nor upper and lower case as the files do."""
        folder = f"{path.parent.parent.name}/{path.parent.name}"
        return self._rows.get((folder, path.stem.strip().lower()))

    def patient(self, path: Path) -> str:
        """Empty where it is not known."""
        row = self.row(path)
        return row.cells[_PATIENT] if row else ""


def class_of(path: Path) -> str | None:
    """By the first three letters of the name."""
    return _NAMES.get(path.name[:3].lower())


def remarks_on(root: Path, files: Sequence[Path], metadata: Metadata) -> list[Defect]:
    """Of the metadata's rows, then of files. `files` are those that are read."""
    return [
        *_other_labels(root, files, metadata),
        *_without_row(root, files, metadata),
        *_not_read(root, files),
    ]


def _other_labels(root: Path, files: Sequence[Path], metadata: Metadata) -> Iterator[Defect]:
    for path in files:
        row, named = metadata.row(path), class_of(path)
        if row is None or named is None:
            continue
        label = row.cells[_LABEL]
        if _LABELS.get(label.lower()) != named:
            text = f"{_LABEL} is '{label}', but by its name {below(root, path)} is {named}"
            yield _odd(f"data/{row.place}", text, "contradiction")


def _without_row(root: Path, files: Sequence[Path], metadata: Metadata) -> Iterator[Defect]:
    lacking = [path for path in files if metadata.row(path) is None]
    if lacking:
        text = f"files without a row in {TABLE}, whose patient is not known: {len(lacking)}"
        yield _odd(below(root, lacking[0]), f"{text}; this is the first", "no metadata")


def _not_read(root: Path, files: Sequence[Path]) -> Iterator[Defect]:
    known = set(files)
    found = sorted(
        path
        for folder in ("data/pocus_images", "data/pocus_videos")
        for path in (root / folder).rglob("*")
        if path.is_file() and path not in known and path.name[0] != "."
    )
    if found:
        text = f"files that are not read: {len(found)}; this is the first. Of those in "
        text += "label_uncertain the authors are not sure of the class"
        yield _odd(below(root, found[0]), text, "file without a record")


def _odd(place: str, text: str, kind: str) -> Defect:
    return Defect("", place, text, kind, "warning")

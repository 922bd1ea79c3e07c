"""The dataset `hc18`: fetal heads, with the ellipse that their circumference is measured of."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from usmt import (
    DataError,
    Dataset,
    DatasetCard,
    Defect,
    Fault,
    Faults,
    Record,
    RootOptions,
    TableRow,
    TaskSpec,
    fingerprint_files,
    path_below,
    read_binary_mask,
    root_folder,
)
from usmt_public_data.ellipse import Ellipse, fitted_ellipse
from usmt_public_data.files import (
    image_at,
    is_there,
    misfits_of,
    missing_file,
    nested_folder,
    unnamed_images,
    unpacked_folder,
)
from usmt_public_data.tables import read_rows

TRAINING, TEST = "training_set", "test_set"
TRAINING_TABLE = "training_set_pixel_size_and_HC.csv"
TEST_TABLE = "test_set_pixel_size.csv"
NAME, PIXEL_SIZE, CIRCUMFERENCE = "filename", "pixel size(mm)", "head circumference (mm)"

_NAMED = re.compile(r"(\d+)_\d*HC\.png")

SERVED = {"segmentation": ("background", "head")}

OFF = 0.01
"""Share by which the circumference of a drawn ellipse may differ from the table's."""
STRAY, STRAY_SHARE = 1.5, 0.02
"""Pixels that a line may be away from its ellipse, in the mean: so many, or this share of the short
half axis. A filled ellipse is further away from any ellipse."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a record is read from.

    Attributes:
        image: None where the table names none.
        outline: image of the line around the head; None in the test set.
        pixel_size: mm; NaN if it cannot be read.
        circumference: mm; NaN if it cannot be read, or is not given.
    """

    image: Path | None
    outline: Path | None
    pixel_size: float
    circumference: float


class Hc18(Dataset):
    """The training and the test set of HC18.

    A label is the inside of the ellipse through the middle of the drawn line. Its circumference
    must be the table's, within 1 %.
    """

    name: ClassVar[str] = "hc18"
    card: ClassVar[DatasetCard] = DatasetCard(
        title="HC18: fetal heads, with the ellipse of their circumference",
        organ="fetal_head",
        images=1334,
        home="https://zenodo.org/records/1327317",
        licence="CC BY 4.0",
        citation="van den Heuvel TLA, de Bruijn D, de Korte CL, van Ginneken B. Automated "
        "measurement of fetal head circumference using 2D ultrasound images. PLoS ONE 13(8) (2018) "
        "e0200412; data: doi:10.5281/zenodo.1327317",
        obtain="Download the two archives and the two tables from Zenodo, and unpack the archives "
        "beside the tables.",
        sources="The number that a file's name begins with: 010_HC.png and 010_2HC.png are kept "
        "together. Women have no numbers.",
        splits="999 images for training, 335 for the test, whose labels are not given away: "
        "`usmt predict` predicts those.",
        files="training_set/: `000_HC.png`, `000_HC_Annotation.png` (the line), ...; "
        "training_set_pixel_size_and_HC.csv; test_set/: `000_HC.png`, ...; test_set_pixel_size.csv",
    )
    options: RootOptions

    def __init__(self, options: RootOptions) -> None:
        super().__init__(options)
        expected = f"ROOT/{TRAINING} and ROOT/{TRAINING_TABLE}"
        folder = unpacked_folder("hc18", options.root, TRAINING, TRAINING_TABLE)
        self._root = root_folder("hc18", folder, TRAINING, TRAINING_TABLE, expected=expected)

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        return misfits_of(task, SERVED)

    def records(self, task: TaskSpec) -> list[Record]:
        columns = (NAME, PIXEL_SIZE, CIRCUMFERENCE)
        rows = read_rows(self._root / TRAINING_TABLE, columns)
        return self._records(task, rows, TRAINING)

    def unlabelled(self, task: TaskSpec) -> list[Record]:
        """The test set, if it is there."""
        if not (self._root / TEST_TABLE).is_file():
            return []
        rows = read_rows(self._root / TEST_TABLE, (NAME, PIXEL_SIZE))
        return self._records(task, rows, TEST)

    def remarks(self) -> list[Defect]:
        images = [
            nested_folder(self._root / folder) / row.cells[NAME]
            for folder, table in ((TRAINING, TRAINING_TABLE), (TEST, TEST_TABLE))
            if (self._root / table).is_file()
            for row in read_rows(self._root / table, (NAME,))
        ]
        return unnamed_images(self._root, [*images, *map(_outline, images)], "no table names")

    def fingerprint(self, record: Record) -> str | None:
        head: Head = record.payload
        if head.image is None:
            return None
        label = (head.pixel_size, head.circumference)
        return fingerprint_files(label, *filter(None, (head.image, head.outline)))

    def pixel_size(self, record: Record) -> tuple[float, float] | None:
        head: Head = record.payload
        return None if math.isnan(head.pixel_size) else (head.pixel_size, head.pixel_size)

    def read_image(self, record: Record) -> np.ndarray:
        head: Head = record.payload
        return image_at(head.image, record)

    def read_label(self, record: Record, task: TaskSpec) -> np.ndarray:
        """Raises `DataError` for a line that is no ellipse, or has another circumference."""
        head: Head = record.payload
        if record.defect is not None:
            raise DataError(record.defect)
        if head.outline is None:
            raise DataError(f"{record.key}: the labels of the test set are not given away")
        line = read_binary_mask(head.outline)
        ellipse = drawn_ellipse(line, head.outline.name)
        measured = ellipse.circumference * head.pixel_size
        if abs(measured - head.circumference) > OFF * head.circumference:
            text = f"{head.outline.name}: the ellipse measures {measured:.1f} mm, the table "
            raise DataError(Fault(f"{text}says {head.circumference:.1f} mm", "head circumference"))
        return ellipse.mask((line.shape[0], line.shape[1]))

    def _records(self, task: TaskSpec, rows: Sequence[TableRow], folder: str) -> list[Record]:
        first: dict[str, str] = {}
        return [
            self._record(task, row, folder, first.setdefault(row.cells[NAME], row.place))
            for row in rows
        ]

    def _record(self, task: TaskSpec, row: TableRow, folder: str, first: str) -> Record:
        """`first` is the place of the first row with the same image."""
        name = row.cells[NAME]
        match = _NAMED.fullmatch(name)
        image = nested_folder(self._root / folder) / name if match else None
        outline = _outline(image) if image and folder == TRAINING else None
        sizes = {column: _number(row.cells[column]) for column in _columns(folder)}
        faults = [row.defect] if row.defect else []
        if match is None:
            text = f"{NAME} is '{name}', expected a name such as 010_HC.png or 010_2HC.png"
            faults.append(Fault(text, "wrong value"))
        elif first != row.place:
            faults.append(Fault(f"{NAME} '{name}' is already in {first}", "duplicate row"))
        for column, size in sizes.items():
            if math.isnan(size):
                text = f"{column} is '{row.cells[column]}', expected a number of mm"
                faults.append(Fault(text, "wrong value"))
        for path in filter(None, (image, outline)):
            if not is_there(path):
                faults.append(missing_file(self._root, path))
        return Record(
            task.id,
            key=path_below(self._root, image) if image and first == row.place else row.place,
            source_id=match[1] if match else row.place,
            place=row.place,
            payload=Head(image, outline, sizes[PIXEL_SIZE], sizes.get(CIRCUMFERENCE, math.nan)),
            defect=Faults(faults) if faults else None,
        )


def drawn_ellipse(line: np.ndarray, name: str) -> Ellipse:
    """The ellipse that a line, uint8 (H, W) with 1 where it is, was drawn along. Raises
    `DataError` with the file's name for one that is none."""
    rows, columns = np.nonzero(line)
    points = np.stack([columns, rows], axis=1)
    ellipse = fitted_ellipse(points)
    if ellipse is None or ellipse.distance(points).mean() > _most_stray(ellipse):
        raise DataError(Fault(f"{name}: not the line of an ellipse", "not an ellipse"))
    return ellipse


def _most_stray(ellipse: Ellipse) -> float:
    return max(STRAY, STRAY_SHARE * min(ellipse.a, ellipse.b))


def _outline(image: Path) -> Path:
    return image.with_name(f"{image.stem}_Annotation.png")


def _columns(folder: str) -> tuple[str, ...]:
    return (PIXEL_SIZE, CIRCUMFERENCE) if folder == TRAINING else (PIXEL_SIZE,)


def _number(cell: str) -> float:
    """NaN for what is no positive number."""
    try:
        number = float(cell)
    except ValueError:
        return math.nan
    return number if 0 < number < math.inf else math.nan

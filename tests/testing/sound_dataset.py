"""Small datasets that keep every rule: `spots.csv` beside PNG images."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from usmt import (
    DataError,
    Dataset,
    DatasetCard,
    Record,
    TaskSpec,
    fingerprint_files,
    read_image,
    root_folder,
)


class Shelf(Dataset):
    name = "shelf"
    card = DatasetCard(
        title="Spots on a shelf",
        organ="any",
        licence="not stated",
        obtain="Made by the tests.",
        sources="patients",
        files="spots.csv and images",
    )

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.root = root_folder("shelf", options.root, "spots.csv", expected="spots.csv")

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        return [] if task.type == "spot" else [f"it has spots, not {task.type}"]

    def records(self, task: TaskSpec) -> list[Record]:
        with (self.root / "spots.csv").open(encoding="utf-8") as file:
            return [
                self.record(task, line, row) for line, row in enumerate(csv.DictReader(file), 2)
            ]

    def record(self, task: TaskSpec, line: int, row: dict[str, str]) -> Record:
        try:
            place, defect = (float(row["x"]), float(row["y"])), None
        except ValueError:
            place, defect = None, "x and y must be numbers"
        return Record(
            task=task.id,
            key=row["image"],
            source_id=row["patient"],
            place=f"spots.csv:{line}",
            payload=place,
            defect=defect,
        )

    def read_image(self, record: Record) -> np.ndarray:
        return read_image(self.root / record.key)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        if record.defect is not None:
            raise DataError(record.defect)
        return record.payload

    def fingerprint(self, record: Record) -> str | None:
        return fingerprint_files(record.payload, self.root / record.key)


class ByLibrary(Shelf):
    """Images are read by a library that opens files itself; what is wrong is told."""

    def read_image(self, record: Record) -> np.ndarray:
        import cv2

        image = cv2.imread(str(self.root / record.key), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise DataError(f"{record.key}: no image that can be read")
        return image


class OneSource(Shelf):
    """All of them of one patient, as far as is known."""

    def record(self, task: TaskSpec, line: int, row: dict[str, str]) -> Record:
        return replace(super().record(task, line, row), source_id="p0")


class NamedTwice(Shelf):
    """A row that names the image of an earlier one has its key, and a defect that says so."""

    def records(self, task: TaskSpec) -> list[Record]:
        first: dict[str, Record] = {}
        return [
            record
            if first.setdefault(record.key, record) is record
            else replace(record, defect=f"it is named by {first[record.key].place} too")
            for record in super().records(task)
        ]


class Noted(Shelf):
    """A label that is in a file of its own: where there is nothing in it, it is the corner."""

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        words = (self.root / "note.txt").read_text(encoding="utf-8").split()
        return (float(words[0]), float(words[1])) if len(words) == 2 else (0.0, 0.0)

    def fingerprint(self, record: Record) -> str | None:
        return fingerprint_files(None, self.root / record.key, self.root / "note.txt")


def fill(root: Path) -> Path:
    """Six images of three patients, and a row that cannot be used."""
    from PIL import Image

    root.mkdir()
    rows = ["image,patient,x,y"]
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 255, (24, 32), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{number}.png")
        rows.append(f"{number}.png,p{number // 2},{3 * number},{2 * number}")
    (root / "note.txt").write_text("3 4\n", encoding="utf-8")
    (root / "spots.csv").write_text("\n".join([*rows, "7.png,p3,left,3"]) + "\n", encoding="utf-8")
    return root

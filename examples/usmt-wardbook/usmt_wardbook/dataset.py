"""The dataset `wardbook`, read strictly."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from usmt import (
    DataError,
    Dataset,
    DatasetCard,
    DatasetLayout,
    Defect,
    Fault,
    NamedFiles,
    Record,
    RootOptions,
    TaskSpec,
    fingerprint_files,
    read_table,
    root_folder,
)
from usmt_wardbook.annotation import Annotation, read_annotation
from usmt_wardbook.labels import SERVED, label_of

SIDES = ("train", "val", "test")
IMAGES = (".png", ".tif", ".tiff")


class WardbookLayout(DatasetLayout):
    """What a task says under `layout`."""

    calipers: list[str] = Field(
        default=[], description="regression: whose ends are the points, two each, in this order"
    )


class Wardbook(Dataset):
    """A folder a patient, with images and a JSON file beside each.

    Outlines serve segmentation (the classes are the structures' names), the diagnosis serves
    classification (the classes are its words), calipers serve regression (`layout: {calipers}`).
    An image on which a task's structure, diagnosis or caliper was not annotated is no record of it.
    """

    name = "wardbook"
    Layout = WardbookLayout
    options: RootOptions
    card = DatasetCard(
        title="The ward's book: examinations with outlines, calipers and a diagnosis",
        organ="breast",
        licence="not stated",
        obtain="Your own. `python tests/make_wardbook.py FOLDER` draws some.",
        sources="A folder a patient.",
        splits="split.csv, where it is there, with the columns patient and side.",
        files="PATIENT/IMAGE.png (or .tif) and PATIENT/IMAGE.json; split.csv",
    )

    def __init__(self, options: RootOptions) -> None:
        super().__init__(options)
        expected = "folders of patients with images and a JSON file beside each"
        self.root = root_folder(self.name, options.root, expected=expected)
        if not self._annotations:
            raise DataError(f"wardbook: '{self.root}' has no PATIENT/*.json", hint=expected)
        self._files = NamedFiles(self.root, self.root)
        self._sides = read_sides(self.root / "split.csv")

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        if task.type not in SERVED:
            return [f"wardbook has no labels of type '{task.type}', only {', '.join(SERVED)}"]
        calipers, points = task.layout.get("calipers", []), getattr(task, "points", ())
        if task.type == "regression" and len(points) != 2 * len(calipers):
            named = f"{len(calipers)} names, two points each"
            return [f"calipers: {named}, but the task has {len(points)} points"]
        return []

    def records(self, task: TaskSpec) -> list[Record]:
        return [
            record for path in self._annotations if (record := self._record(task, path)) is not None
        ]

    def read_image(self, record: Record) -> np.ndarray:
        from usmt import read_image

        return read_image(self._files.find("image", record.key))

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        if not isinstance(record.payload, Annotation):
            raise DataError(record.defect or f"{record.place}: no annotation")
        if task.type != "segmentation":
            return label_of(task, record.payload, None)
        height, width = self.read_image(record).shape[:2]
        return label_of(task, record.payload, (height, width))

    def fingerprint(self, record: Record) -> str | None:
        """SHA-256 over the bytes of the image and its annotation."""
        return fingerprint_files(None, self.root / record.key, self.root / record.place)

    def pixel_size(self, record: Record) -> tuple[float, float] | None:
        """Of the annotation, so that calipers are predicted in mm."""
        if not isinstance(record.payload, Annotation):
            raise DataError(record.defect or f"{record.place}: no annotation")
        width, height = record.payload.pixel_mm
        return width, height

    def remarks(self) -> list[Defect]:
        """Images without an annotation: nobody would miss them otherwise."""
        annotated = {path.with_suffix("") for path in self._annotations}
        text = "there is no JSON file beside it"
        return [
            Defect("", self._place(path), text, kind="not annotated", severity="warning")
            for path in sorted(self.root.glob("*/*"))
            if path.suffix.lower() in IMAGES and path.with_suffix("") not in annotated
        ]

    @cached_property
    def _annotations(self) -> list[Path]:
        return sorted(self.root.glob("*/*.json"))

    def _place(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _record(self, task: TaskSpec, path: Path) -> Record | None:
        """None for an image on which the task's label was not annotated."""
        place, patient = self._place(path), path.parent.name
        side, key, annotation, defect = self._sides.get(patient), place, None, None
        try:
            annotation = read_annotation(path, path.name)
            if label_of(task, annotation, None) is None:
                return None
            if Path(annotation.image).stem != path.stem:
                text = f"image: '{annotation.image}' is not the file beside '{path.name}'"
                raise DataError(Fault(text, "annotation"))
            key = self._files.key(self._files.find("image", f"{patient}/{annotation.image}"))
            if self._sides and side is None:
                raise DataError(Fault(f"split.csv has no patient '{patient}'", "no side"))
        except DataError as error:
            defect = error.message
        return Record(
            task=task.id,
            key=key,
            source_id=patient,
            place=place,
            stratum=(annotation.diagnosis or "") if annotation else "",
            split=side,
            payload=annotation,
            defect=defect,
        )


def read_sides(path: Path) -> dict[str, Any]:
    """The official split: the side of each patient; none where there is no such file.

    Raises `DataError` with the line of what is wrong.
    """
    if not path.exists():
        return {}
    table = read_table(path)
    if table.damage is not None:
        raise DataError(f"wardbook: {table.damage}")
    if table.columns != ("patient", "side"):
        raise DataError(f"wardbook: {table.header}: the columns patient,side were expected")
    sides: dict[str, str] = {}
    for row in table.rows:
        patient, side = row.cells.get("patient", ""), row.cells.get("side", "")
        if row.defect or side not in SIDES or patient in sides:
            text = f"'{patient},{side}' is not a new patient and one of {', '.join(SIDES)}"
            raise DataError(f"wardbook: {row.place}: {row.defect or text}")
        sides[patient] = side
    return sides

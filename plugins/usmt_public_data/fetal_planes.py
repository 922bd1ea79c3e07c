"""FETAL_PLANES_DB: which standard plane a maternal-fetal scan shows."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from usmt import (
    Dataset,
    DatasetCard,
    DatasetLayout,
    Defect,
    Fault,
    Faults,
    Record,
    RootOptions,
    TableRow,
    TaskSpec,
    root_folder,
)
from usmt_public_data.files import (
    Files,
    fingerprint_of,
    image_of,
    is_there,
    label_of,
    misfits_of,
    missing_file,
    unnamed_images,
    unpacked_folder,
)
from usmt_public_data.tables import read_rows

TABLE = "FETAL_PLANES_DB_data.csv"
COLUMNS = ("Image_name", "Patient_num", "Plane", "Brain_plane", "Train")

CLASSES = {
    "Plane": (
        "Fetal abdomen",
        "Fetal brain",
        "Fetal femur",
        "Fetal thorax",
        "Maternal cervix",
        "Other",
    ),
    "Brain_plane": ("Trans-thalamic", "Trans-cerebellum", "Trans-ventricular", "Other"),
}
BRAIN, NO_BRAIN = "Fetal brain", "Not A Brain"
SIDES: dict[str, Literal["train", "test"]] = {"1": "train", "0": "test"}


class FetalPlanesLayout(DatasetLayout):
    """What the classes are. Of `Brain_plane`, only the images of fetal brains are the task's."""

    label: Literal["Plane", "Brain_plane"] = Field(
        default="Plane", description="the column that holds the classes"
    )


class FetalPlanes(Dataset):
    """`ROOT/FETAL_PLANES_DB_data.csv`, one row an image, and `ROOT/Images/IMAGE_NAME.png`.

    Classes are named as in the table. Where a spec names some of them, the other images are not
    the task's.
    """

    name = "fetal_planes"
    Layout = FetalPlanesLayout
    card: ClassVar[DatasetCard] = DatasetCard(
        title="FETAL_PLANES_DB: common maternal-fetal ultrasound planes",
        organ="fetus, maternal cervix",
        images=12400,
        home="https://zenodo.org/records/3904280",
        licence="CC BY 4.0",
        citation="Burgos-Artizzu et al., Evaluation of deep convolutional neural networks for "
        "automatic classification of common maternal fetal ultrasound planes, Scientific Reports "
        "10, 10200 (2020), doi:10.1038/s41598-020-67076-5",
        obtain="Download FETAL_PLANES_ZENODO.zip and unpack it; ROOT is the folder with Images.",
        sources="1,792 patients, column Patient_num",
        splits="column Train: 1 is train, 0 is test; no patient is on both sides",
        files=f"{TABLE} (cells separated by semicolons), Images/*.png",
    )
    options: RootOptions

    def __init__(self, options: RootOptions) -> None:
        super().__init__(options)
        expected = f"{TABLE} and Images/*.png, as in FETAL_PLANES_ZENODO.zip"
        needed = (TABLE, "Images")
        folder = unpacked_folder(self.name, options.root, *needed, name="FETAL_PLANES_ZENODO")
        self._root = root_folder(self.name, folder, *needed, expected=expected)

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        return misfits_of(task, {"classification": CLASSES[_label_column(task)]})

    def records(self, task: TaskSpec) -> list[Record]:
        """Rows of the task's classes, and every row whose class cannot be told."""
        column = _label_column(task)
        classes: list[str] = list(getattr(task, "classes", ()))
        first: dict[str, str] = {}
        records = []
        for row in self._rows:
            label, faults = _label(row, column)
            if label is None or label in classes:
                position = None if label is None else classes.index(label)
                records.append(self._record(task, row, position, label or "", faults, first))
        return records

    def remarks(self) -> list[Defect]:
        named = [self._image(row) for row in self._rows]
        return unnamed_images(self._root, named, f"no row of {TABLE} names")

    def fingerprint(self, record: Record) -> str | None:
        return fingerprint_of(record)

    def read_image(self, record: Record) -> np.ndarray:
        return image_of(record)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        return label_of(record, task)

    @cached_property
    def _rows(self) -> list[TableRow]:
        return read_rows(self._root / TABLE, COLUMNS, delimiter=";")

    def _image(self, row: TableRow) -> Path:
        return self._root / "Images" / f"{row.cells['Image_name']}.png"

    def _record(
        self,
        task: TaskSpec,
        row: TableRow,
        position: int | None,
        label: str,
        faults: list[Fault],
        first: dict[str, str],
    ) -> Record:
        """`first`, where each image was named first, is added to."""
        name, patient, train = (row.cells[key] for key in ("Image_name", "Patient_num", "Train"))
        image = self._image(row)
        if not name:
            faults.append(Fault("Image_name is empty", "missing value"))
        elif "/" in name or "\\" in name:
            faults.append(Fault(f"Image_name '{name}' is not a name", "path outside the root"))
        elif (place := first.setdefault(name, row.place)) != row.place:
            faults.append(Fault(f"Image_name '{name}' is already in {place}", "duplicate row"))
        elif not is_there(image):
            faults.append(missing_file(self._root, image))
        if not patient:
            faults.append(Fault("Patient_num is empty", "missing value"))
        if train not in SIDES:
            faults.append(Fault(f"Train is '{train}', expected 1 or 0", "wrong value"))
        return Record(
            task=task.id,
            key=f"Images/{name}.png" if name else row.place,
            source_id=f"patient {patient}" if patient else row.place,
            place=row.place,
            stratum=label,
            split=SIDES.get(train),
            payload=Files(image, label=position),
            defect=Faults(faults) if faults else None,
        )


def _label_column(task: TaskSpec) -> Literal["Plane", "Brain_plane"]:
    return FetalPlanesLayout.model_validate(task.layout).label


def _label(
    row: TableRow, column: Literal["Plane", "Brain_plane"]
) -> tuple[str | None, list[Fault]]:
    """The name of the row's class, None where it cannot be told; and what is wrong with both
    columns, which must agree on whether it is a brain. `Not A Brain` is a name, too."""
    if row.defect is not None:
        return None, [row.defect]
    plane, brain_plane = row.cells["Plane"], row.cells["Brain_plane"]
    known = {"Plane": CLASSES["Plane"], "Brain_plane": (*CLASSES["Brain_plane"], NO_BRAIN)}
    faults = [
        Fault(f"{name} is '{row.cells[name]}', expected {', '.join(known[name])}", "wrong value")
        for name in ("Plane", "Brain_plane")
        if row.cells[name] not in known[name]
    ]
    if not faults and (plane == BRAIN) == (brain_plane == NO_BRAIN):
        text = f"Plane is '{plane}', but Brain_plane is '{brain_plane}'"
        faults.append(Fault(text, "contradiction"))
    return (None if faults else row.cells[column]), faults

"""The dataset `ddti`: thyroid nodules with hand-drawn outlines and TI-RADS levels."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from usmt import (
    DataError,
    Dataset,
    DatasetCard,
    Defect,
    Fault,
    Record,
    RootOptions,
    TaskSpec,
    entries_of,
    fingerprint_files,
    path_below,
    read_image,
    root_folder,
)
from usmt_public_data.ddti_case import Case, Mark, Outline, read_case
from usmt_public_data.files import (
    image_at,
    images_in,
    is_there,
    misfits_of,
    missing_file,
    unnamed_images,
    unpacked_folder,
)
from usmt_public_data.polygon import polygon_mask

LEVELS = ("2", "3", "4a", "4b", "4c", "5")
"""TI-RADS levels as the files write them, from benign to most suspicious."""

SERVED = {"segmentation": ("background", "nodule"), "classification": LEVELS, "detection": ()}

_NAMED = re.compile(r"(\d+)_(\d+)\.jpg")


@dataclass(frozen=True, slots=True)
class Nodules:
    """What a record is read from.

    Attributes:
        outlines: of all nodules of the image.
        level: as its position in the spec's `classes`.
    """

    image: Path
    outlines: tuple[Outline, ...] = ()
    level: int | None = None


class Ddti(Dataset):
    """The images `CASE_NUMBER.jpg` and the descriptions `CASE.xml`, in one folder.

    A segmentation task has the images with an outline. A detection task has those with one; an
    image with several nodules has no one box. A classification task has the images of the cases
    with a TI-RADS level of its `classes`: the level is of the case, and so of each of its images.
    """

    name: ClassVar[str] = "ddti"
    card: ClassVar[DatasetCard] = DatasetCard(
        title="DDTI: thyroid nodules, with outlines and TI-RADS levels",
        organ="thyroid",
        images=480,
        home="http://cimalab.intec.co/applications/thyroid/",
        licence="not stated; its authors call it open access",
        citation="Pedraza L, Vargas C, Narvaez F, Duran O, Munoz E, Romero E. An open access "
        "thyroid ultrasound image database. Proc. SPIE 9287 (2015) 92870W, doi:10.1117/12.2073532",
        obtain="Download the archive from the authors' page, or its copy on Kaggle "
        "(dasmehdixtr/ddti-thyroid-ultrasound-images), and unpack it; ROOT is the folder with the "
        "XML files. Copies with masks made by others are laid out otherwise.",
        sources="The number of the case, taken as the patient: its images are kept together.",
        splits="none",
        files="`1.xml`, `1_1.jpg`, `1_2.jpg`, ...: a case and its images. In the XML <tirads> and, "
        "for each image, a <mark> with its number (<image>) and outlines as JSON (<svg>)",
    )
    options: RootOptions

    def __init__(self, options: RootOptions) -> None:
        super().__init__(options)
        expected = "ROOT/*.xml and ROOT/*.jpg"
        folder = unpacked_folder("ddti", options.root, "[0-9]*.xml", "[0-9]*_[0-9]*.jpg")
        self._root = root_folder("ddti", folder, expected=expected)
        self._files = [path for path in entries_of(self._root) if path.suffix == ".xml"]
        if not self._files:
            raise DataError(f"ddti: '{self._root}' has no XML file", hint=f"expected {expected}")

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        return misfits_of(task, SERVED)

    def records(self, task: TaskSpec) -> list[Record]:
        """One for each image, and one with a defect for each file that cannot be read."""
        records = []
        for case in self._cases:
            if case.damage is not None:
                key, damage = f"{case.name}.xml", case.damage
                records.append(Record(task.id, key, key, damage.place, defect=damage.reason))
            elif task.type == "classification":
                records += self._of_level(task, case)
            else:
                records += self._of_outlines(task, case)
        return records

    def remarks(self) -> list[Defect]:
        cases = {case.name for case in self._cases}
        named = [
            path
            for path in images_in(self._root)
            if (match := _NAMED.fullmatch(path.name)) and match[1] in cases
        ]
        remarks = unnamed_images(self._root, named, "belong to no case")
        for case in self._cases:
            file = f"{case.name}.xml"
            if case.tirads not in ("", *LEVELS):
                text = f"<tirads> is '{case.tirads}', expected {', '.join(LEVELS)} or nothing"
                remarks.append(Defect("", file, text, "wrong value", "warning"))
            if not self._images[case.name]:
                remarks.append(Defect("", file, "the case has no image", "no image", "warning"))
        return remarks

    def fingerprint(self, record: Record) -> str | None:
        nodules: Nodules | None = record.payload
        if nodules is None:
            return None
        return fingerprint_files((nodules.outlines, nodules.level), nodules.image)

    def read_image(self, record: Record) -> np.ndarray:
        return image_at(_nodules(record).image, record)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        """Raises `DataError` for an outline that no pixel of the image is inside of."""
        nodules = _nodules(record)
        if record.defect is not None:
            raise DataError(record.defect)
        if task.type == "classification":
            return nodules.level
        if task.type == "detection":
            (outline,) = nodules.outlines
            return np.concatenate([np.min(outline, axis=0), np.max(outline, axis=0)])
        height, width = read_image(nodules.image).shape[:2]
        masks = [polygon_mask(outline, (height, width)) for outline in nodules.outlines]
        if not all(mask.any() for mask in masks):
            text = f"an outline is around no pixel of {width} x {height}"
            raise DataError(Fault(f"{nodules.image.name}: {text}", "outline"))
        return np.maximum.reduce(masks)

    @cached_property
    def _cases(self) -> list[Case]:
        return [read_case(path) for path in self._files]

    @cached_property
    def _images(self) -> dict[str, list[Path]]:
        """By case, in the order of their numbers."""
        images: dict[str, list[Path]] = defaultdict(list)
        for path in images_in(self._root):
            if match := _NAMED.fullmatch(path.name):
                images[match[1]].append(path)
        return images

    def _of_level(self, task: TaskSpec, case: Case) -> list[Record]:
        classes: list[str] = list(getattr(task, "classes", ()))
        if case.tirads not in classes:
            return []
        level = classes.index(case.tirads)
        return [
            self._record(task, case, f"{case.name}.xml", Nodules(image, level=level), case.tirads)
            for image in self._images[case.name]
        ]

    def _of_outlines(self, task: TaskSpec, case: Case) -> list[Record]:
        marks: dict[str, list[Mark]] = defaultdict(list)
        for mark in case.marks:
            marks[mark.image].append(mark)
        records = []
        for number, its in marks.items():
            outlines = tuple(dict.fromkeys(each for mark in its for each in mark.outlines))
            defect = next((mark.defect for mark in its if mark.defect is not None), None)
            one_box = task.type != "detection" or len(outlines) == 1
            if defect is not None or (outlines and one_box):
                image = self._root / f"{case.name}_{number}.jpg"
                nodules = Nodules(image, outlines)
                records.append(self._record(task, case, its[0].place, nodules, "", defect))
        return records

    def _record(
        self,
        task: TaskSpec,
        case: Case,
        place: str,
        nodules: Nodules,
        stratum: str,
        defect: Fault | None = None,
    ) -> Record:
        if defect is None and not is_there(nodules.image):
            defect = missing_file(self._root, nodules.image)
        key = path_below(self._root, nodules.image)
        return Record(
            task.id, key, f"case {case.name}", place, stratum, payload=nodules, defect=defect
        )


def _nodules(record: Record) -> Nodules:
    if record.payload is None:
        raise DataError(record.defect or "no image")
    nodules: Nodules = record.payload
    return nodules

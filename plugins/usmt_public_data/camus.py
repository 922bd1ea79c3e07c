"""CAMUS: chambers and wall of the heart in two apical views."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import Field

from usmt import (
    DataError,
    Dataset,
    DatasetCard,
    DatasetLayout,
    Defect,
    Fault,
    Faults,
    Record,
    RootOptions,
    Side,
    TaskSpec,
    entries_of,
    fingerprint_files,
    path_below,
    root_folder,
)
from usmt_public_data.files import (
    misfits_of,
    missing_file,
    nested_folder,
    numbered_lines,
    unpacked_folder,
)
from usmt_public_data.nifti import read_pixel_size, read_slice, require_nibabel

View = Literal["2CH", "4CH"]
VIEWS: tuple[View, ...] = get_args(View)
QUALITIES = ("Poor", "Medium", "Good")
STRUCTURES = ("background", "left_ventricle", "myocardium", "left_atrium")
"""As numbered in the masks; the ventricle is its cavity, up to the endocardium."""

IMAGES, LISTS = "database_nifti", "database_split"
SIDES: dict[str, Side] = {
    "subgroup_training.txt": "train",
    "subgroup_validation.txt": "val",
    "subgroup_testing.txt": "test",
}
_PATIENT = re.compile(r"patient\d{4}")


class CamusLayout(DatasetLayout):
    """Which of the images are the task's, and what their class is."""

    views: tuple[View, ...] = Field(
        default=VIEWS, min_length=1, description="2CH (two-chamber), 4CH, or both"
    )
    frames: Literal["ed_es", "half_sequence"] = Field(
        default="ed_es", description="end-diastole and end-systole, or every image between them"
    )
    label: Literal["view", "quality"] | None = Field(
        default=None, description="the class, for classification"
    )


@dataclass(frozen=True, slots=True)
class Shot:
    """What a record is read from. `frame` is the image of a sequence, of `frames`."""

    image: Path
    mask: Path | None
    frame: int | None = None
    frames: int = 1
    label: int | None = None


class Camus(Dataset):
    """`ROOT/database_nifti/patientNNNN/` with images and masks as NIfTI, and the official split in
    `ROOT/database_split/subgroup_*.txt`."""

    name = "camus"
    Layout = CamusLayout
    card: ClassVar[DatasetCard] = DatasetCard(
        title="CAMUS: Cardiac Acquisitions for Multi-structure Ultrasound Segmentation",
        organ="heart",
        images=2000,
        home="https://www.creatis.insa-lyon.fr/Challenge/camus/",
        licence="CC BY-NC-SA 4.0, for non-commercial research",
        citation="Leclerc et al., Deep Learning for Segmentation Using an Open Large-Scale Dataset "
        "in 2D Echocardiography, IEEE Transactions on Medical Imaging 38, 2198-2210 (2019), "
        "doi:10.1109/TMI.2019.2900516",
        obtain="Download the folders database_nifti and database_split from "
        "https://humanheart-project.creatis.insa-lyon.fr/database/; ROOT is the folder that holds "
        "both. Reading needs pip install 'usmt[nifti]'.",
        sources="500 patients, one folder each",
        splits="database_split/subgroup_{training,validation,testing}.txt, by patient",
        files="database_nifti/patientNNNN/patientNNNN_{2CH,4CH}_{ED,ES,half_sequence}[_gt].nii.gz, "
        "database_nifti/patientNNNN/Info_{2CH,4CH}.cfg, database_split/subgroup_*.txt",
    )
    options: RootOptions

    def __init__(self, options: RootOptions) -> None:
        super().__init__(options)
        expected = f"the folders {IMAGES} and {LISTS}, as they are downloaded"
        folder = unpacked_folder(self.name, options.root, IMAGES, LISTS, name="CAMUS_public")
        self._root = root_folder(self.name, folder, IMAGES, LISTS, expected=expected)
        self._images, self._lists = (nested_folder(folder / name) for name in (IMAGES, LISTS))
        root_folder(self.name, self._lists, *SIDES, expected=expected)
        require_nibabel(self.name)

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        layout = CamusLayout.model_validate(task.layout)
        classes = VIEWS if layout.label == "view" else QUALITIES
        misfits = misfits_of(task, {"segmentation": STRUCTURES, "classification": classes})
        if task.type == "classification" and layout.label is None:
            misfits.append("classification needs `label` under `layout`: view or quality")
        if task.type == "segmentation" and layout.label is not None:
            misfits.append("`label` under `layout` is for classification")
        return misfits

    def records(self, task: TaskSpec) -> list[Record]:
        """Those of every patient that has a folder or is in a list of the split."""
        layout = CamusLayout.model_validate(task.layout)
        return [
            record
            for patient in sorted({*self._places, *self._folders})
            for view in layout.views
            for record in self._of_view(task, layout, patient, view)
        ]

    def remarks(self) -> list[Defect]:
        """Folders and files that are none of a patient's."""
        known = {self._images / patient for patient in self._folders}
        return [
            Defect(
                "", path_below(self._root, path), "no patient's folder; not read", "file", "warning"
            )
            for path in entries_of(self._images)
            if path not in known
        ]

    def fingerprint(self, record: Record) -> str | None:
        shot: Shot = record.payload
        label = (shot.frame, shot.frames, shot.label)
        return fingerprint_files(label, *filter(None, (shot.image, shot.mask)))

    def pixel_size(self, record: Record) -> tuple[float, float] | None:
        shot: Shot = record.payload
        return read_pixel_size(shot.image)

    def read_image(self, record: Record) -> np.ndarray:
        shot: Shot = record.payload
        return read_slice(shot.image, shot.frame, shot.frames)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        shot: Shot = record.payload
        if record.defect is not None:
            raise DataError(record.defect)
        if shot.mask is not None:
            return read_slice(shot.mask, shot.frame, shot.frames)
        return shot.label

    # -- patients and their sides

    @cached_property
    def _folders(self) -> set[str]:
        found = (path for path in entries_of(self._images) if path.is_dir())
        return {path.name for path in found if _PATIENT.fullmatch(path.name)}

    @cached_property
    def _places(self) -> dict[str, list[str]]:
        """Where the lists of the split name each patient. Raises `DataError`."""
        places: dict[str, list[str]] = {}
        for name in SIDES:
            path = self._lists / name
            for line, text in numbered_lines(path):
                if not _PATIENT.fullmatch(text):
                    hint = "Each line is a patient, e.g. patient0001."
                    raise DataError(f"{path}:{line}: '{text[:40]}' is no patient", hint=hint)
                places.setdefault(text, []).append(f"{LISTS}/{name}:{line}")
        return places

    def _of_patient(self, patient: str) -> tuple[Side | None, list[Fault]]:
        """The patient's side, and what is wrong with the patient as a whole."""
        places = self._places.get(patient, [])
        faults = []
        if not places:
            faults.append(Fault(f"{patient} is in no list of {LISTS}", "no side"))
        if len(places) > 1:
            faults.append(Fault(f"{patient} is listed at {' and '.join(places)}", "two sides"))
        if patient not in self._folders:
            text = f"{' and '.join(places)}: there is no folder '{IMAGES}/{patient}'"
            faults.append(Fault(text, "missing file"))
        side = SIDES[Path(places[0]).name.partition(":")[0]] if len(places) == 1 else None
        return side, faults

    def _of_view(
        self, task: TaskSpec, layout: CamusLayout, patient: str, view: View
    ) -> Iterator[Record]:
        folder = self._images / patient
        side, faults = self._of_patient(patient)
        info = _Info(folder / f"Info_{view}.cfg")
        label = info.label(layout, view) if task.type == "classification" else ""
        classes: list[str] = list(getattr(task, "classes", ()))
        if label in (*QUALITIES, *VIEWS) and label not in classes:
            return
        for name, frame, frames in _frames(layout, info):
            image = folder / f"{patient}_{view}_{name}.nii.gz"
            mask = folder / f"{patient}_{view}_{name}_gt.nii.gz"
            needed = [image, mask] if task.type == "segmentation" else [image]
            reasons = [*faults, *info.faults] + [
                missing_file(self._root, path)
                for path in needed
                if patient in self._folders and not path.is_file()
            ]
            key = path_below(self._root, image) + ("" if frame is None else f"#{frame}")
            position = classes.index(label) if label in classes else None
            yield Record(
                task=task.id,
                key=key,
                source_id=patient,
                place=key,
                stratum=label,
                split=side,
                payload=Shot(image, mask if mask in needed else None, frame, frames, position),
                defect=Faults(reasons) if reasons else None,
            )


class _Info:
    """`Info_2CH.cfg`, lines of `KEY: VALUE`. `faults` are those of what was asked for."""

    def __init__(self, path: Path) -> None:
        self.faults: list[Fault] = []
        self._path = path

    def label(self, layout: CamusLayout, view: View) -> str:
        """The class, `""` where the file does not tell."""
        if layout.label == "view":
            return view
        return self._value("ImageQuality", "|".join(QUALITIES), f"one of {', '.join(QUALITIES)}")

    def frames(self) -> int:
        """How many images the half sequence has; 0 where the file does not tell."""
        return int(self._value("NbFrame", r"[1-9]\d{0,3}", "a number of images") or 0)

    def _value(self, name: str, pattern: str, expected: str) -> str:
        place = f"{self._path.parent.name}/{self._path.name}"
        if not self._path.is_file():
            if self._path.parent.is_dir():
                self.faults.append(Fault(f"there is no file '{place}'", "missing file"))
            return ""
        try:
            lines = numbered_lines(self._path)
        except DataError as error:
            self.faults.append(Fault(error.message, "unreadable file"))
            return ""
        for line, text in lines:
            key, _, value = (part.strip() for part in text.partition(":"))
            if key == name:
                if re.fullmatch(pattern, value):
                    return value
                text = f"{place}:{line}: {name} is '{value}', expected {expected}"
                self.faults.append(Fault(text, "wrong value"))
                return ""
        self.faults.append(Fault(f"{place}: {name} is missing", "missing value"))
        return ""


def _frames(layout: CamusLayout, info: _Info) -> list[tuple[str, int | None, int]]:
    """The file of each image, and where it is one of a sequence, its number and theirs."""
    if layout.frames == "ed_es":
        return [("ED", None, 1), ("ES", None, 1)]
    count = info.frames()
    return [("half_sequence", frame, count) for frame in range(count)] or [
        ("half_sequence", None, 1)
    ]

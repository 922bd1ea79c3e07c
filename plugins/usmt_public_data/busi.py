"""The dataset `busi`: breast ultrasound images, benign, malignant and normal, with masks."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
    Record,
    RootOptions,
    TaskSpec,
    path_below,
    root_folder,
)
from usmt_public_data.files import (
    Files,
    fingerprint_of,
    image_of,
    images_in,
    label_of,
    misfits_of,
    missing_file,
    unnamed_images,
    unpacked_folder,
)

CLASSES: tuple[Literal["benign", "malignant", "normal"], ...] = ("benign", "malignant", "normal")
"""The folders, in their order."""

SERVED = {"segmentation": ("background", "lesion"), "classification": CLASSES}


class BusiLayout(DatasetLayout):
    """Which images a segmentation task has."""

    folders: tuple[Literal["benign", "malignant", "normal"], ...] = Field(
        default=CLASSES,
        min_length=1,
        description="the folders whose images are the task's; masks of `normal` are empty",
    )


class Busi(Dataset):
    """`Dataset_BUSI_with_GT` as it is unpacked. An image with several masks has one label, of all
    pixels that any of them holds. A classification task has the images of its `classes`."""

    name: ClassVar[str] = "busi"
    Layout: ClassVar[type[DatasetLayout]] = BusiLayout
    card: ClassVar[DatasetCard] = DatasetCard(
        title="BUSI: breast ultrasound images, with the outlines of lesions",
        organ="breast",
        images=780,
        home="https://scholar.cu.edu.eg/?q=afahmy/pages/dataset",
        licence="not stated by its authors; copies are listed as CC0 or as CC BY 4.0",
        citation="Al-Dhabyani W, Gomaa M, Khaled H, Fahmy A. Dataset of breast ultrasound images. "
        "Data in Brief 28 (2020) 104863, doi:10.1016/j.dib.2019.104863",
        obtain="Download Dataset_BUSI.zip from the authors' page and unpack it; ROOT is the folder "
        "Dataset_BUSI_with_GT, or the one that holds it.",
        sources="There are no patient numbers: 780 images of 600 women. Many images are there "
        "twice or nearly so, some with another label (Pawlowska et al., Data in Brief 48 (2023) "
        "109247); the split keeps such together, and `usmt data check` lists them.",
        splits="none",
        files="{benign,malignant,normal}/: `benign (1).png`, `benign (1)_mask.png`, and where an "
        "image has several lesions `benign (1)_mask_1.png`, ...",
    )
    options: RootOptions

    def __init__(self, options: RootOptions) -> None:
        super().__init__(options)
        folder = unpacked_folder("busi", options.root, *CLASSES, name="Dataset_BUSI_with_GT")
        self._root = root_folder(
            "busi", folder, *CLASSES, expected="ROOT/{benign,malignant,normal}"
        )

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        misfits = misfits_of(task, SERVED)
        if task.type == "classification" and "folders" in task.layout:
            misfits.append("folders: a classification task has the images of its classes")
        return misfits

    def records(self, task: TaskSpec) -> list[Record]:
        if task.type == "classification":
            classes: list[str] = list(getattr(task, "classes", ()))
            return [
                self._record(task, name, image, Files(image, label=label))
                for label, name in enumerate(classes)
                for image in self._images[name]
            ]
        layout = BusiLayout.model_validate(task.layout)
        return [
            self._record(task, name, image, Files(image, masks=masks))
            for name in CLASSES
            if name in layout.folders
            for image, masks in self._images[name].items()
        ]

    def remarks(self) -> list[Defect]:
        images = [image for folder in self._images.values() for image in folder]
        masks = [
            mask for folder in self._images.values() for each in folder.values() for mask in each
        ]
        return unnamed_images(self._root, [*images, *masks], "are named otherwise, or a mask alone")

    def fingerprint(self, record: Record) -> str | None:
        return fingerprint_of(record)

    def read_image(self, record: Record) -> np.ndarray:
        return image_of(record)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        return label_of(record, task)

    @cached_property
    def _images(self) -> dict[str, dict[Path, tuple[Path, ...]]]:
        """By folder: each image and its masks, in the order of their numbers."""
        return {name: _with_masks(self._root / name) for name in CLASSES}

    def _record(self, task: TaskSpec, stratum: str, image: Path, files: Files) -> Record:
        key = path_below(self._root, image)
        lacking = _lacking_mask(image, files.masks) if task.type == "segmentation" else None
        defect = missing_file(self._root, image.with_name(lacking)) if lacking else None
        return Record(task.id, key, key, key, stratum, payload=files, defect=defect)


def _lacking_mask(image: Path, masks: Sequence[Path]) -> str | None:
    """The first of an image's masks that is not there: `_mask`, `_mask_1`, and so on without a
    gap. Of several, a part of the label would be missing."""
    there = {mask.name for mask in masks}
    numbers = ["", *(f"_{number}" for number in range(1, len(masks)))]
    names = (f"{image.stem}_mask{number}.png" for number in numbers)
    return next((name for name in names if name not in there), None)


def _with_masks(folder: Path) -> dict[Path, tuple[Path, ...]]:
    named = re.compile(rf"({folder.name} \(\d+\))(_mask(_\d+)?)?\.png")
    images: dict[str, Path] = {}
    masks: dict[str, list[Path]] = {}
    for path in images_in(folder):
        if (match := named.fullmatch(path.name)) is None:
            continue
        if match[2] is None:
            images[match[1]] = path
        else:
            masks.setdefault(match[1], []).append(path)
    return {image: tuple(masks.get(name, ())) for name, image in images.items()}

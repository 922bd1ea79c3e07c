"""The dataset `tn3k`: thyroid nodules with their outlines, and its five folds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from usmt import (
    DataError,
    Dataset,
    DatasetCard,
    DatasetOptions,
    Defect,
    Fault,
    Record,
    RootOptions,
    Side,
    TaskSpec,
    path_below,
    root_folder,
)
from usmt_public_data.files import (
    Files,
    fingerprint_of,
    image_of,
    images_in,
    is_there,
    label_of,
    misfits_of,
    missing_file,
    read_lines,
    unnamed_images,
    unpacked_folder,
)

SERVED = {"segmentation": ("background", "nodule")}


class Tn3kOptions(RootOptions):
    """Which images validate."""

    fold: Literal[0, 1, 2, 3, 4] | None = Field(
        default=None,
        description="the official fold whose `val` images validate; of none, they are drawn",
    )


class Tn3k(Dataset):
    """TN3K as it is unpacked. Masks are JPEG files: bright pixels are the nodule."""

    name: ClassVar[str] = "tn3k"
    Options: ClassVar[type[DatasetOptions]] = Tn3kOptions
    card: ClassVar[DatasetCard] = DatasetCard(
        title="TN3K: thyroid nodules, with their outlines",
        organ="thyroid",
        images=3493,
        home="https://github.com/haifangong/TRFE-Net-for-thyroid-nodule-segmentation",
        licence="not stated for the images; the repository's code is under the MIT licence",
        citation="Gong H, Chen J, Chen G, Li H, Chen F, Li G. Thyroid region prior guided "
        "attention for ultrasound segmentation of thyroid nodules. Computers in Biology and "
        "Medicine 155 (2023) 106389; Gong H, Chen G, Wang R, et al. Multi-task learning for "
        "thyroid nodule segmentation with thyroid region prior. ISBI 2021, 257-261",
        obtain="Follow the link to the dataset in the repository's README, and unpack it; ROOT is "
        "the folder tn3k, or the one that holds it.",
        sources="There are no patient numbers; the split keeps near-duplicates together.",
        splits="2,879 images for training and validation, 614 for the test. Five folds of the "
        "former: --set data.tn3k.fold=0 (to 4) takes one; else the validation side is drawn.",
        files="trainval-image/, trainval-mask/, test-image/, test-mask/: `0000.jpg`, ..., a mask "
        "named as its image; tn3k-trainval-fold0.json to 4: the numbers of `train` and `val`",
    )
    options: Tn3kOptions

    def __init__(self, options: Tn3kOptions) -> None:
        super().__init__(options)
        needed = [f"{part}-{kind}" for part in ("trainval", "test") for kind in ("image", "mask")]
        folder = unpacked_folder("tn3k", options.root, *needed, name="tn3k")
        if options.fold is not None:
            needed.append(_fold_file(options.fold))
        self._root = root_folder("tn3k", folder, *needed, expected=f"ROOT/{', ROOT/'.join(needed)}")

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        return misfits_of(task, SERVED)

    def records(self, task: TaskSpec) -> list[Record]:
        trainval = images_in(self._root / "trainval-image")
        records = [
            self._record(task, path, "test") for path in images_in(self._root / "test-image")
        ]
        if self.options.fold is None:
            return [self._record(task, path, None) for path in trainval] + records
        return self._of_fold(task, trainval, self.options.fold) + records

    def remarks(self) -> list[Defect]:
        images = [
            image
            for part in ("trainval", "test")
            for image in images_in(self._root / f"{part}-image")
        ]
        named = [*images, *map(_mask, images)]
        return unnamed_images(self._root, named, "are masks without an image, or elsewhere")

    def fingerprint(self, record: Record) -> str | None:
        return fingerprint_of(record)

    def read_image(self, record: Record) -> np.ndarray:
        return image_of(record)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        return label_of(record, task)

    def _of_fold(self, task: TaskSpec, images: list[Path], fold: int) -> list[Record]:
        """All images, and those that the fold lists beyond: each must be on one side."""
        sides = _read_fold(self._root / _fold_file(fold))
        beyond = [
            self._root / "trainval-image" / f"{number:04d}.jpg"
            for number in sorted(set(sides) - {_number(image) for image in images})
        ]
        records = []
        for image in [*images, *beyond]:
            listed = sides.get(_number(image), [])
            defect = None
            if len(listed) != 1:
                text = f"{_fold_file(fold)} lists it {' and '.join(listed) or 'nowhere'}"
                defect = Fault(f"{text}, expected once, in train or val", "fold")
            records.append(self._record(task, image, listed[0] if listed else None, defect))
        return records

    def _record(
        self, task: TaskSpec, image: Path, side: Side | None, defect: Fault | None = None
    ) -> Record:
        mask = _mask(image)
        lacking = next((path for path in (image, mask) if not is_there(path)), None)
        if lacking is not None:
            defect = missing_file(self._root, lacking)
        key = path_below(self._root, image)
        files = Files(image, (mask,))
        return Record(task.id, key, key, key, split=side, payload=files, defect=defect)


def _fold_file(fold: int) -> str:
    return f"tn3k-trainval-fold{fold}.json"


def _mask(image: Path) -> Path:
    return image.parent.with_name(image.parent.name.replace("-image", "-mask")) / image.name


def _number(image: Path) -> int | str:
    """What folds call an image; its name if that is no number."""
    return int(image.stem) if image.stem.isdecimal() else image.stem


def _read_fold(path: Path) -> dict[int | str, list[Side]]:
    """The sides that list each number. Raises `DataError` for anything else."""
    expected = 'expected {"train": [numbers], "val": [numbers]}'
    try:
        fold = json.loads("\n".join(read_lines(path)))
    except json.JSONDecodeError as error:
        text = f"{path}:{error.lineno}:{error.colno}: {error.msg}, {expected}"
        raise DataError(text) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, deep nesting
        raise DataError(f"{path}: {error}, {expected}") from None
    if not isinstance(fold, dict) or set(fold) != {"train", "val"}:
        raise DataError(f"{path}: {expected}")
    sides: dict[int | str, list[Side]] = {}
    for side in ("train", "val"):
        numbers = fold[side]
        if not isinstance(numbers, list) or any(type(number) is not int for number in numbers):
            raise DataError(f"{path}: '{side}' is not a list of numbers, {expected}")
        for number in numbers:
            sides.setdefault(number, []).append(side)
    return sides

"""The universal-ultrasound layout, in which the UUSIC challenge gives away many datasets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

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
    TaskSpec,
    fingerprint_files,
    near,
    path_below,
    root_folder,
)
from usmt_public_data.files import is_there, missing_file, unnamed_images
from usmt_public_data.uusic_config import check_classes, read_config
from usmt_public_data.uusic_layout import UusicLayout
from usmt_public_data.uusic_lists import Listed, files_of, folders_in, listed_in

KINDS = ("classification", "segmentation")
"""Folders of the root, and the types of the tasks that they hold."""
BLACK_AND_WHITE = (0, 255)


@dataclass(frozen=True, slots=True)
class Item:
    """What a record is read from.

    Attributes:
        image: None where the list names none.
        classes: class of each value of the mask; empty where the mask is black and white.
    """

    image: Path | None
    label: int | None = None
    mask: Path | None = None
    classes: tuple[tuple[int, int], ...] = ()


class Uusic(Dataset):
    """`ROOT/classification/FOLDER/CLASS/*`, CLASS a number from 0, and
    `ROOT/segmentation/FOLDER/{imgs,masks}/*`, a mask named as its image; in each FOLDER
    `config.yaml`, which names the classes, and the split in `train.txt`, `val.txt`, `test.txt`."""

    name = "uusic"
    Layout = UusicLayout
    card: ClassVar[DatasetCard] = DatasetCard(
        title="UUSIC 2025: Universal UltraSound Image Challenge, and all that is laid out as it is",
        organ="breast, heart, thyroid, kidney, fetal head, appendix, liver",
        home="https://uusic2025.github.io",
        licence="that of each dataset in it; of the collection not stated",
        citation="Lin et al., Diagnostic Performance of Universal-Learning Ultrasound AI Across "
        "Multiple Organs and Tasks: the UUSIC25 Challenge, arXiv 2512.17279; and the datasets "
        "that are used",
        obtain="Register for the challenge and unpack its data; ROOT is the folder that holds "
        "classification and segmentation.",
        sources="what `layout.source` finds in an image's name; without it not known, though the "
        "names in some of the datasets may tell the patient. An image that has a class and a mask, "
        "under one name, is one source.",
        splits="train.txt, val.txt and test.txt of each dataset, where they are there; the "
        "challenge's baseline draws them, by image",
        files="classification/FOLDER/{0,1,...}/*, segmentation/FOLDER/{imgs,masks}/*, and in each "
        "FOLDER config.yaml (NUMBER:NAME or NUMBER:NAME:VALUE), train.txt, val.txt, test.txt",
    )
    options: RootOptions

    def __init__(self, options: RootOptions) -> None:
        super().__init__(options)
        expected = "the folders classification and segmentation"
        self._root = root_folder(self.name, options.root, expected=expected)
        if not any((self._root / kind).is_dir() for kind in KINDS):
            hint = f"expected {expected}; see: usmt datasets show uusic"
            text = "has neither a folder 'classification' nor 'segmentation'"
            raise DataError(f"uusic: '{self._root}' {text}", hint=hint)

    @classmethod
    def misfits(cls, task: TaskSpec) -> list[str]:
        if task.type not in KINDS:
            return [f"uusic has no labels of type '{task.type}', but of {', '.join(KINDS)}"]
        if not UusicLayout.model_validate(task.layout).merge:
            return []
        if task.type == "classification":
            return ["`merge` under `layout` is for segmentation"]
        if len(getattr(task, "classes", ())) != 2:
            return ["`merge` under `layout` leaves two classes, the background and all else"]
        return []

    def records(self, task: TaskSpec) -> list[Record]:
        """One for each line of the lists; without any list, for each image of the folder."""
        layout = UusicLayout.model_validate(task.layout)
        folder = self._folder(task, layout.folder)
        classes = self._classes(task, layout, folder)
        first: dict[str, str] = {}
        return [
            self._record(task, layout, folder, listed, classes, first)
            for listed in listed_in(folder)
        ]

    def remarks(self) -> list[Defect]:
        """Datasets that cannot be read, images that the lists of theirs leave out, masks without
        an image."""
        remarks, named = [], []
        for folder in (each for kind in KINDS for each in folders_in(self._root / kind)):
            try:
                for listed in listed_in(folder):
                    named += files_of(folder.parent.name, folder, listed.name)
            except DataError as error:
                remarks.append(Defect("", path_below(self._root, folder), error.message, "dataset"))
        what = "no list names, or masks without an image"
        return remarks + unnamed_images(self._root, named, what)

    def fingerprint(self, record: Record) -> str | None:
        item: Item = record.payload
        if item.image is None:
            return None
        label = (item.label, item.classes)
        return fingerprint_files(label, *filter(None, (item.image, item.mask)))

    def read_image(self, record: Record) -> np.ndarray:
        from usmt import read_image

        item: Item = record.payload
        if item.image is None:
            raise DataError(record.defect or "no image")
        return read_image(item.image)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        from usmt import read_binary_mask, read_mapped_mask

        item: Item = record.payload
        if record.defect is not None:
            raise DataError(record.defect)
        if item.mask is None:
            return item.label
        if item.classes:
            return read_mapped_mask(item.mask, dict(item.classes))
        return read_binary_mask(item.mask)

    def _folder(self, task: TaskSpec, name: str) -> Path:
        """Raises `DataError`."""
        folder = self._root / task.type / name
        if not folder.is_dir():
            there = [path.name for path in folders_in(self._root / task.type)]
            text = f"'{self._root}' has no folder '{task.type}/{name}'{near(name, there)}"
            raise DataError(
                f"task '{task.id}': {text}",
                hint=f"There are: {', '.join(there) or 'none'}",
            )
        return folder

    def _classes(
        self, task: TaskSpec, layout: UusicLayout, folder: Path
    ) -> tuple[tuple[int, int], ...]:
        """The class of each value of the masks, as in `Item`. Raises `DataError`."""
        path, classes = folder / "config.yaml", list(getattr(task, "classes", ()))
        config = read_config(path, masks=task.type == "segmentation")
        if config is not None and not layout.merge:
            check_classes(path, config, task.id, classes)
        if task.type == "classification":
            return ()
        if config is None and len(classes) != 2:
            text = f"{path}: no such file; it says which values the {len(classes)} classes have"
            raise DataError(f"task '{task.id}': {text}")
        if config is None or config.values == BLACK_AND_WHITE:
            return ()
        numbers = [min(number, 1) if layout.merge else number for number in range(256)]
        return tuple(zip(config.values, numbers, strict=False))

    def _record(
        self,
        task: TaskSpec,
        layout: UusicLayout,
        folder: Path,
        listed: Listed,
        classes: tuple[tuple[int, int], ...],
        first: dict[str, str],
    ) -> Record:
        """`first`, where each image was named first, is added to."""
        names: list[str] = list(getattr(task, "classes", ()))
        files = files_of(task.type, folder, listed.name)
        label, faults = None, []
        if (place := first.setdefault(listed.name, listed.place)) != listed.place:
            faults.append(Fault(f"'{listed.name}' is already in {place}", "listed twice"))
        if not files:
            form = "CLASS/IMAGE" if task.type == "classification" else "IMAGE"
            faults.append(Fault(f"'{listed.name[:80]}' is not {form}", "wrong path"))
        elif task.type == "classification":
            label = int(files[0].parent.name)
            if label >= len(names):
                text = f"the class {label} is not one of 0 to {len(names) - 1}"
                faults.append(Fault(text, "class out of range"))
        faults += [missing_file(self._root, path) for path in files if not is_there(path)]
        image, mask = (*files, None, None)[:2]
        key = f"{task.type}/{folder.name}/{listed.name}"
        source = self._source(layout, image)
        if image is not None and layout.source is not None and source is None:
            text = f"source: '{layout.source}' finds no patient in '{image.name[:80]}'"
            faults.append(Fault(text, "no source"))
        return Record(
            task=task.id,
            key=key,
            source_id=source or key,
            place=f"{task.type}/{folder.name}/{listed.place}",
            stratum=names[label] if label is not None and label < len(names) else "",
            split=listed.side,
            payload=Item(image, label, mask, classes),
            defect=Faults(faults) if faults else None,
        )

    def _source(self, layout: UusicLayout, image: Path | None) -> str | None:
        """The patient, where the layout says how names tell it. Else that of an image which has a
        mask: it has the same name where it has a class."""
        if image is None:
            return None
        if layout.source is not None:
            patient = layout.source_in(image.name)
            return f"{layout.folder} {patient}" if patient else None
        masked = self._root / "segmentation" / layout.folder / "imgs" / image.name
        return f"{layout.folder}/{image.name}" if is_there(masked) else None

"""The universal-ultrasound layout, in which the UUSIC challenge gives away many datasets."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Literal

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
    TaskSpec,
    fingerprint_files,
    root_folder,
)
from usmt_public_data.files import (
    below,
    images_in,
    missing_file,
    numbered_lines,
    unnamed_images,
)
from usmt_public_data.uusic_config import check_classes, read_config

KINDS = ("classification", "segmentation")
"""Folders of the root, and the types of the tasks that they hold."""
Side = Literal["train", "val", "test"]
LISTS: dict[str, Side] = {"train.txt": "train", "val.txt": "val", "test.txt": "test"}
BLACK_AND_WHITE = (0, 255)


class UusicLayout(DatasetLayout):
    """Which of the datasets in the root is the task's."""

    folder: str = Field(
        pattern=r"^[^./\\][^/\\]*$",
        description="the dataset's folder below classification or segmentation",
    )
    merge: bool = Field(
        default=False,
        description="all structures of the masks are one class, as the challenge scores them",
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """One image, where it is named, and the side that the list is of."""

    name: str
    place: str
    side: Side | None


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
        sources="not known; an image that has a class and a mask, under one name, is one source",
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
        return [self._record(task, folder, listed, classes, first) for listed in _listed(folder)]

    def remarks(self) -> list[Defect]:
        """Datasets that cannot be read, images that the lists of theirs leave out, masks without
        an image."""
        remarks, named = [], []
        for folder in (each for kind in KINDS for each in _folders(self._root / kind)):
            try:
                for listed in _listed(folder):
                    named += _files(folder.parent.name, folder, listed.name)
            except DataError as error:
                remarks.append(Defect("", below(self._root, folder), error.message, "dataset"))
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
        from usmt import read_binary_mask

        item: Item = record.payload
        if record.defect is not None:
            raise DataError(record.defect)
        if item.mask is None:
            return item.label
        return _classes_in(item) if item.classes else read_binary_mask(item.mask)

    def _folder(self, task: TaskSpec, name: str) -> Path:
        """Raises `DataError`."""
        folder = self._root / task.type / name
        if not folder.is_dir():
            there = [path.name for path in _folders(self._root / task.type)]
            near = get_close_matches(name, there, n=1, cutoff=0.6)
            meant = f" (did you mean '{near[0]}'?)" if near else ""
            raise DataError(
                f"task '{task.id}': '{self._root}' has no folder '{task.type}/{name}'{meant}",
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
        folder: Path,
        listed: Listed,
        classes: tuple[tuple[int, int], ...],
        first: dict[str, str],
    ) -> Record:
        """`first`, where each image was named first, is added to."""
        names: list[str] = list(getattr(task, "classes", ()))
        files = _files(task.type, folder, listed.name)
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
        faults += [missing_file(self._root, path) for path in files if not path.is_file()]
        image, mask = (*files, None, None)[:2]
        key = f"{task.type}/{folder.name}/{listed.name}"
        return Record(
            task=task.id,
            key=key,
            source_id=self._source(folder.name, image) or key,
            place=f"{task.type}/{folder.name}/{listed.place}",
            stratum=names[label] if label is not None and label < len(names) else "",
            split=listed.side,
            payload=Item(image, label, mask, classes),
            defect=Faults(faults) if faults else None,
        )

    def _source(self, folder: str, image: Path | None) -> str | None:
        """Of an image that has a mask; it has the same name where it has a class."""
        if image is None:
            return None
        masked = self._root / "segmentation" / folder / "imgs" / image.name
        return f"{folder}/{image.name}" if masked.is_file() else None


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []


def _listed(folder: Path) -> list[Listed]:
    """What the lists of a dataset name; without any list, all its images. Raises `DataError`."""
    lists = [folder / name for name in LISTS if (folder / name).is_file()]
    if lists:
        return [
            Listed(text, f"{path.name}:{line}", LISTS[path.name])
            for path in lists
            for line, text in numbered_lines(path)
        ]
    if folder.parent.name == "segmentation":
        return [Listed(path.name, f"imgs/{path.name}", None) for path in images_in(folder / "imgs")]
    names = [
        f"{each.name}/{path.name}"
        for each in _folders(folder)
        if each.name.isdecimal()
        for path in images_in(each)
    ]
    return [Listed(name, name, None) for name in names]


def _files(kind: str, folder: Path, name: str) -> list[Path]:
    """The image that a list names, and its mask; none if the name is not of that form."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\\" in part for part in parts):
        return []
    if kind == "segmentation" and len(parts) == 1:
        return [folder / "imgs" / name, folder / "masks" / name]
    if kind == "classification" and len(parts) == 2 and parts[0].isdecimal():
        return [folder / name]
    return []


def _classes_in(item: Item) -> np.ndarray:
    """The mask with class numbers in place of the values of the file."""
    from usmt import read_mask

    assert item.mask is not None
    pixels = read_mask(item.mask, 256)
    numbers = np.full(256, 255, np.uint8)
    for value, number in item.classes:
        numbers[value] = number
    strange = sorted(set(np.unique(pixels).tolist()) - {value for value, _ in item.classes})
    if strange:
        known = ", ".join(str(value) for value, _ in item.classes)
        text = f"{item.mask.name}: mask has the value {strange[0]}, config.yaml knows {known}"
        raise DataError(Fault(text, "mask values"))
    return numbers[pixels]

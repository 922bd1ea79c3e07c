"""What the datasets of this package share: images and their labels as files in folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usmt import (
    DataError,
    Defect,
    Fault,
    Record,
    TaskSpec,
    fingerprint_files,
    near,
    read_binary_mask,
    read_image,
)

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Files:
    """What a record is read from: the payload of records.

    Attributes:
        image: may be missing; reading it says so.
        masks: files of the mask, joined where there are several.
        label: a class, as its position in the spec's `classes`.
    """

    image: Path
    masks: tuple[Path, ...] = ()
    label: int | None = None


def unpacked_folder(root: Path, needed: str, *names: str) -> Path:
    """The folder that an archive unpacks to: the first of `root` and the folders of these names
    in it that holds what is needed; `root` where none does."""
    folders = [root, *(root / name for name in names)]
    return next((folder for folder in folders if (folder / needed).exists()), root)


def in_order(path: Path) -> tuple[object, ...]:
    """Key to sort files as people count: `2.png` before `10.png`."""
    parts = re.split(r"(\d+)", path.as_posix())
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts))


def is_hidden(path: Path) -> bool:
    """What operating systems and editors leave behind: `._1.png`, `.ipynb_checkpoints`,
    `__MACOSX`, `Thumbs.db`. It is no part of a dataset."""
    return path.name.startswith((".", "__MACOSX")) or path.name in ("Thumbs.db", "desktop.ini")


def is_there(path: Path) -> bool:
    """Whether there is such a file; not where no file can have this name."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # longer than 255 bytes, or with a null character
        return False


def entries_of(folder: Path) -> list[Path]:
    """Files and folders in a folder, in the order of their numbers, hidden ones left out. Raises
    `DataError` where it cannot be read."""
    try:
        return sorted((path for path in folder.iterdir() if not is_hidden(path)), key=in_order)
    except FileNotFoundError:
        raise DataError(f"{folder}: there is no such folder") from None
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}") from None


def files_below(folder: Path) -> Iterator[Path]:
    """All files, in the order of their numbers, hidden ones left out; links to folders are not
    followed. Raises `DataError`."""
    for path in entries_of(folder):
        if not path.is_dir():
            yield path
        elif not path.is_symlink():
            yield from files_below(path)


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, in the order of their numbers. Raises `DataError`."""
    return [path for path in entries_of(folder) if path.suffix.lower() in IMAGES]


def below(root: Path, path: Path) -> str:
    """A path as people and keys say it, the same on every machine; bytes that are not UTF-8 as
    `\\xff`."""
    return os.fsencode(path.relative_to(root).as_posix()).decode("utf-8", "backslashreplace")


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, UTF-8. Raises `DataError` for what is none."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path}:{line}: not UTF-8, expected text") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """Those that are not blank, stripped, each with its number. Raises `DataError`."""
    lines = enumerate(read_lines(path), 1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def missing_file(root: Path, path: Path) -> Fault:
    """The defect of a record whose file is not there."""
    return Fault(f"there is no file '{below(root, path)}'", "missing file")


def unnamed_images(root: Path, named: Iterable[Path], what: str) -> list[Defect]:
    """For `Dataset.remarks`: one warning for all images below the root that no record is read
    from. `what` says why, e.g. `no list names`."""
    known = set(named)
    found = (path for path in files_below(root) if path.suffix.lower() in IMAGES)
    unnamed = [path for path in found if path not in known]
    if not unnamed:
        return []
    text = f"images that {what}: {len(unnamed)}; this is the first"
    return [Defect("", below(root, unnamed[0]), text, "image without a record", "warning")]


def misfits_of(task: TaskSpec, served: Mapping[str, Sequence[str]]) -> list[str]:
    """For `Dataset.misfits`: a type without labels, classes that are not those of the labels.

    Args:
        served: by task type, the classes that labels have; none for a type without classes. Those
            of masks must be the spec's, in their order; of others a spec may choose some, in any.
    """
    if task.type not in served:
        return [f"{task.dataset} has no labels of type '{task.type}', but of {_listed(served)}"]
    known = served[task.type]
    classes: list[str] = list(getattr(task, "classes", ()))
    if task.type == "segmentation" and classes != list(known):
        return [f"classes: found [{', '.join(classes)}]; the masks hold [{', '.join(known)}]"]
    return [
        f"classes: {task.dataset} has no class '{name}'{near(name, known)}, but {_listed(known)}"
        for name in classes
        if known and name not in known
    ]


def image_of(record: Record) -> np.ndarray:
    """For `Dataset.read_image`."""
    files: Files = record.payload
    return image_at(files.image, record)


def image_at(path: Path | None, record: Record) -> np.ndarray:
    """An image file of a record. Where it is not there and the record says so already, the
    `DataError` has the record's own defect."""
    if path is None or (record.defect is not None and not is_there(path)):
        raise DataError(record.defect or "no image")
    return read_image(path)


def label_of(record: Record, task: TaskSpec) -> int | np.ndarray:
    """For `Dataset.read_label`: the class, or the mask of one structure. Raises `DataError`, with
    the record's own defect where it has one."""
    files: Files = record.payload
    if record.defect is not None:
        raise DataError(record.defect)
    if task.type == "classification" and files.label is not None:
        return files.label
    return joined_mask(files.masks)


def fingerprint_of(record: Record) -> str | None:
    """For `Dataset.fingerprint`."""
    files: Files = record.payload
    return fingerprint_files(files.label, files.image, *files.masks)


def joined_mask(paths: Sequence[Path]) -> np.ndarray:
    """One mask, uint8 (H, W), of the pixels that any of the binary masks holds. Raises
    `DataError` where they have several sizes."""
    masks = [read_binary_mask(path) for path in paths]
    for path, mask in zip(paths, masks, strict=True):
        if mask.shape != masks[0].shape:
            size, other = (f"{each.shape[1]} x {each.shape[0]}" for each in (mask, masks[0]))
            text = f"{path.name}: the mask has {size} pixels, {paths[0].name} has {other}"
            raise DataError(Fault(text, "size mismatch"))
    return np.maximum.reduce(masks)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)

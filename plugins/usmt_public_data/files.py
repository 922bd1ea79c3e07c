"""What the datasets of this package share: images and their labels as files in folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usmt import (
    DataError,
    Defect,
    Fault,
    Record,
    TaskSpec,
    entries_of,
    files_below,
    fingerprint_files,
    near,
    path_below,
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


def unpacked_folder(dataset: str, root: Path, *needed: str, name: str = "") -> Path:
    """The folder that an archive unpacks to: the root, or where that lacks something, the one
    folder in it, or in a folder of it, that has all of it.

    Args:
        dataset: its name, for errors.
        needed: files and folders that tell the dataset from others; a name may be a pattern.
        name: of the folder, as the archive has it: looked for first.

    Returns:
        Where no folder has all: one of that name, or else the root.

    Raises:
        DataError: several folders have all of it, or none but that which the root is in.
    """
    if not root.is_dir() or _has(root, needed):
        return root
    below = _folders_in(root)
    levels = [below, [folder for each in below for folder in _folders_in(each)]]
    whole = [[folder for folder in level if _has(folder, needed)] for level in levels]
    named = [[folder for folder in level if folder.name == name] for level in whole]
    found: list[Path] = next(filter(None, [*named, *whole]), [])
    if len(found) > 1:
        listed = _listed(f"'{path_below(root, folder)}'" for folder in found[:4])
        text = f"{dataset}: several folders in '{root}' have {_listed(needed)}: {listed}"
        raise DataError(text, hint=f"Give one of them: --data {dataset}=FOLDER")
    if found:
        return found[0]
    above = root.resolve().parent
    # A pattern is no name: what is found so in a folder that was not given may be anybody's.
    if all((above / each).exists() for each in needed):
        lacking = next(each for each in needed if not _has(root, [each]))
        text = f"{dataset}: '{root}' has no '{lacking}', but the folder that it is in has"
        raise DataError(text, hint=f"Give that one: --data {dataset}={above}")
    return next((folder for folder in [*levels[1], *below] if folder.name == name), root)


def nested_folder(folder: Path) -> Path:
    """Some programs unpack `NAME.zip`, which holds NAME/, into a folder NAME: the inner one."""
    nested = folder / folder.name
    return nested if nested.is_dir() else folder


def _has(folder: Path, needed: Iterable[str]) -> bool:
    return all(next(folder.glob(each), None) is not None for each in needed)


def _folders_in(folder: Path) -> list[Path]:
    """None of a folder that cannot be read."""
    with suppress(DataError):
        return [path for path in entries_of(folder) if path.is_dir()]
    return []


def is_there(path: Path) -> bool:
    """Whether there is such a file; not where no file can have this name."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # longer than 255 bytes, or with a null character
        return False


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, in the order of their numbers. Raises `DataError`."""
    return [path for path in entries_of(folder) if path.suffix.lower() in IMAGES]


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
    return Fault(f"there is no file '{path_below(root, path)}'", "missing file")


def unnamed_images(root: Path, named: Iterable[Path], what: str) -> list[Defect]:
    """For `Dataset.remarks`: one warning for all images below the root that no record is read
    from. `what` says why, e.g. `no list names`."""
    known = set(named)
    found = (path for path in files_below(root) if path.suffix.lower() in IMAGES)
    unnamed = [path for path in found if path not in known]
    if not unnamed:
        return []
    text = f"images that {what}: {len(unnamed)}; this is the first"
    return [Defect("", path_below(root, unnamed[0]), text, "image without a record", "warning")]


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

"""Which images the lists of a dataset in the universal-ultrasound layout name, and their files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from usmt import Side, entries_of
from usmt_public_data.files import images_in, numbered_lines

LISTS: dict[str, Side] = {"train.txt": "train", "val.txt": "val", "test.txt": "test"}
_CLASS = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class Listed:
    """One image, where it is named, and the side that the list is of."""

    name: str
    place: str
    side: Side | None


def folders_in(parent: Path) -> list[Path]:
    """None where there is no such folder. Raises `DataError`."""
    return [path for path in entries_of(parent) if path.is_dir()] if parent.is_dir() else []


def listed_in(folder: Path) -> list[Listed]:
    """What the lists of a dataset name; without any list, all its images. Raises `DataError`."""
    lists = [path for path in map(folder.joinpath, LISTS) if path.exists() or path.is_symlink()]
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
        for each in folders_in(folder)
        if _CLASS.fullmatch(each.name)
        for path in images_in(each)
    ]
    return [Listed(name, name, None) for name in names]


def files_of(kind: str, folder: Path, name: str) -> list[Path]:
    """The image that a list names, and its mask; none if the name is not of that form."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\\" in part for part in parts):
        return []
    if kind == "segmentation" and len(parts) == 1:
        return [folder / "imgs" / name, folder / "masks" / name]
    if kind == "classification" and len(parts) == 2 and _CLASS.fullmatch(parts[0]):
        return [folder / name]
    return []

"""Image files below a folder, and the sides of an official split among folders."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from usmt import DataError, Fault, Side, entries_of, files_below, near, path_below
from usmt_own_data.layout_fields import SIDES

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp")
"""Of files that are taken for images, in small or capital letters."""


def images_below(folder: Path) -> list[Path]:
    return [path for path in files_below(folder) if is_image(path)]


def unread_below(folder: Path, ignored: Collection[str] = ()) -> Iterator[Path]:
    """All but images: files, and links to folders, which `files_below` does not follow.

    Args:
        ignored: names in the folder, or in those of the sides in it, that are left out.
    """
    for path in entries_of(folder):
        if path.name in ignored:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from unread_below(path, ignored if path.name in SIDES else ())
        elif not is_image(path):
            yield path


def is_image(path: Path) -> bool:
    """By its ending."""
    return path.suffix.lower() in ENDINGS and not path.is_dir()


def shown(name: str) -> str:
    """A name as people and keys say it; bytes that are not UTF-8 as `\\xff`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def name_fault(root: Path, path: Path) -> Fault | None:
    """Of a path that cannot be written down as text."""
    if path_below(root, path) == path.relative_to(root).as_posix():
        return None
    return Fault("the name is not UTF-8; rename the file or its folder", "file name")


def beside_the_sides(top: Path, ignored: Collection[str] = ()) -> list[tuple[Path, Fault]]:
    """What lies beside `train`, `val` and `test`, if these are there: images and folders, which
    are on no side."""
    if sides_of(top)[0][0] is None:
        return []
    listed = ", ".join(SIDES)
    return [
        (path, Fault(f"beside {listed}, and on none of these sides{meant}", "unknown folder"))
        for path in entries_of(top)
        if path.name not in (*SIDES, *ignored) and (path.is_dir() or is_image(path))
        for meant in [near(path.name, SIDES)]
    ]


def sides_of(folder: Path) -> list[tuple[Side | None, Path]]:
    """The folders `train`, `val` and `test` in a folder; if there are none, the folder itself."""
    sides: list[tuple[Side | None, Path]] = [
        (side, folder / side) for side in SIDES if (folder / side).is_dir()
    ]
    return sides or [(None, folder)]


def needed_folder(root: Path, folder: Path, key: str) -> Path:
    """Raises `DataError` for a folder that is not there, with the nearest name beside it."""
    if folder.is_dir():
        return folder
    beside = entries_of(folder.parent) if folder.parent.is_dir() else []
    names = [shown(path.name) for path in beside]
    raise DataError(
        f"folder: '{root}' has no folder '{path_below(root, folder)}'{near(folder.name, names)}",
        hint=f"`{key}` in the spec's layout names it; see: usmt datasets show folder",
    )

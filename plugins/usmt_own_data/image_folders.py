"""Image files below a folder, and the sides of an official split among folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from usmt import DataError, near
from usmt_own_data.layout_fields import SIDES, Side

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp")
"""Of files that are taken for images, in small or capital letters."""


def is_hidden(path: Path) -> bool:
    """What operating systems leave behind: `.DS_Store`, `__MACOSX`, `Thumbs.db`."""
    return path.name.startswith((".", "__MACOSX")) or path.name in ("Thumbs.db", "desktop.ini")


def files_below(folder: Path) -> Iterator[Path]:
    """All files, in a fixed order, hidden ones left out."""
    for path in sorted(folder.iterdir()):
        if is_hidden(path):
            continue
        if path.is_dir():
            yield from files_below(path)
        else:
            yield path


def images_below(folder: Path) -> list[Path]:
    return [path for path in files_below(folder) if path.suffix.lower() in ENDINGS]


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
    shown = folder.relative_to(root).as_posix()
    beside = [path.name for path in folder.parent.iterdir()] if folder.parent.is_dir() else []
    raise DataError(
        f"folder: '{root}' has no folder '{shown}'{near(folder.name, beside)}",
        hint=f"`{key}` in the spec's layout names it; see: usmt datasets show folder",
    )

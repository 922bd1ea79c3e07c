"""Files in folders as a dataset lists them: in a fixed order, without what systems leave behind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from usmt.errors import DataError

_LEFT_BEHIND = ("__MACOSX", "Thumbs.db", "desktop.ini")


def entries_of(folder: Path) -> list[Path]:
    """Files and folders in a folder, in the order of their numbers: `2.png` before `10.png`.

    What operating systems and editors leave behind is left out: `.DS_Store`, `._1.png`,
    `.ipynb_checkpoints`, `__MACOSX`, `Thumbs.db`, `desktop.ini`.

    Raises:
        DataError: it cannot be read, or is not there.
    """
    try:
        return sorted((path for path in folder.iterdir() if not _is_left_behind(path)), key=_order)
    except FileNotFoundError:
        raise DataError(f"{_shown(folder)}: there is no such folder") from None
    except OSError as error:
        raise DataError(f"{_shown(folder)}: cannot be read: {error.strerror}") from None


def files_below(folder: Path) -> Iterator[Path]:
    """All files of a folder and of those in it, listed as `entries_of` does. Links to folders are
    not followed, since they may lead round in a circle. Raises `DataError`."""
    for path in entries_of(folder):
        if not path.is_dir():
            yield path
        elif not path.is_symlink():
            yield from files_below(path)


def path_below(root: Path, path: Path) -> str:
    """A path relative to the root, as keys and people say it: with slashes, the same on every
    machine; bytes that are not UTF-8 as `\\xff`."""
    return _shown(path.relative_to(root))


def _is_left_behind(path: Path) -> bool:
    return path.name.startswith(".") or path.name in _LEFT_BEHIND


def _order(path: Path) -> tuple[tuple[object, ...], str]:
    parts = re.split("([0-9]+)", path.name)
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), path.name


def _shown(path: Path) -> str:
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")

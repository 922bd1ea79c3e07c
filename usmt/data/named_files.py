"""Files that somebody else's table names: only those that lie in the dataset's own folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from usmt.errors import DataError, Fault

_LONGEST_SHOWN = 80


class NamedFiles:
    """Finds the files that paths in a table name.

    Args:
        root: the dataset's folder, which no path may leave, not by a symbolic link either.
        folder: what the paths are relative to; in the root.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self._folder = folder
        self._top = root.resolve()
        self._relative_to = f"{folder.name}/" if folder != root else "the dataset's folder"
        # A folder is resolved once, not once for each of its images.
        self._resolved = lru_cache(maxsize=4096)(Path.resolve)

    def find(self, column: str, text: str) -> Path:
        """The file that a cell names. Raises `DataError` with a `Fault` that names the column."""
        if not text.strip():
            raise DataError(Fault(f"{column} is empty", "missing value"))
        if PurePosixPath(text).is_absolute() or PureWindowsPath(text).anchor:
            reason = f"{column} '{text}' is absolute, expected relative to {self._relative_to}"
            raise DataError(Fault(reason, "path outside the root"))
        try:
            path = self._folder / text
            if path.name == ".." or path.is_symlink():
                path = path.resolve()
            else:
                path = self._resolved(path.parent) / path.name
            inside, there = path.is_relative_to(self._top), path.is_file()
        except (OSError, ValueError, RuntimeError):
            reason = f"{column} '{text[:_LONGEST_SHOWN]}' is not a path"
            raise DataError(Fault(reason, "wrong value")) from None
        if not inside:
            reason = f"{column} '{text}' leaves the dataset's folder"
            raise DataError(Fault(reason, "path outside the root"))
        if not there:
            raise DataError(Fault(f"{column} '{text}': no such file", "missing file"))
        return path

    def key(self, path: Path) -> str:
        """The file's path below the root, with slashes: its name on any machine."""
        return path.relative_to(self._top).as_posix()

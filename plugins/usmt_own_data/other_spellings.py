"""Files whose names are nearly those looked for: what differs is told, and nothing is guessed."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath

from usmt import DataError, Fault, NamedFiles, entries_of
from usmt_own_data.image_folders import shown


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _small(name: str) -> str:
    return _composed(name).casefold()


def _without_ending(name: str) -> str:
    return PurePosixPath(_small(name)).stem


_DIFFERENCES: dict[str, Callable[[str], str]] = {
    "accents are stored in another way (Unicode NFC, NFD)": _composed,
    "capital and small letters differ": _small,
}
"""What may differ, and how names are written without it."""
_ENDING = {"it has another ending": _without_ending}


class Spellings:
    """Names, as they are looked for by somebody who writes them otherwise.

    Args:
        endings: whether the names have endings, which may differ too.
    """

    def __init__(self, names: Sequence[str], *, endings: bool) -> None:
        self._names = {
            what: (plain, {plain(name): name for name in reversed(names)})
            for what, plain in {**_DIFFERENCES, **(_ENDING if endings else {})}.items()
        }

    def meant(self, name: str) -> str:
        """What to add to "no such file"; nothing where no name is nearly this one."""
        for what, (plain, names) in self._names.items():
            if (near := names.get(plain(name))) is not None:
                return f"; there is '{shown(near)}': {what}"
        return ""


class SpelledFiles:
    """`NamedFiles`, which also tell what a file is called that they do not find.

    Args:
        folder: what the paths are relative to.
    """

    def __init__(self, files: NamedFiles, folder: Path) -> None:
        self._files = files
        self._folder = folder
        self._spellings = lru_cache(maxsize=4096)(_spellings_in)

    def find(self, column: str, text: str) -> Path:
        """Raises `DataError` as `NamedFiles.find` does."""
        try:
            return self._files.find(column, text)
        except DataError as error:
            reason = error.message
            if isinstance(reason, Fault) and reason.kind == "missing file":
                raise DataError(Fault(f"{reason}{self._meant(text)}", reason.kind)) from None
            raise

    def key(self, path: Path) -> str:
        """See `NamedFiles.key`."""
        return self._files.key(path)

    def _meant(self, text: str) -> str:
        if "\\" in text:
            written = text.replace("\\", "/")
            return f"; a backslash is no separator here: write '{written}'"
        path = PurePosixPath(text)
        return self._spellings(self._folder / path.parent).meant(path.name)


def _spellings_in(folder: Path) -> Spellings:
    try:
        names = [path.name for path in entries_of(folder)]
    except DataError:
        names = []
    return Spellings(names, endings=True)

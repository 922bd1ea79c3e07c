"""The folder of prepared images: bounded in size, shared by any number of processes.

FOLDER/images/DATASET/TASK/HEIGHTxWIDTH/KEY.safetensors, one file an image (see `prepared`). A file
is written beside its place and renamed, and checked whenever it is read, so that no lock is
needed: whoever is killed leaves nothing that is believed, and two that write one file write the
same. Files are removed in the order of their last use, which is their time of modification.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from typing import Any

from usmt.data.geometry import Size
from usmt.data.prepared import Fitted, NotStorableError, pack, unpack
from usmt.whole_file import write_bytes

SLACK = 16
"""Whenever a process has written a 64th of the limit, it looks at the whole, and empties it to the
limit less a 16th: what several processes write between two looks has room."""

FREE = 2**30
"""Bytes that are left free on the disk, whatever the limit."""

USE_NOTED_EVERY = 3600.0
"""Seconds: a file's last use is known to the hour, so that reading seldom writes."""

_OWN = re.compile(r"[0-9a-f]{64}\.safetensors")
_UNFINISHED = re.compile(r"\.[0-9a-f]{64}\.safetensors\..+\.new")


def user_folder() -> Path:
    """Where the cache is unless a run's settings say otherwise: USMT_CACHE, else `usmt` in the
    user's folder for caches."""
    if named := os.environ.get("USMT_CACHE"):
        return Path(named).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(caches).expanduser() / "usmt"


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one prepared image belongs."""

    dataset: str
    task: str
    size: Size
    key: str

    def path(self, folder: Path) -> Path:
        height, width = self.size
        where = folder / "images" / self.dataset / self.task / f"{height}x{width}"
        return where / f"{self.key}.safetensors"


@dataclass(frozen=True, slots=True)
class CachedFile:
    """One file of the cache, as the folder shows it.

    Attributes:
        size: (height, width) as text, `256x256`.
        used: when it was last used, seconds since the epoch, to the hour.
        finished: False for what a writer left that was killed, or is still at work.
    """

    path: Path
    dataset: str
    task: str
    size: str
    bytes: int
    used: float
    finished: bool


class ImageCache:
    """Prepared images on disk. It never raises: what cannot be read is missing, and when a file
    cannot be written, no more are, and `tell` says why.

    Args:
        folder: made when the first image is kept.
        limit: bytes.
        warn: where `tell` says it.

    Attributes:
        removed: images that this process removed to make room.
    """

    def __init__(self, folder: Path, limit: int, warn: Callable[[str], object]) -> None:
        self.folder = folder
        self.limit = limit
        self._warn: Callable[[str], object] | None = warn
        self.removed = 0
        self._room = 0
        self._errno = RawValue("i", 0)  # shared with the processes that load images

    def __getstate__(self) -> dict[str, Any]:
        """For a process that loads images: it has nowhere to speak to."""
        return {**self.__dict__, "_warn": None}

    @property
    def problem(self) -> str | None:
        """Why images are not kept any more, if so, in this process or one that it started."""
        return os.strerror(self._errno.value) if self._errno.value else None

    def tell(self) -> None:
        """Warns once of the problem; images that are there already are still used."""
        if self.problem and self._warn is not None:
            self._warn(f"prepared images are not kept in {self.folder}: {self.problem}")
            self._warn = None

    def get(self, slot: Slot) -> Fitted | None:
        """The image that was kept there, or None."""
        path = slot.path(self.folder)
        found = unpack(path, slot.key, slot.size)
        if found is not None:
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > USE_NOTED_EVERY:
                    os.utime(path)
        return found

    def put(self, slot: Slot, fitted: Fitted) -> None:
        """Keeps an image, in the place of a damaged one if there is one."""
        if self._errno.value:
            return
        try:
            data = pack(slot.key, fitted)
            if len(data) > self.limit // SLACK:
                return
            if self._room < len(data):
                self._make_room()
            write_bytes(slot.path(self.folder), data)
            self._room -= len(data)
        except (NotStorableError, FileNotFoundError):
            return  # the latter of a cache that is being cleared
        except OSError as error:
            self._errno.value = error.errno or errno.EIO

    def _make_room(self) -> None:
        """Removes what was not used for the longest time. Raises OSError for a full disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        files = sorted(cached_files(self.folder), key=lambda file: file.used)
        used, most = sum(file.bytes for file in files), self.limit - self.limit // SLACK
        for file in files:
            abandoned = not file.finished and time.time() - file.used > USE_NOTED_EVERY
            if used > most or abandoned:
                with suppress(OSError):  # another process may have been faster
                    file.path.unlink()
                    self.removed += file.finished
                used -= file.bytes
        if shutil.disk_usage(self.folder).free < FREE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._room = self.limit // (4 * SLACK)


def cached_files(folder: Path) -> Iterator[CachedFile]:
    """All files of the cache in a folder; files that are not its own are never among them."""
    images = folder / "images"
    for entry in _at_depth(images, 3):
        finished = _OWN.fullmatch(entry.name) is not None
        if not finished and not _UNFINISHED.fullmatch(entry.name):
            continue
        path = Path(entry.path)
        dataset, task, size = path.relative_to(images).parts[:-1]
        with suppress(OSError):
            stat = entry.stat(follow_symlinks=False)
            yield CachedFile(path, dataset, task, size, stat.st_size, stat.st_mtime, finished)


def remove(folder: Path, tasks: Collection[str] = ()) -> list[CachedFile]:
    """Removes the cache's files of some tasks, or of all, and the folders that they leave empty.

    Returns what was removed. Raises OSError.
    """
    removed = []
    for file in list(cached_files(folder)):
        if file.task in tasks or not tasks:
            file.path.unlink(missing_ok=True)
            removed.append(file)
            for parent in file.path.parents[:4]:
                with suppress(OSError):  # not empty
                    parent.rmdir()
    return removed


def _at_depth(folder: str | Path, depth: int) -> Iterator[os.DirEntry[str]]:
    """The files so many folders below; links are not followed."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError:
        return  # not there, or removed meanwhile
    for entry in found:
        if depth and entry.is_dir(follow_symlinks=False):
            yield from _at_depth(entry.path, depth - 1)
        elif not depth and entry.is_file(follow_symlinks=False):
            yield entry

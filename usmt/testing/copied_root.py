"""A copy of a dataset's root, in which files can be replaced: those of the user are not touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

COPIED = 64 * 2**20
"""Bytes up to which a root is copied."""


class Copy:
    """A copy of a root, or of its folders with links to its files."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self._aside = folder / "copy" / root.name, folder / "aside"
        self._aside.mkdir()
        files = [Path(of) / name for of, _, names in os.walk(root) for name in names]
        small = sum(file.stat().st_size for file in files if file.exists()) <= COPIED
        for of, _, _ in os.walk(root):
            (self.root / Path(of).relative_to(root)).mkdir(parents=True)
        self.files = sorted(self.root / file.relative_to(root) for file in files if file.is_file())
        for file in files:
            target = self.root / file.relative_to(root)
            if small and file.is_file():
                shutil.copy2(file, target)
            else:
                target.symlink_to(file)
        self.binary = [path for path in self.files if is_binary(path)]

    def texts_near(self, key: str, but: Container[Path]) -> list[Path]:
        """Files that are no images or the like; those first that are named as a record is."""

        def likeness(path: Path) -> int:
            pairs = zip(path.relative_to(self.root).as_posix(), key, strict=False)
            return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

        binary = set(self.binary)
        texts = [path for path in self.files if path not in binary and path not in but]
        return sorted(texts, key=likeness, reverse=True)

    @contextmanager
    def damaged(
        self, files: Sequence[Path], damage: Callable[[Path, Path], None]
    ) -> Iterator[None]:
        """While this lasts the files are damaged ones; `damage` writes one, given the whole."""
        kept = [(path, self._aside / str(number)) for number, path in enumerate(files)]
        for path, whole in kept:
            path.rename(whole)
            damage(whole, path)
        try:
            yield
        finally:
            for path, whole in kept:
                path.unlink()
                whole.rename(path)


def is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" in file.read(4096)

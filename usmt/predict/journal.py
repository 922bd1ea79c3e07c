"""What was predicted already: one line an image, so that a run that was stopped can go on."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from usmt.errors import DataError
from usmt.whole_file import cut_torn_line, write_bytes

NAME = ".predictions.jsonl"


@dataclass(frozen=True, slots=True)
class Done:
    """One image of one task that was predicted.

    Attributes:
        model: fingerprint of what predicted it.
        image: fingerprint of what was predicted; None where the dataset gives none.
        entry: what the submission lists of it.
    """

    task: str
    key: str
    model: str
    image: str | None
    entry: dict[str, Any]


_DONE = TypeAdapter(Done)


class Journal:
    """The file `.predictions.jsonl` of a folder of predictions.

    A line is written at once, so that several runs may write to one folder; the line that was
    being written at a kill is dropped.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def read(self) -> list[Done]:
        """All whole lines. Raises DataError for a file that is not a journal."""
        if not self.path.exists():
            return []
        found = []
        try:
            lines = self.path.read_bytes().decode().split("\n")
            for number, line in enumerate(lines[:-1], start=1):
                try:
                    found.append(_DONE.validate_python(json.loads(line)))
                except (ValueError, RecursionError):
                    raise self._damaged(f"line {number} is not one that was written") from None
        except (OSError, UnicodeDecodeError) as error:
            raise self._damaged(str(error)) from None
        return found

    def cut_torn_line(self) -> None:
        """Drops a line that has no end: what a kill leaves."""
        cut_torn_line(self.path)

    def append(self, done: Done) -> None:
        with self.path.open("ab") as file:
            file.write(_line(done))

    def forget(self, tasks: Collection[str]) -> None:
        """Drops the lines of some tasks."""
        kept = [one for one in self.read() if one.task not in tasks]
        write_bytes(self.path, b"".join(map(_line, kept)))

    def _damaged(self, reason: str) -> DataError:
        return DataError(
            f"{self.path}: not the journal of a folder of predictions: {reason}",
            hint="Remove the file to predict everything anew, or choose another --out.",
        )


def _line(done: Done) -> bytes:
    return json.dumps(asdict(done), ensure_ascii=False).encode() + b"\n"

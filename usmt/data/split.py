"""The frozen split: which records train, validate and test, the same whatever is trained.

How it is drawn, and why so, is told in docs/explanation/split.md.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from usmt.data.grouping import Name, related
from usmt.data.stratify import SIDES
from usmt.data.table import BrokenLineError, csv_lines
from usmt.dataset import Side
from usmt.errors import DataError
from usmt.mistakes import shown
from usmt.whole_file import write_text

COLUMNS = ["task", "key", "side", "group", "source_id", "content"]

_HASHES = re.compile(r"[0-9a-f]{16},([0-9a-f]{64})?")
"""Group and content in a file: a file that was cut off ends in a shorter one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the split puts a record.

    Attributes:
        group: name of the group, whose records stay together.
        content: hash of the image's pixels; empty where images were not read.
    """

    side: Side
    group: str
    source_id: str
    content: str


@dataclass(frozen=True, slots=True)
class Grouping:
    """How records were grouped.

    Attributes:
        sizes: records of each group, largest first.
        by_source, by_pixels, by_likeness: how many groups have records of one source, records
            with the same pixels, and records that nothing but near-duplicates join.
    """

    sizes: tuple[int, ...]
    by_source: int
    by_pixels: int
    by_likeness: int


@dataclass(frozen=True, slots=True)
class Changes:
    """How data differ from those that a split was drawn on, by record."""

    gone: Sequence[Name]
    new: Sequence[Name]
    changed: Sequence[Name]

    def __str__(self) -> str:
        """Counts, each with an example, in one line."""
        parts = []
        kinds = ((self.gone, "gone"), (self.new, "new"), (self.changed, "with other pixels"))
        for names, what in kinds:
            if names:
                noun = "record" if len(names) == 1 else "records"
                task, key = names[0]
                parts.append(f"{len(names)} {noun} {what} (e.g. '{key}' of task '{task}')")
        return ", ".join(parts) or "none"


@dataclass(frozen=True)
class Split:
    """A split of all records of one dataset."""

    places: Mapping[Name, Place]

    def side(self, task: str, key: str) -> Side:
        """Raises `DataError` for a record that the split does not know."""
        place = self.places.get((task, key))
        if place is None:
            raise DataError(f"'{key}' of task '{task}' is not in the split")
        return place.side

    @cached_property
    def fingerprint(self) -> str:
        """Of the data: which records there are and their pixels, whatever their sides."""
        rows = sorted((*name, place.content) for name, place in self.places.items())
        return hashlib.sha256(repr(rows).encode()).hexdigest()

    @cached_property
    def crossings(self) -> list[str]:
        """Groups that are on several sides: a dataset's own official split can cause that."""
        return [
            group
            for group, names in sorted(self._members.items())
            if len({self.places[name].side for name in names}) > 1
        ]

    @cached_property
    def groups(self) -> Grouping:
        several = [names for names in self._members.values() if len(names) > 1]
        sources = [[self.places[name].source_id for name in names] for names in several]
        contents = [[self.places[name].content for name in names] for names in several]
        origins = {name: (place.source_id, place.content) for name, place in self.places.items()}
        explained = related(origins)
        return Grouping(
            sizes=tuple(sorted(map(len, self._members.values()), reverse=True)),
            by_source=sum(_repeats(values) for values in sources),
            by_pixels=sum(_repeats(filter(None, values)) for values in contents),
            by_likeness=sum(len({explained[name] for name in names}) > 1 for names in several),
        )

    @cached_property
    def _members(self) -> Mapping[str, list[Name]]:
        members: dict[str, list[Name]] = defaultdict(list)
        for name, place in self.places.items():
            members[place.group].append(name)
        return members

    def summary(self) -> dict[str, Any]:
        """In plain numbers, for programs: fingerprint of the data, records by side, sizes of the
        groups (largest first), and groups that an official split parts."""
        sides = Counter(place.side for place in self.places.values())
        return {
            "fingerprint": self.fingerprint,
            "records": len(self.places),
            "sides": {side: sides[side] for side in SIDES},
            "groups": list(self.groups.sizes),
            "parted_groups": len(self.crossings),
        }

    def describe(self) -> str:
        """Sides, groups and what joined them, in a few lines for people."""
        groups, counts = self.groups, Counter(place.side for place in self.places.values())
        text = (
            f"{len(self.places)} records in {len(groups.sizes)} groups: "
            f"{', '.join(f'{side} {counts[side]}' for side in SIDES)}\n"
            f"  largest groups {', '.join(map(str, groups.sizes[:5]))}; joined by source "
            f"{groups.by_source}, by equal pixels {groups.by_pixels}, by near-duplicates "
            f"{groups.by_likeness}; data {self.fingerprint[:12]}"
        )
        if self.crossings:
            records = sum(len(self._members[group]) for group in self.crossings)
            text += (
                f"\n  warning: the dataset's own split parts {len(self.crossings)} groups of "
                f"related images ({records} records); it is kept"
            )
        return text

    # -- beside another split

    def extended(self, other: Split) -> Split:
        """The records of `other`, on the sides where this split has their images.

        New images are on the side of a related image that this split has, else on test. What is
        related is known by pixels, and by source where it is more than the record's key.
        """
        known: dict[str, Side] = {}
        sources: dict[str, Side] = {}
        for (_, key), place in self.places.items():
            known[place.content] = _earliest([place.side, known.get(place.content)])
            if (source := place.source_id) != key:
                sources[source] = _earliest([place.side, sources.get(source)])
        places = {}
        for names in other._members.values():
            sides = {name: self._known_side(name, other.places[name], known) for name in names}
            of_sources = (sources.get(other.places[name].source_id) for name in names)
            rest = _earliest([*sides.values(), *of_sources])
            for name in names:
                places[name] = replace(other.places[name], side=sides[name] or rest)
        return Split(places)

    def _known_side(self, name: Name, place: Place, known: Mapping[str, Side]) -> Side | None:
        mine = self.places.get(name)
        if mine is not None and mine.content == place.content:
            return mine.side
        return known.get(place.content) if place.content else None

    def of(self, tasks: Collection[str]) -> Split:
        """The records of some tasks."""
        return Split({name: place for name, place in self.places.items() if name[0] in tasks})

    def changes(self, contents: Mapping[Name, str]) -> Changes:
        """What became of the data since: `contents` are the pixels' hashes that they have now."""
        both = self.places.keys() & contents.keys()
        return Changes(
            gone=sorted(self.places.keys() - both),
            new=sorted(contents.keys() - both),
            changed=sorted(name for name in both if self.places[name].content != contents[name]),
        )

    # -- as a file

    def write(self, path: Path) -> None:
        """Writes `split.csv`, one row a record, in the order of task and key."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for name, place in sorted(self.places.items()):
            writer.writerow([*name, *astuple(place)])
        write_text(path, text.getvalue())

    @classmethod
    def read(cls, path: Path) -> Split:
        """Raises `DataError`, naming the line, for a file that `write` did not write."""
        try:
            text = path.read_bytes().decode()
        except OSError as error:
            raise DataError(f"{path}: cannot be read as a split: {error.strerror}") from None
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise DataError(f"{path}:{line}: cannot be read as a split: not UTF-8") from None
        places: dict[Name, Place] = {}
        try:
            rows = csv_lines(text)
            if next(rows, (1, []))[1] != COLUMNS:
                raise DataError(f"{path}:1: expected the columns {', '.join(COLUMNS)}")
            for line, row in rows:
                if (
                    len(row) != len(COLUMNS)
                    or row[2] not in SIDES
                    or not _HASHES.fullmatch(f"{row[3]},{row[5]}")
                ):
                    raise DataError(f"{path}:{line}: not a row of a split: {shown(','.join(row))}")
                if (row[0], row[1]) in places:
                    raise DataError(f"{path}:{line}: '{row[1]}' of task '{row[0]}' is there twice")
                places[row[0], row[1]] = Place(row[2], *row[3:])
        except BrokenLineError as error:
            raise DataError(f"{path}:{error.line}: cannot be read as a split: {error}") from None
        return cls(places)


def _earliest(sides: Iterable[Side | None]) -> Side:
    """Train before val before test: what was trained on is not new elsewhere."""
    held = set(sides)
    return next((side for side in SIDES if side in held), "test")


def _repeats(values: Iterable[str]) -> bool:
    listed = list(values)
    return len(set(listed)) < len(listed)

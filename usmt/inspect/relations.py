"""What is wrong between records: one image twice, with two labels, or on two sides of a split."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from usmt.data.duplicates import near_duplicates
from usmt.data.scan import ScannedImage
from usmt.data.stratify import SIDES
from usmt.dataset import Record, Side
from usmt.errors import Defect

Sides = Callable[[Record], Side | None]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A record whose image can be read.

    Attributes:
        meaning: the tasks of one meaning have labels that say the same of an image.
        label: hash of the label; None where it has a fault or was not read.
    """

    record: Record
    image: ScannedImage
    meaning: Hashable
    label: str | None

    def defect(self, reason: str, kind: str, severity: Literal["error", "warning"]) -> Defect:
        return Defect(self.record.task, self.record.place, reason, kind, severity)

    def __str__(self) -> str:
        return f"{self.record.place} ({self.record.task})"


class Relations:
    """Which images are equal or nearly so."""

    def __init__(self, seen: Sequence[Seen]) -> None:
        self.seen = seen
        self._equal: dict[str, list[int]] = defaultdict(list)
        for i, one in enumerate(seen):
            self._equal[one.image.content].append(i)
        self._near = list(self._near_pairs())

    def _near_pairs(self) -> Iterator[tuple[int, int]]:
        """Of each two contents that are nearly the same, two records, of one task if possible."""
        # In the order of their pixels, so that the answer does not depend on the records' order.
        contents = sorted(self._equal)
        if not contents:
            return
        thumbnails = [self.seen[self._equal[content][0]].image.thumbnail for content in contents]
        for i, j in near_duplicates(np.stack(thumbnails), range(len(contents))):
            one, other = self._equal[contents[i]], self._equal[contents[j]]
            task = {self.seen[place].record.task: place for place in reversed(one)}
            shared = [(task[its], b) for b in other if (its := self.seen[b].record.task) in task]
            first, second = sorted(shared[0] if shared else (one[0], other[0]))
            yield first, second

    # -- duplicates

    def duplicates(self) -> Iterator[Defect]:
        """Equal and nearly equal images within a task, and across tasks."""
        for places in self._equal.values():
            yield from self._repeated([self.seen[place] for place in places])
        for first, second in sorted(self._near, key=lambda pair: pair[1]):
            one, other = self.seen[first], self.seen[second]
            reason = f"nearly the same image as {one}"
            if one.record.source_id == other.record.source_id:
                reason += ", of the same source"
            across = one.record.task != other.record.task
            kind = "near-duplicate across tasks" if across else "near-duplicate"
            yield other.defect(reason, kind, "warning")

    @staticmethod
    def _repeated(equal: Sequence[Seen]) -> Iterator[Defect]:
        by_task: dict[str, list[Seen]] = defaultdict(list)
        for one in equal:
            by_task[one.record.task].append(one)
        keys: dict[str, set[str]] = {}
        for task, (first, *others) in by_task.items():
            for one in others:
                if one.record.key != first.record.key:  # else a duplicate row
                    yield one.defect(f"the same pixels as {first}", "duplicate image", "warning")
            mine = {one.record.key for one in by_task[task]}
            # Tasks that have a record of one key share a file on purpose.
            copied = [by_task[other][0] for other, its in keys.items() if not its & mine]
            if copied:
                reason = f"the same pixels as {', '.join(map(str, copied))}"
                yield first.defect(reason, "duplicate image across tasks", "warning")
            keys[task] = mine

    # -- labels

    def contradictions(self) -> Iterator[Defect]:
        """Equal images with other labels, in one task or in tasks of one meaning."""
        for places in self._equal.values():
            by_meaning: dict[Hashable, list[Seen]] = defaultdict(list)
            for place in places:
                if self.seen[place].label is not None:
                    by_meaning[self.seen[place].meaning].append(self.seen[place])
            for labelled in by_meaning.values():
                usual = Counter(one.label for one in labelled).most_common(1)[0][0]
                first = next(one for one in labelled if one.label == usual)
                for one in labelled:
                    if one.label != usual:
                        reason = f"the same pixels as {first}, but another label"
                        yield one.defect(reason, "two labels of one image", "error")

    # -- sides

    def crossings(self, side_of: Sides, split: str) -> Iterator[Defect]:
        """Related records on several sides of a split.

        Args:
            side_of: a record's side; None if it has none.
            split: what the split is called.
        """
        sides = {i: side for i, one in enumerate(self.seen) if (side := side_of(one.record))}
        yield from self._parted_sources(sides, split)
        near: dict[int, list[int]] = defaultdict(list)
        for i, j in self._near:
            near[i].append(j)
            near[j].append(i)
        for group in self._groups():
            placed = [i for i in group if i in sides]
            home = _home(sides[i] for i in placed)
            for i in placed:
                if sides[i] == home:
                    continue
                content = self.seen[i].image.content
                equal = [j for j in self._equal[content] if sides.get(j, sides[i]) != sides[i]]
                alike = [j for j in near[i] if sides.get(j, sides[i]) != sides[i]]
                at_home = [j for j in placed if sides[j] == home]
                other = (equal or alike or at_home)[0]
                what = "the same pixels" if equal else "nearly the same image"
                reason = f"on {sides[i]} in {split}, but {what} as {self.seen[other]}, "
                reason += f"on {sides[other]}"
                kind = "duplicate on two sides" if equal else "near-duplicate on two sides"
                yield self.seen[i].defect(reason, kind, "error")

    def _parted_sources(self, sides: Mapping[int, Side], split: str) -> Iterator[Defect]:
        sources: dict[str, list[int]] = defaultdict(list)
        for i in sides:
            if knows_source(self.seen[i].record):
                sources[self.seen[i].record.source_id].append(i)
        for source, members in sources.items():
            home = _home(sides[i] for i in members)
            first = next(i for i in members if sides[i] == home)
            for i in members:
                if sides[i] != home:
                    reason = f"on {sides[i]} in {split}, but its source '{source}' is on {home}: "
                    reason += str(self.seen[first])
                    yield self.seen[i].defect(reason, "source on two sides", "error")

    def _groups(self) -> Iterable[list[int]]:
        """Records whose images are equal or nearly so, directly or through others."""
        joined = DisjointSet(range(len(self.seen)))
        for first, *rest in self._equal.values():
            for other in rest:
                joined.merge(first, other)
        for first, second in self._near:
            joined.merge(first, second)
        return (sorted(group) for group in joined.subsets())


def knows_source(record: Record) -> bool:
    """Whether the record says which patient or video it is of; else its key stands for that."""
    return record.source_id not in (record.key, record.place)


def _home(sides: Iterable[Side]) -> Side:
    """The side of most; of equally many, the first of train, val and test."""
    counts = Counter(sides)
    return max(SIDES, key=lambda side: counts[side])

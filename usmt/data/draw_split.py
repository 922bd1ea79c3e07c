"""Draws the split of a dataset: which group goes to which side.

How, and why so, is told in docs/explanation/split.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

from usmt.data.grouping import Name, group_records
from usmt.data.scan import ScannedImage
from usmt.data.split import Place, Split
from usmt.data.stratify import SIDES, Group, Unit, assign
from usmt.dataset import Record, Side


def draw_split(
    images: Mapping[Name, ScannedImage],
    records: Iterable[Record],
    *,
    seed: int,
    val: float,
    test: float,
) -> Split:
    """Draws the split of a dataset.

    Args:
        images: by (task, key), as scanned; records without an image are left out. Empty where
            nothing was scanned, as for synthetic images: then records are grouped by source alone.
        records: all that the dataset holds, of all its tasks, in any order.
        val: share of the training part that validates, for tasks without an official val side.
        test: share of all that is kept for the test, for tasks without any official side.
    """
    chosen = _distinct(record for record in records if not images or _name(record) in images)
    contents = {name: images[name].content if images else "" for name in chosen}
    origins = {name: (record.source_id, contents[name]) for name, record in chosen.items()}
    official = _official_sides(chosen.values())
    open_sides = {task: _open_sides(its, val=val, test=test) for task, its in official.items()}
    members = group_records(origins, images)
    groups = [
        Group(
            name,
            Counter(_stratum(chosen[one]) for one in names),
            _possible_sides([chosen[one] for one in names], open_sides),
        )
        for name, names in members.items()
    ]
    targets = _targets(chosen.values(), official, val=val, test=test)
    sides = assign(groups, targets, seed)
    places = {}
    for group, names in members.items():
        parted = len({chosen[name].split for name in names} - {None}) > 1
        for name in names:
            side = chosen[name].split if parted else None
            place = Place(side or sides[group], group, chosen[name].source_id, contents[name])
            places[name] = place
    return Split(dict(sorted(places.items())))


def _name(record: Record) -> Name:
    return record.task, record.key


def _stratum(record: Record) -> Unit:
    return record.task, record.stratum


def _distinct(records: Iterable[Record]) -> dict[Name, Record]:
    """Records by name. One that is there twice counts once, the same one in any order."""
    ordered = sorted(
        records, key=lambda r: (*_name(r), r.source_id, r.stratum, r.split or ""), reverse=True
    )
    return {_name(record): record for record in ordered}


def _official_sides(records: Iterable[Record]) -> dict[str, set[Side]]:
    """The sides that a task's own split has, by task."""
    official: dict[str, set[Side]] = defaultdict(set)
    for record in records:
        official[record.task] |= {record.split} if record.split else set()
    return official


def _open_sides(official: Set[Side], *, val: float, test: float) -> set[Side]:
    """Where a record without an official side may go, and one that is officially for training.
    Nothing is taken from an official split but a val side that it lacks."""
    sides: set[Side] = {"train"}
    if val > 0 and "val" not in official:
        sides.add("val")
    if test > 0 and not official:
        sides.add("test")
    return sides


def _possible_sides(
    group: Sequence[Record], open_sides: Mapping[str, set[Side]]
) -> tuple[Side, ...]:
    official = {record.split for record in group if record.split}
    if official - {"train"}:
        return (max(official, key=SIDES.index),)
    shared = set.intersection(*(open_sides[record.task] for record in group))
    return tuple(side for side in SIDES if side in shared)


def _targets(
    records: Iterable[Record], official: Mapping[str, Set[Side]], *, val: float, test: float
) -> dict[Unit, dict[Side, float]]:
    """Records that each side should get, by (task, class)."""
    held: dict[Unit, Counter[str]] = defaultdict(Counter)
    for record in records:
        held[_stratum(record)][record.split or ""] += 1
    targets: dict[Unit, dict[Side, float]] = {}
    for (task, stratum), counts in held.items():
        total = counts.total()
        of_test = counts["test"] if official[task] else test * total
        of_val = counts["val"] if "val" in official[task] else val * (total - of_test)
        targets[task, stratum] = {"train": total - of_test - of_val, "val": of_val, "test": of_test}
    return targets

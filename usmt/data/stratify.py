"""Gives groups of records to the sides of a split, so that each stratum is split as asked.

Whatever is decided for a group depends only on the groups that it shares a stratum with, directly
or through others: what another, unrelated task holds changes nothing. Sums are taken in a fixed
order, so that the result is the same on every machine.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from usmt.dataset import Side

SIDES: tuple[Side, ...] = ("train", "val", "test")

Unit = tuple[str, ...]
"""(task,) or (task, class): what is to be split in the proportions that were asked for."""

ENOUGH_GROUPS = 5
"""A class of so many groups is present on every side."""


@dataclass(frozen=True, slots=True)
class Group:
    """Records that must stay together.

    Attributes:
        name: the same however the records are ordered.
        counts: records by (task, class).
        sides: those that it may go to.
    """

    name: str
    counts: Mapping[Unit, int]
    sides: tuple[Side, ...]

    @property
    def size(self) -> int:
        return sum(self.counts.values())

    @property
    def units(self) -> list[Unit]:
        """Its strata and its tasks, in a fixed order."""
        return sorted({*self.counts, *((task,) for task, _ in self.counts)})


Targets = Mapping[Unit, Mapping[Side, float]]
"""Records that each side should get, by stratum."""


def assign(groups: Sequence[Group], targets: Targets, seed: int) -> dict[str, Side]:
    """The side of each group, by name.

    Large groups go first, each to the side that lacks most of what the group has; then tasks and
    classes that a side has nothing of are given a group, where there are enough.
    """
    order = sorted(groups, key=lambda group: (-group.size, _draw(seed, group.name)))
    balance = _Balance(targets)
    sides: dict[str, Side] = {}
    for group in order:
        sides[group.name] = max(group.sides, key=lambda side: balance.need(group, side))
        balance.add(group, sides[group.name])
    _fill_empty(order, sides, balance)
    return sides


def _draw(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()


class _Balance:
    """What each side has of each stratum, against what it should have."""

    def __init__(self, targets: Targets) -> None:
        self._lack = {stratum: dict(by_side) for stratum, by_side in targets.items()}
        self._total = {stratum: sum(by_side.values()) for stratum, by_side in targets.items()}

    def need(self, group: Group, side: Side) -> float:
        """The larger, the more the squared deviations shrink when the side gets the group."""
        return sum(
            count * self._lack[stratum][side] / self._total[stratum]
            for stratum, count in sorted(group.counts.items())
        )

    def gain(self, group: Group, old: Side, new: Side) -> float:
        """The larger, the more the squared deviations shrink when the group is moved."""
        return sum(
            count
            * (self._lack[stratum][new] - self._lack[stratum][old] - count)
            / self._total[stratum]
            for stratum, count in sorted(group.counts.items())
        )

    def add(self, group: Group, side: Side, times: int = 1) -> None:
        for stratum, count in group.counts.items():
            self._lack[stratum][side] -= times * count


def _fill_empty(order: Sequence[Group], sides: dict[str, Side], balance: _Balance) -> None:
    """Moves single groups to where a task or class would have none, without emptying another."""
    owners: dict[Unit, list[Group]] = defaultdict(list)
    held: Counter[tuple[Unit, Side]] = Counter()
    for group in order:
        for unit in group.units:
            owners[unit].append(group)
            held[unit, sides[group.name]] += 1
    wanted = {(unit, side) for unit, mine in owners.items() for side in _wanted(unit, mine)}
    for unit, side in sorted(wanted, key=lambda want: (len(want[0]), want)):
        if held[unit, side]:
            continue
        movable = [
            group
            for group in owners[unit]
            if side in group.sides and not _would_empty(group, sides[group.name], held, wanted)
        ]
        if not movable:
            continue
        best = max(movable, key=lambda g: balance.gain(g, sides[g.name], side))
        old = sides[best.name]
        balance.add(best, old, times=-1)
        balance.add(best, side)
        sides[best.name] = side
        for its in best.units:
            held[its, old] -= 1
            held[its, side] += 1


def _wanted(unit: Unit, owners: Sequence[Group]) -> Iterator[Side]:
    """The sides that must have something of a task or class, as far as its groups may go there."""
    is_class = len(unit) > 1
    possible = {side for group in owners for side in group.sides}
    for count, side in enumerate(side for side in SIDES if side in possible):
        if len(owners) > (ENOUGH_GROUPS - 1 if is_class else count):
            yield side


def _would_empty(
    group: Group, side: Side, held: Mapping[tuple[Unit, Side], int], wanted: Set[tuple[Unit, Side]]
) -> bool:
    return any((unit, side) in wanted and held[unit, side] == 1 for unit in group.units)

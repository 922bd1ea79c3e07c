"""Which training records a run on a share of the data is trained on: the smaller the share, the
fewer, and a smaller one is part of a larger one.

How they are chosen, and why so, is told in docs/explanation/split.md.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

from usmt.data.split import Split
from usmt.data.stratify import Unit
from usmt.dataset import Record

HALVINGS = 12
"""So fractions are told apart that differ by 1/4096."""

Counts = Mapping[str, Mapping[Unit, int]]
"""Training records by group, and in it by (task, stratum)."""


def training_groups(
    split: Split, records: Iterable[Record], *, fraction: float, seed: int
) -> frozenset[str]:
    """The groups of a split whose training records are used.

    Args:
        records: all that the split was drawn on, of all tasks, in any order.
        fraction: 0 < fraction <= 1; 1 uses all.
    """
    counts = _count(split, records)
    if fraction == 1:
        return frozenset(counts)
    found = positions(counts, seed)
    return frozenset(group for group, position in found.items() if position < fraction)


def positions(counts: Counts, seed: int) -> dict[str, float]:
    """Where each group stands in [0, 1): it is used by every fraction above its position.

    A group of each stratum stands at 0. The groups are halved, the halves are halved, and so on:
    each time so that every stratum and every task has half of its records on either side, as far
    as whole groups allow.
    """
    draws = {group: _draw(seed, group) for group in counts}
    order = sorted(counts, key=lambda group: (-sum(counts[group].values()), draws[group]))
    always = _one_of_each(order, counts)
    parts = [order]
    for level in range(HALVINGS):
        parts = [half for part in parts for half in _halve(part, counts, always, draws, level)]
    found = dict.fromkeys(always, 0.0)
    for number, part in enumerate(parts):
        for group in part:
            found.setdefault(group, (number + 0.5) / len(parts))
    return found


def _one_of_each(order: Sequence[str], counts: Counts) -> set[str]:
    """A group of each stratum: the last in `order`, thus a small one; rare strata first, as theirs
    may serve others too."""
    owners: dict[Unit, list[str]] = defaultdict(list)
    for group in order:
        for unit in counts[group]:
            owners[unit].append(group)
    chosen: set[str] = set()
    for _, groups in sorted(owners.items(), key=lambda item: (len(item[1]), item[0])):
        if chosen.isdisjoint(groups):
            chosen.add(groups[-1])
    return chosen


def _halve(
    groups: Sequence[str], counts: Counts, always: Set[str], draws: Mapping[str, int], level: int
) -> tuple[list[str], list[str]]:
    """The groups, in their order, each to the half that has less of what it has; before that those
    of `always` to the first."""
    sizes = _by_unit(groups, counts)
    halves = [group for group in groups if group in always], list[str]()
    lead = _by_unit(halves[0], counts)
    for group in groups:
        if group in always:
            continue
        its = _by_unit([group], counts)
        ahead = sum(count * lead[unit] / sizes[unit] for unit, count in sorted(its.items()))
        second = ahead > 0 or (ahead == 0 and draws[group] >> level & 1)
        halves[1 if second else 0].append(group)
        for unit, count in its.items():
            lead[unit] += -count if second else count
    return halves


def _by_unit(groups: Iterable[str], counts: Counts) -> Counter[Unit]:
    """Records of some groups by (task, stratum), and by (task,)."""
    found: Counter[Unit] = Counter()
    for group in groups:
        for unit, count in counts[group].items():
            found[unit] += count
            found[unit[:1]] += count
    return found


def _count(split: Split, records: Iterable[Record]) -> dict[str, Counter[Unit]]:
    """Each record once, as the split has it; of several with one name the one with the first
    stratum, in any order."""
    strata: dict[tuple[str, str], str] = {}
    for record in records:
        name = record.task, record.key
        strata[name] = min(record.stratum, strata.get(name, record.stratum))
    counts: dict[str, Counter[Unit]] = defaultdict(Counter)
    for name, place in split.places.items():
        if place.side == "train":
            counts[place.group][name[0], strata[name]] += 1
    return counts


def _draw(seed: int, group: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{group}".encode()).digest()[:8], "big")

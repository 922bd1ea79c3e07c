"""Tasks and classes of which a side of the split has nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from usmt.data.split import Split
from usmt.data.stratify import ENOUGH_GROUPS, SIDES
from usmt.dataset import Record, Side
from usmt.errors import Defect

EXAMPLES = 3
"""So many classes are named."""


def empty_sides(
    split: Split,
    records: Iterable[Record],
    classes: Mapping[str, Sequence[str]],
    name: str = "the split",
) -> list[Defect]:
    """A warning for each task that has nothing on a side which the split has, or classes that have
    nothing on a side of their task.

    Args:
        records: those of the tasks that are asked about; what the split does not have counts for
            nothing.
        classes: their names in the spec's order, by task; may lack tasks.
        name: what the split is called.
    """
    held: dict[str, dict[str, Counter[Side]]] = defaultdict(lambda: defaultdict(Counter))
    for record in records:
        if (place := split.places.get((record.task, record.key))) is not None:
            held[record.task][record.stratum][place.side] += 1
    of_split = {place.side for place in split.places.values()}
    found = {
        task: "; ".join(
            [
                *_of_task(sum(strata.values(), Counter()), of_split),
                *_of_classes(_by_class(strata, classes.get(task, ()))),
            ]
        )
        for task, strata in sorted(held.items())
    }
    return [
        Defect(task, f"task {task}", f"in {name} {reason}", "empty side", "warning")
        for task, reason in found.items()
        if reason
    ]


def sides_without_images(
    split: Split, records: Iterable[Record], dataset: str, name: str = "the split"
) -> list[Defect]:
    """A warning if the split of a whole dataset lacks a side, as where its own split has no test.

    Args:
        records: all of the dataset.
        name: what the split is called.
    """
    counts = Counter(place.side for place in split.places.values())
    if not (lacking := _lacking(counts, SIDES)):
        return []
    reason = f"in {name} no image of any task is on {_any_of(lacking)} ({_counts(counts)}): "
    if "test" in lacking and any(record.split for record in records):
        reason += "`usmt evaluate` will have no test to score. The dataset's own split is kept as "
        reason += "it is: give it a test side, or none at all, so that one is drawn"
    else:
        reason += "it needs images of more patients"
    return [Defect("", dataset, reason, "empty side", "warning")]


def _of_task(counts: Mapping[Side, int], of_split: Iterable[Side]) -> Iterator[str]:
    if lacking := _lacking(counts, of_split):
        text = f"no image is on {_any_of(lacking)} ({_counts(counts)})"
        yield f"{text}: it needs images of more patients"


def _of_classes(held: Mapping[str, Counter[Side]]) -> Iterator[str]:
    of_task = {side for counts in held.values() for side in counts}
    short = {name: counts for name, counts in held.items() if _lacking(counts, of_task)}
    if short:
        lacking = {side for counts in short.values() for side in _lacking(counts, of_task)}
        listed = [f"{name} ({_counts(counts)})" for name, counts in short.items()]
        yield (
            f"{len(short)} of {len(held)} classes {'has' if len(short) == 1 else 'have'} no image "
            f"on {_any_of(lacking)}{', e.g.' if len(listed) > EXAMPLES else ':'} "
            f"{', '.join(listed[:EXAMPLES])}: images of {ENOUGH_GROUPS} patients put a class on "
            "every side that is drawn"
        )


def _by_class(
    strata: Mapping[str, Counter[Side]], classes: Sequence[str]
) -> dict[str, Counter[Side]]:
    """Records by class, where strata are the names of classes or their numbers. Strata may be
    anything that a split is to spread, such as sets of findings: of these no side need have all."""
    named = {stratum: counts for stratum, counts in strata.items() if stratum}
    for strata_of in (classes, [str(number) for number in range(len(classes))]):
        if named.keys() <= set(strata_of):
            meant = dict(zip(strata_of, classes, strict=True))
            return {meant[stratum]: named[stratum] for stratum in strata_of if stratum in named}
    return {}


def _lacking(counts: Mapping[Side, int], sides: Iterable[Side]) -> set[Side]:
    return {side for side in sides if not counts.get(side)}


def _any_of(sides: Iterable[Side]) -> str:
    return " or ".join(sorted(sides, key=SIDES.index))


def _counts(counts: Mapping[Side, int]) -> str:
    return ", ".join(f"{counts[side]} on {side}" for side in SIDES if counts.get(side))

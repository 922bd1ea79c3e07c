"""Tasks and classes of which a side of the split has nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from usmt.data.split import Split
from usmt.data.stratify import ENOUGH_GROUPS, SIDES
from usmt.dataset import Record, Side
from usmt.errors import Defect


def empty_sides(split: Split, records: Iterable[Record], name: str = "the split") -> list[Defect]:
    """A warning for each task that has nothing on a side which the split has, and for each class
    that has nothing on a side of its task.

    Args:
        records: those of the tasks that are asked about; what the split does not have counts for
            nothing.
        name: what the split is called.
    """
    held: dict[str, dict[str, Counter[Side]]] = defaultdict(lambda: defaultdict(Counter))
    for record in records:
        if (place := split.places.get((record.task, record.key))) is not None:
            held[record.task][record.stratum][place.side] += 1
    of_split = {place.side for place in split.places.values()}
    return [
        Defect(task, f"task {task}", f"in {name} {reason}", "empty side", "warning")
        for task, classes in sorted(held.items())
        for reason in _of_task(classes, of_split)
    ]


def _of_task(classes: Mapping[str, Counter[Side]], of_split: Iterable[Side]) -> Iterator[str]:
    whole = sum(classes.values(), Counter[Side]())
    if lacking := _lacking(whole, of_split):
        yield f"no image is on {lacking} ({_counts(whole)}): it needs images of more patients"
    for name, counts in sorted(classes.items()):
        if name and (lacking := _lacking(counts, whole)):
            yield (
                f"no image of the class {name} is on {lacking} ({_counts(counts)}): images of "
                f"{ENOUGH_GROUPS} patients put a class on every side that is drawn"
            )


def _lacking(counts: Mapping[Side, int], sides: Iterable[Side]) -> str:
    return " or ".join(side for side in SIDES if side in set(sides) and not counts.get(side))


def _counts(counts: Mapping[Side, int]) -> str:
    return ", ".join(f"{counts[side]} on {side}" for side in SIDES if counts.get(side))

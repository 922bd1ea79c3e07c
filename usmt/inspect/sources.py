"""What is odd about the sources (patients or videos) that the records of a dataset name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from usmt.dataset import Record
from usmt.errors import Defect
from usmt.inspect.inventory import Inventory
from usmt.inspect.relations import knows_source

FEW_SOURCES = 10
"""Fewer than these cannot fill three sides, nor say how scores differ between patients."""


def odd_sources(inventory: Inventory) -> Iterator[Defect]:
    """Tasks without known sources, with few, with one for each class, or one for each image."""
    if inventory.dataset.synthetic:
        return
    by_task: dict[str, list[Record]] = defaultdict(list)
    for record in inventory.records:
        if record.defect is None:
            by_task[record.task].append(record)
    known = {task: records for task, records in by_task.items() if any(map(knows_source, records))}
    yield from _unknown(inventory.name, sorted(by_task.keys() - known.keys()))
    for task, records in sorted(known.items()):
        patterned = task in inventory.checks and "source" in inventory.checks[task][1].layout
        yield from _of_task(task, records, patterned=patterned)


def _unknown(dataset: str, tasks: Sequence[str]) -> Iterator[Defect]:
    if tasks:
        reason = f"no record names its source (patient or video): {', '.join(tasks)}; different "
        reason += "images of one patient can come to be on two sides of the split"
        yield Defect("", dataset, reason, "unknown sources", "warning")


def _of_task(task: str, records: Sequence[Record], *, patterned: bool) -> Iterator[Defect]:
    """`patterned`: whether the spec's layout says how sources are found."""
    sources = {record.source_id for record in records}
    count = f"{len(sources)} source{'s' * (len(sources) > 1)} (patients or videos)"
    images = f"{len(records)} image{'s' * (len(records) > 1)}"
    remedy = "correct `source` in the spec's layout" if patterned else "the dataset must name them"
    if _are_classes(records):
        reason = f"each class has one source: the {images} are of {count}, a class has no image of "
        reason += f"another, and so is on one side of the split only; if there are more, {remedy}"
        yield _odd(task, reason, "source is the class")
    elif len(sources) < min(FEW_SOURCES, len(records)):
        reason = f"the {images} are of {count}, fewer than {FEW_SOURCES}: too few to be split, or "
        reason += f"for scores that hold for other patients; if there are more, {remedy}"
        yield _odd(task, reason, "few sources")
    if patterned and len(sources) == len(records) > 1:
        reason = f"each of the {images} is of another source; right where no patient has two "
        reason += f"images, else `source` finds the image and not its patient: {remedy}"
        yield _odd(task, reason, "source is the image")


def _are_classes(records: Sequence[Record]) -> bool:
    held: Mapping[str, set[str]] = defaultdict(set)
    for record in records:
        held[record.stratum].add(record.source_id)
    several = 1 < len(set().union(*held.values())) < len(records)
    return several and all(len(sources) == 1 for sources in held.values())


def _odd(task: str, reason: str, kind: str) -> Defect:
    return Defect(task, f"task {task}", reason, kind, "warning")

"""Everything that is wrong or odd about a dataset, found in one pass over its files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from usmt.data.draw_split import draw_split
from usmt.data.empty_sides import empty_sides, sides_without_images
from usmt.data.examine import Check, defects_of, examine, in_threads
from usmt.data.repeated_keys import repeated_keys
from usmt.data.scan import look
from usmt.data.split import Split
from usmt.data.stratify import ENOUGH_GROUPS
from usmt.dataset import Record, Side
from usmt.errors import Defect, Fault, kind_of, near
from usmt.inspect.burnt_in import find_marks
from usmt.inspect.inventory import Inventory
from usmt.inspect.label_hash import label_hash
from usmt.inspect.relations import Relations, Seen
from usmt.inspect.sources import odd_sources
from usmt.output import Output
from usmt.task_type_calls import asking

SIDES_OF_IMAGES = (16, 8192)
"""Pixels: an image with a smaller or larger side is odd."""
LONGEST_SHAPE = 8
"""One side over the other."""

RARE_RECORDS = ENOUGH_GROUPS
"""A class of fewer records cannot be on every side of a split."""
RARE_SHARE = 0.01
"""Of the task's records."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found.

    Attributes:
        records: how many were looked at, by task.
        defects: each once, errors first.
        absent: known tasks of which there is nothing.
    """

    name: str
    records: Mapping[str, int]
    defects: Sequence[Defect]
    absent: Sequence[str]

    @property
    def errors(self) -> int:
        return sum(defect.severity == "error" for defect in self.defects)

    @property
    def warnings(self) -> int:
        return len(self.defects) - self.errors

    def kinds(self) -> list[tuple[str, str, int, Defect]]:
        """(kind, severity, count, example), errors first, then by count."""
        groups: dict[tuple[str, str], list[Defect]] = defaultdict(list)
        for defect in self.defects:
            groups[defect.kind, defect.severity].append(defect)
        listed = [(*name, len(its), its[0]) for name, its in groups.items()]
        return sorted(listed, key=lambda row: (row[1], -row[2], row[0]))


def check_dataset(
    inventory: Inventory,
    output: Output,
    split: tuple[str, Split] | None = None,
    *,
    seed: int,
    val: float,
    test: float,
) -> Checked:
    """Reads every record once, and compares them all.

    Args:
        split: the name of a file, and the frozen split in it that the dataset is to fit.
        seed, val, test: of the split that is drawn where there is none: see `draw_split`.
    """
    found: list[_Finding] = []
    total = len(inventory.records)
    with output.progress(f"checking {inventory.name}", total) as bar:
        read = partial(_read, inventory)
        for _, finding in in_threads(read, inventory.records, bar.advance):
            found.append(finding)
        relations = Relations([finding.seen for finding in found if finding.seen])
        drawn: Split | None = None
        if split is None and inventory.whole and relations.seen and not inventory.dataset.synthetic:
            images = {(one.record.task, one.record.key): one.image for one in relations.seen}
            with output.progress("drawing the split", None):
                drawn = draw_split(images, inventory.records, seed=seed, val=val, test=test)
    defects = [
        *_remarks(inventory),
        *_missing_specs(inventory),
        *(defect for finding in found for defect in finding.defects),
        *repeated_keys(inventory.name, inventory.records),
        *_rare_classes(inventory, found),
        *odd_sources(inventory),
        *relations.contradictions(),
        *relations.crossings(lambda record: record.split, "the official split"),
    ]
    if split is not None:
        defects += _against(*split, inventory, found, relations)
    elif drawn is not None:
        name = "the split that training would draw"
        defects += sides_without_images(drawn, inventory.records, inventory.name, name)
        defects += empty_sides(drawn, _sound(inventory, found), inventory.classes, name)
    defects += relations.duplicates()
    records = Counter(record.task for record in inventory.records)
    return Checked(inventory.name, records, _once(defects), inventory.absent)


def _once(defects: Sequence[Defect]) -> list[Defect]:
    """A file or row that cannot be told to be of one task is reported by each of them."""
    distinct: dict[tuple[str, str], Defect] = {}
    for defect in defects:
        distinct.setdefault((defect.place, defect.reason), defect)
    return sorted(distinct.values(), key=lambda defect: defect.severity)


# -- one record


@dataclass(frozen=True, slots=True)
class _Finding:
    """What is kept of a record."""

    task: str
    defects: Sequence[Defect]
    classes: Sequence[str] = field(default=())
    seen: Seen | None = None


def _read(inventory: Inventory, record: Record) -> _Finding:
    check = inventory.checks.get(record.task)
    found = examine(inventory.dataset, record, check, thorough=True)
    defects = defects_of(record, found.faults)
    if found.image is None:
        return _Finding(record.task, defects)
    image = look(found.image)
    concerns = [*_concerns_of_image(found.image)]
    classes: list[str] = []
    label = None
    if check is not None and found.label is not None:
        task_type, spec = check
        with asking(task_type, spec, "concerns", record.place):
            concerns += task_type.concerns(spec, found.label, image.size)
        with asking(task_type, spec, "classes_in", record.place):
            classes = list(task_type.classes_in(spec, found.label))
        label = label_hash(found.label)
    defects += [
        Defect(record.task, record.place, str(text), kind_of(text, "odd label"), "warning")
        for text in concerns
    ]
    seen = Seen(record, image, _meaning(record.task, check), label)
    return _Finding(record.task, defects, classes, seen)


def _meaning(task: str, check: Check | None) -> Hashable:
    """Tasks of one type and the same classes say the same of an image."""
    if check is not None and (classes := check[0].classes(check[1])):
        return check[1].type, *classes
    return task


def _concerns_of_image(image: np.ndarray) -> Iterator[str]:
    height, width = image.shape[:2]
    smallest, largest = SIDES_OF_IMAGES
    short, long = sorted((height, width))
    if short < smallest or long > largest or long > LONGEST_SHAPE * short:
        yield Fault(f"the image has {width} x {height} pixels", "odd image size")
    if image.min() == image.max():
        yield Fault(f"all pixels of the image are {image.flat[0]}", "blank image")
        return
    if marks := find_marks(image):
        text = ", ".join(map(str, marks))
        yield Fault(f"something is drawn on the image: {text}", "burnt-in annotation")


# -- the dataset as a whole


def _remarks(inventory: Inventory) -> Iterator[Defect]:
    chosen = {"", *inventory.tasks}
    yield from (remark for remark in inventory.dataset.remarks() if remark.task in chosen)
    if not inventory.records:
        yield Defect("", inventory.name, inventory.why_empty, "no records")
    yield from inventory.tasks_left_out()


def _missing_specs(inventory: Inventory) -> Iterator[Defect]:
    for task in inventory.tasks:
        if task in inventory.checks:
            continue
        records = [record for record in inventory.records if record.task == task]
        # A file that cannot be read counts as a record of each task that it may belong to.
        first = next((record for record in records if record.defect is None), records[0])
        reason = f"there is no spec of the task '{task}'{near(task, inventory.checks)}: labels are "
        reason += f"not checked ({len(records)} in all)"
        yield Defect(task, first.place, reason, "task without a spec", "warning")


def _sound(inventory: Inventory, found: Sequence[_Finding]) -> list[Record]:
    """Records without errors: the others are not trained on, nor tested."""
    return [
        record
        for record, finding in zip(inventory.records, found, strict=True)
        if all(defect.severity == "warning" for defect in finding.defects)
    ]


def _rare_classes(inventory: Inventory, found: Sequence[_Finding]) -> Iterator[Defect]:
    """Classes that no label of a task holds, or next to none."""
    for task, (task_type, spec) in inventory.checks.items():
        labels = [finding.classes for finding in found if finding.task == task]
        held = Counter(name for classes in labels for name in set(classes))
        sound = sum(map(bool, labels))
        for name in task_type.classes(spec) if sound else ():
            count = held[name]
            if count >= RARE_RECORDS and count >= RARE_SHARE * sound:
                continue
            rare = f"in {count} of" if count else "in none of"
            kind = "class nearly never present" if count else "class never present"
            reason = f"the class {name} is {rare} {sound} labels"
            yield Defect(task, f"task {task}", reason, kind, "warning")


def _against(
    file: str,
    split: Split,
    inventory: Inventory,
    found: Sequence[_Finding],
    relations: Relations,
) -> Iterator[Defect]:
    """Whether a frozen split fits the data, and keeps together what belongs together."""
    if not inventory.whole:
        split = split.of(inventory.tasks)
    listed = {(record.task, record.key): record for record in reversed(inventory.records)}
    pixels = not inventory.dataset.synthetic  # those of synthetic images are in no split
    changes = split.changes(
        {
            (one.record.task, one.record.key): one.image.content if pixels else ""
            for one in relations.seen
        }
    )
    for task, key in changes.gone:
        if (task, key) not in listed:  # else it cannot be read, as is said of the record
            reason = f"'{key}' of task '{task}' is in the split, but not in the data"
            yield Defect(task, file, reason, "split: record gone")
    for task, key in changes.new:
        reason = f"is not in the split {file}"
        yield Defect(task, listed[task, key].place, reason, "split: new record")
    for task, key in changes.changed:
        reason = f"has other pixels than when the split {file} was drawn"
        yield Defect(task, listed[task, key].place, reason, "split: other pixels")

    def side_of(record: Record) -> Side | None:
        place = split.places.get((record.task, record.key))
        return place.side if place else None

    yield from relations.crossings(side_of, file)
    yield from empty_sides(split, _sound(inventory, found), inventory.classes, file)

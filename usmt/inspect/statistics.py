"""What a dataset looks like in numbers: records, images, classes and labels of each task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from usmt.data.examine import examine, in_threads
from usmt.data.stratify import SIDES
from usmt.dataset import Record
from usmt.inspect.inventory import Inventory
from usmt.output import Output
from usmt.task_type import Size


class Range(NamedTuple):
    """Of numbers, or of one part of them."""

    min: float
    mean: float
    median: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Range:
        """Of at least one number."""
        array = np.asarray(values, np.float64)
        return cls(*(float(f(array)) for f in (np.min, np.mean, np.median, np.max)))


@dataclass(frozen=True, slots=True)
class Sample:
    """What is kept of a sound record.

    Attributes:
        size: (H, W).
        mean, deviation: of the grey levels, 0 to 255.
        black: share of pixels that are 0.
        numbers: of the label, as the task's type describes it.
    """

    size: Size
    mean: float
    deviation: float
    black: float
    classes: Sequence[str]
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TaskStatistics:
    """One task.

    Attributes:
        type: of the task; empty if it has no spec.
        records: all of them.
        sources: patients or videos.
        sides: records of each side of the official split; empty if there is none.
        class_names: the classes that its labels can hold, in the order of the spec.
        samples: of the records without defects.
    """

    task: str
    type: str
    records: int
    sources: int
    sides: Mapping[str, int]
    class_names: Sequence[str]
    samples: list[Sample] = field(default_factory=list)

    @property
    def defects(self) -> int:
        """Records that are left out of all but the counts."""
        return self.records - len(self.samples)

    @property
    def widths(self) -> Range:
        return Range.of([sample.size[1] for sample in self.samples])

    @property
    def heights(self) -> Range:
        return Range.of([sample.size[0] for sample in self.samples])

    @property
    def classes(self) -> dict[str, int]:
        """Records by class that their label holds."""
        held = Counter(name for sample in self.samples for name in set(sample.classes))
        return {name: held[name] for name in self.class_names}

    @property
    def numbers(self) -> dict[str, Range]:
        """The label's numbers, by name."""
        names = self.samples[0].numbers if self.samples else ()
        return {name: Range.of([s.numbers[name] for s in self.samples]) for name in names}


def take_statistics(inventory: Inventory, output: Output) -> list[TaskStatistics]:
    """Reads every record once. Those with defects are counted and left out."""
    inventory.require_records()
    tasks = {task: _begin(inventory, task) for task in inventory.tasks}
    with output.progress(f"reading {inventory.name}", len(inventory.records)) as bar:
        read = partial(_read, inventory)
        for record, sample in in_threads(read, inventory.records, bar.advance):
            if sample is not None:
                tasks[record.task].samples.append(sample)
    return list(tasks.values())


def _begin(inventory: Inventory, task: str) -> TaskStatistics:
    records = [record for record in inventory.records if record.task == task]
    sides = Counter(record.split for record in records if record.split)
    check = inventory.checks.get(task)
    return TaskStatistics(
        task=task,
        type=check[1].type if check else "",
        records=len(records),
        sources=len({record.source_id for record in records}),
        sides={side: sides[side] for side in SIDES} if sides else {},
        class_names=check[0].classes(check[1]) if check else [],
    )


def _read(inventory: Inventory, record: Record) -> Sample | None:
    check = inventory.checks.get(record.task)
    found = examine(inventory.dataset, record, check)
    if found.faults or found.image is None or found.size is None:
        return None
    grey = found.image if found.image.ndim == 2 else found.image.mean(axis=2)
    classes: Sequence[str] = ()
    numbers: Mapping[str, float] = {}
    if check is not None:
        task_type, spec = check
        classes = task_type.classes_in(spec, found.label)
        numbers = task_type.label_numbers(spec, found.label, found.size)
    return Sample(
        size=found.size,
        mean=float(grey.mean()),
        deviation=float(grey.std()),
        black=float((grey == 0).mean()),
        classes=classes,
        numbers=numbers,
    )

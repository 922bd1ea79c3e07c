"""Statistics of a dataset, told: as tables, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from usmt.data.stratify import SIDES
from usmt.inspect.statistics import Range, TaskStatistics
from usmt.output import Output

_SIZES = ("width min", "median", "max", "height min", "median", "max")


def say_statistics(name: str, tasks: Sequence[TaskStatistics], output: Output) -> None:
    """Tables for people; in JSON mode all of it."""
    output.data({"dataset": name, "tasks": {task.task: as_data(task) for task in tasks}})
    output.table(
        f"Records of {name}",
        ("task", "type", "records", "with defects", "sources", *SIDES),
        [
            (t.task, t.type, t.records, t.defects, t.sources, *map(t.sides.get, SIDES))
            for t in tasks
        ],
        note="train, val and test: the dataset's own split, where it has one",
    )
    sound = [task for task in tasks if task.samples]
    output.table(
        "Images",
        ("task", *_SIZES, "grey level", "deviation", "black"),
        [_of_images(task) for task in sound],
        note="mean over images of: grey level (0 to 255), its deviation, share of black pixels",
    )
    if classes := [row for task in sound for row in _of_classes(task)]:
        output.table("Classes", ("task", "class", "records", "share"), classes)
    if numbers := [row for task in sound for row in _of_numbers(task)]:
        output.table(
            "Labels",
            ("task", "number", "min", "mean", "median", "max"),
            numbers,
            note="shares of the image's area, width and height",
        )
    if defects := sum(task.defects for task in tasks):
        output.warning(f"{defects} records have defects and are left out: usmt data check")


def as_data(task: TaskStatistics) -> dict[str, Any]:
    """Plain values that JSON has."""
    data: dict[str, Any] = {
        "type": task.type,
        "records": task.records,
        "with_defects": task.defects,
        "sources": task.sources,
        "sides": dict(task.sides),
        "classes": task.classes,
    }
    if task.samples:
        data["width"], data["height"] = task.widths._asdict(), task.heights._asdict()
        data["intensity"] = {
            "mean": _mean(task, "mean"),
            "deviation": _mean(task, "deviation"),
            "black": _mean(task, "black"),
        }
        data["labels"] = {name: values._asdict() for name, values in task.numbers.items()}
    return data


def _mean(task: TaskStatistics, attribute: str) -> float:
    return Range.of([getattr(sample, attribute) for sample in task.samples]).mean


def _of_images(task: TaskStatistics) -> tuple[object, ...]:
    sizes = [round(x[i]) for x in (task.widths, task.heights) for i in (0, 2, 3)]
    intensity = [_mean(task, name) for name in ("mean", "deviation", "black")]
    return task.task, *sizes, *(round(x, 1) for x in intensity[:2]), f"{intensity[2]:.1%}"


def _of_classes(task: TaskStatistics) -> Iterator[tuple[object, ...]]:
    for name, count in task.classes.items():
        yield task.task, name, count, f"{count / len(task.samples):.1%}"


def _of_numbers(task: TaskStatistics) -> Iterator[tuple[object, ...]]:
    for name, values in task.numbers.items():
        yield task.task, name, *(round(value, 3) for value in values)

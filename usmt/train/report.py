"""What a run says to its user: the data, the audit, the scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from usmt.data.collection import Collection, TaskData
from usmt.data.empty_sides import empty_sides
from usmt.dataset import Record
from usmt.output import Output
from usmt.task_type_calls import asking
from usmt.train.audit import Audit

SYNTHETIC = (
    "The images are synthetic: made by a program, not ultrasound scans. "
    "Scores on them say nothing about real images."
)


def say_data(collection: Collection, output: Output) -> None:
    """Which data are trained on, and what was left out."""
    if collection.synthetic:
        output.warning(SYNTHETIC)
    classes = {task.spec.id: _classes_of(task) for task in collection.tasks}
    for name, split in collection.splits.items():
        output.note(f"{name}: {split.describe()}")
        for defect in empty_sides(split, _records_of(collection, name), classes):
            output.warning(str(defect))
    unused = sum(task.unused for task in collection.tasks)
    if unused:
        used = sum(len(task.records["train"]) for task in collection.tasks)
        output.note(
            f"split.fraction: {used} of {used + unused} training records are trained on "
            "(docs/explanation/split.md)"
        )
    if collection.skipped:
        kinds = Counter(f"{defect.task} {defect.kind}" for defect in collection.skipped)
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        output.warning(f"{len(collection.skipped)} records are left out ({counts})")
    if collection.other_defects:
        output.warning(
            f"{len(collection.other_defects)} records of tasks that are not trained here "
            f"cannot be read, e.g. {collection.other_defects[0]}"
        )


def _records_of(collection: Collection, dataset: str) -> list[Record]:
    """Of a dataset of real images: a synthetic one has what it is asked for."""
    return [
        record
        for task in collection.tasks
        if task.dataset.name == dataset and not task.dataset.synthetic
        for side in task.records.values()
        for record in side
    ]


def _classes_of(task: TaskData) -> list[str]:
    with asking(task.type, task.spec, "classes"):
        return list(task.type.classes(task.spec))


def say_audit(audit: Audit, collection: Collection, output: Output) -> None:
    """The start-up audit: parameters by group, images and steps by task, effective weights."""
    output.table(
        "Parameters",
        ("group", "learning rate", "tensors", "parameters"),
        [
            *(
                (g.group, f"{g.learning_rate:g}", g.tensors, f"{g.parameters:,}")
                for g in audit.groups
            ),
            ("frozen", "-", "-", f"{audit.frozen:,}"),
        ],
        note="every trainable parameter is in exactly one group" + _added(audit),
    )
    sizes = {task.spec.id: task.records for task in collection.tasks}
    output.table(
        "Tasks",
        ("task", "type", "train", "val", "test", "drawn an epoch", "steps an epoch", "weight"),
        [
            (
                t.task,
                t.type,
                t.images,
                len(sizes[t.task]["val"]),
                len(sizes[t.task]["test"]),
                t.drawn,
                t.steps,
                f"{t.weight:.1%}",
            )
            for t in audit.tasks
        ],
        note=f"{audit.steps} steps an epoch; {_seen(audit)}",
    )


def _added(audit: Audit) -> str:
    if not audit.added:
        return ""
    return f"; the mixture of experts adds {audit.added:,} to the network without it"


def _seen(audit: Audit) -> str:
    unseen = {task.task: task.unseen for task in audit.tasks if task.unseen}
    if not unseen:
        return f"every training image is seen within {audit.epochs_to_see_all} epoch(s)"
    return (
        f"{audit.epochs} epoch(s) never show {sum(unseen.values())} training images "
        f"({', '.join(f'{task} {count}' for task, count in unseen.items())}): all are seen within "
        f"{audit.epochs_to_see_all}"
    )


def say_scores(summary: Mapping[str, Any], output: Output) -> None:
    """The table of scores beside the trivial predictors'."""
    tasks = summary["tasks"]
    compared = [entry["beats_trivial"] for entry in tasks.values() if entry["trivial"] is not None]
    output.table(
        f"Scores on {summary['split']}",
        ("task", "type", "metric", "score", "trivial", "better", "images"),
        [
            (
                name,
                entry["type"],
                entry["metric"],
                entry["score"],
                entry["trivial"],
                entry["beats_trivial"],
                entry["images"],
            )
            for name, entry in tasks.items()
        ],
        note=f"{sum(compared)} of {len(compared)} tasks beat their trivial predictor (the best "
        "constant answer: majority class, mean landmarks, mean box, best constant mask)",
    )
    if summary.get("synthetic"):
        output.warning(SYNTHETIC)

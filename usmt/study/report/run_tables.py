"""The tables of what was done: tasks, data, runs, learning rates."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from usmt.output import jsonable
from usmt.study.report import wording
from usmt.study.report.table import Column, Table
from usmt.study.report.tables import FRACTION, TASK
from usmt.study.results import RunRecord, StudyResults, StudyTask


def tasks(results: StudyResults) -> Table:
    columns = (
        TASK,
        Column("title", "title"),
        Column("type", "type"),
        Column("group", "group", lambda each: results.groups.get(each, each) or wording.NOT_KNOWN),
        Column("primary", "compared by"),
        *(
            Column.of(f"training_images_{share:g}", _training_title(share, results), wording.count)
            for share in results.fractions
        ),
        Column.of("test_images", "test images", wording.count),
        Column.of("test_sources", "test sources", wording.count),
    )
    rows = [_task_row(task, results.fractions) for task in results.tasks]
    return Table("tasks", "Tasks", columns, rows)


def data(results: StudyResults) -> Table:
    columns = (Column("dataset", "dataset"), Column("key", "what"), Column("value", "value"))
    rows = [
        (name, key, wording.plain(_flat(value)))
        for name, entries in results.data.items()
        for key, value in entries.items()
    ]
    note = "Two studies with the same fingerprints saw the same images, labels and sides."
    return Table("data", "Data and frozen split", columns, rows, note)


def learning_rates(results: StudyResults) -> Table:
    """What the search tried for each network, and what it chose on validation."""
    tried: dict[tuple[str, float], list[RunRecord]] = defaultdict(list)
    for run in results.runs:
        tried[run.unit, run.fraction].append(run)
    rows = []
    for (unit, fraction), runs in tried.items():
        factors = sorted({run.factor for run in runs if run.factor is not None})
        chosen = sorted({run.factor for run in runs if run.chosen and run.factor is not None})
        tries = [(factor, _mean_selection(runs, factor)) for factor in factors]
        rows.append((unit, fraction, chosen, "; ".join(f"×{f:g}: {s}" for f, s in tries)))
    columns = (
        Column("network", "network"),
        FRACTION,
        Column(
            "chosen",
            "chosen",
            lambda each: ", ".join(map(wording.factor, each)) or wording.NOT_KNOWN,
        ),
        Column("tried", "tried: mean selection score on validation"),
    )
    note = "A factor multiplies all learning rates of the settings. Test data play no part in it."
    return Table("learning_rates", "Learning rates", columns, rows, note, folded=True)


def runs(results: StudyResults) -> Table:
    columns = (
        Column("id", "run"),
        Column("network", "network"),
        Column("arms", "arms", lambda arms: ", ".join(results.label(a) for a in arms)),
        Column.of("tasks", "tasks", wording.count),
        Column.of("seed", "seed", str),
        FRACTION,
        Column.of("factor", "learning rates", wording.factor),
        Column("role", "for"),
        Column("state", "state"),
        Column.of("epochs", "epochs", wording.count),
        Column.of("steps", "steps", wording.count),
        Column.of("parameters", "parameters", wording.count),
        Column.of("seconds", "time", wording.duration),
        Column.of("selection", "selection score", wording.score),
        Column("failure", "why it failed"),
    )  # fmt: skip
    rows = [
        (r.id, r.unit, r.arms, len(r.tasks), r.seed, r.fraction, r.factor,
         "test" if r.chosen else "search", r.state, r.epochs, r.steps, r.parameters, r.seconds,
         r.selection, r.failure)
        for r in results.runs
    ]  # fmt: skip
    note = "Selection score: the best on validation, from 0 to 1. Only runs for the test were "
    note += "scored on test images."
    return Table("runs", "Every run", columns, rows, note, folded=True)


def failures(results: StudyResults) -> Table:
    columns = (Column("id", "run"), Column("state", "state"), Column("failure", "why"))
    rows = [(r.id, r.state, r.failure) for r in results.runs if r.state in ("failed", "missing")]
    return Table("failures", "Runs that failed or are missing", columns, rows)


def _mean_selection(runs: Sequence[RunRecord], factor: float) -> str:
    found = [r.selection for r in runs if r.factor == factor and r.selection is not None]
    known = [value for value in found if math.isfinite(value)]
    return wording.score(sum(known) / len(known)) if known else wording.NOT_KNOWN


def _task_row(task: StudyTask, fractions: Sequence[float]) -> tuple[object, ...]:
    sizes = [task.training_images.get(fraction) for fraction in fractions]
    head = (task.id, task.title, task.type, task.group, task.primary)
    return (*head, *sizes, task.test_images, task.test_sources)


def _training_title(share: float, results: StudyResults) -> str:
    return "training images" if len(results.fractions) == 1 else f"training images, {share:.0%}"


def _flat(value: object) -> str:
    """A value on one line."""
    value = jsonable(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_flat, value))
    return wording.plain(value)

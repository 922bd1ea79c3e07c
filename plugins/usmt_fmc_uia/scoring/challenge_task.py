"""The tasks of the CSV files as the published scorer sees them, which knows no spec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from usmt import DataError, near
from usmt_fmc_uia.cells import KINDS
from usmt_fmc_uia.tables import Row, read_table

OFFICIAL_NAMES = {kind: kind for kind in KINDS} | {"regression": "Regression"}
"""What `task_name` must be, letter by letter, for the published scorer to know the type."""

MISSING_WORDS = {
    *("", "NA", "N/A", "n/a", "<NA>", "#NA", "#N/A", "#N/A N/A", "NULL", "null", "None"),
    *("nan", "NaN", "-nan", "-NaN", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
}
"""Cells that pandas, and with it the published scorer, reads as missing."""


@dataclass(frozen=True, slots=True)
class ChallengeTask:
    """One `task_id`.

    Attributes:
        name: `task_name` as its first row has it.
        classes: `num_classes` of its first row; for landmarks the number of points.
        rows: all rows, each counted as often as it is there.
    """

    id: str
    name: str
    classes: int
    rows: list[Row] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The type that `name` stands for, in any case; whatever it is if there is no such type."""
        return self.name.lower()

    def images(self) -> Iterator[tuple[Row, bool]]:
        """The rows, and whether the image of each was there already."""
        seen: set[str] = set()
        for row in self.rows:
            image = row.cells.get("image_path", "")
            yield row, image in seen
            seen.add(image)


def filled(row: Row, column: str) -> str | None:
    """A cell; None if it is missing, or the row has no such column."""
    cell = row.cells.get(column, "")
    return None if cell in MISSING_WORDS else cell


def read_tasks(root: Path) -> dict[str, ChallengeTask]:
    """All tasks of a dataset by id, in the order in which the published scorer meets them.

    Raises `DataError` for a table that cannot be read: what its rows would be is not known.
    """
    # The published scorer takes the files as the folder lists them. Where rows of a task disagree
    # on num_classes, the first one that it meets decides.
    paths = [path for path in (root / "csv_files").glob("*.csv") if not path.name.startswith(".")]
    tasks: dict[str, ChallengeTask] = {}
    for path in paths:
        table = read_table(path)
        if table.damage is not None:
            raise DataError(f"{table.damage}", hint="Correct the table: labels are read from it.")
        for row in table.rows:
            if row.defect is not None and len(row.cells) == len(set(table.columns)):
                raise DataError(f"{row.place}: {row.defect}", hint="Correct the row.")
            if (task_id := filled(row, "task_id")) is None:
                continue
            if task_id not in tasks:
                tasks[task_id] = ChallengeTask(task_id, filled(row, "task_name") or "", _count(row))
            tasks[task_id].rows.append(row)
    return tasks


def choose(tasks: dict[str, ChallengeTask], wanted: Sequence[str]) -> list[ChallengeTask]:
    """The wanted tasks, all if none are, by id. Raises `DataError` for one that no row names."""
    for task_id in wanted:
        if task_id not in tasks:
            raise DataError(
                f"no row has the task_id '{task_id}'{near(task_id, tasks)}",
                hint=f"The task_ids are: {', '.join(sorted(tasks))}",
            )
    return [tasks[task_id] for task_id in sorted(set(wanted) or tasks)]


def _count(row: Row) -> int:
    cell = filled(row, "num_classes") or ""
    try:
        return int(float(cell))
    except (ValueError, OverflowError):
        raise DataError(
            f"{row.place}: num_classes is '{cell}', expected a number",
            hint="Correct the row: the number of classes of the task is read from it.",
        ) from None

"""From rows to records: everything that is wrong with a row is said in its record's defect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

from usmt import DataError, Fault, Faults, NamedFiles, Record, TaskSpec, near
from usmt_fmc_uia.cells import KINDS, CellError, Label, columns_of, integer, parse_label
from usmt_fmc_uia.tables import Row, Table, missing_columns

P = ParamSpec("P")
T = TypeVar("T")

MOST_CLASSES = 256
"""As many as an 8-bit mask can tell apart."""

NO_TASK = Fault("task_id is empty", "missing value")


@dataclass(frozen=True, slots=True)
class Content:
    """What a row holds; None is what it does not have, or what could not be read of it. `mask_name`
    is where a prediction's mask is to be written."""

    image: Path | None = None
    kind: str | None = None
    mask: Path | None = None
    label: Label | None = None
    mask_name: str | None = None


class Root:
    """The dataset's folder; finds the files that cells name."""

    def __init__(self, folder: Path) -> None:
        self.csv_files = folder / "csv_files"
        self._files = NamedFiles(folder, self.csv_files)

    def file(self, column: str, cell: str) -> Path:
        """The file that a cell names, relative to `csv_files/`. Raises `CellError`."""
        try:
            return self._files.find(column, cell)
        except DataError as error:
            raise CellError(error.message) from None


def records_of(
    tables: Sequence[Table], root: Root, task_id: str, spec: TaskSpec | None
) -> list[Record]:
    """All records of one task. A row that names no task belongs to every task of its file, a file
    that names none to every task: what cannot be told apart must not be lost."""
    records: list[Record] = []
    first_place: dict[str, str] = {}
    for table in tables:
        if table.tasks and task_id not in table.tasks:
            continue
        if table.damage is not None:
            records.append(_defective(task_id, table.damage.place, table.damage.reason))
        if table.usable:
            rows = [row for row in table.rows if row.task in ("", task_id)]
            complete = _with_columns(table, rows, task_id, spec, records)
            records += [_record(root, task_id, spec, row, first_place) for row in complete]
    return records


def _with_columns(
    table: Table, rows: list[Row], task_id: str, spec: TaskSpec | None, records: list[Record]
) -> list[Row]:
    """The rows whose label's columns are there. For the others one record with a defect, at the
    header, is added to `records`."""
    lacking: Counter[Fault] = Counter()
    complete = []
    for row in rows:
        lack = _lacking_columns(table, row, spec)
        if lack is None:
            complete.append(row)
        else:
            lacking[lack] += 1
    for lack, count in lacking.items():
        text = f"{lack}, which rows of task '{task_id}' need ({count} of them)"
        records.append(_defective(task_id, table.header, Fault(text, lack.kind)))
    return complete


def _lacking_columns(table: Table, row: Row, spec: TaskSpec | None) -> Fault | None:
    if row.defect is not None:
        return None
    try:
        needed = columns_of(kind_of_row(row, spec), count_of_row(row, spec))
    except CellError:
        return None  # said of the row itself
    return missing_columns(needed, table.columns)


def _record(
    root: Root, task_id: str, spec: TaskSpec | None, row: Row, first_place: dict[str, str]
) -> Record:
    """`first_place`, where each image of the task was named first, is added to."""
    if row.defect is not None:
        return _defective(task_id, row.place, row.defect)
    if not row.task:
        return _defective(task_id, row.place, NO_TASK)
    cells, reasons = row.cells, _Reasons()
    key = cells["image_path"]
    if key and (first := first_place.setdefault(key, row.place)) != row.place:
        text = f"image_path '{key}' is already in {first}"
        reasons.found.append(Fault(text, "duplicate row"))
    image = reasons.of(root.file, "image_path", key)
    kind = reasons.of(kind_of_row, row, spec) or (spec.type if spec else None)
    count = reasons.of(count_of_row, row, spec) or len(getattr(spec, "points", ()))
    side = reasons.of(_side, cells.get("split", ""))
    mask, label = None, None
    needed = () if kind is None else columns_of(kind, count)
    if kind is not None and needed and all(column in cells for column in needed):
        if kind == "segmentation":
            mask = reasons.of(root.file, "mask_path", cells["mask_path"])
        else:
            label = reasons.of(parse_label, kind, count, cells)
    return Record(
        task=task_id,
        key=key or row.place,
        source_id=cells.get("source_id") or key or row.place,
        place=row.place,
        stratum=str(label) if isinstance(label, int) else "",
        split=side,
        payload=Content(image, kind, mask, label),
        defect=Faults(reasons.found) if reasons.found else None,
    )


def _defective(task_id: str, place: str, reason: str) -> Record:
    return Record(task_id, place, place, place, payload=Content(), defect=reason)


class _Reasons:
    """Collects what is wrong, so that one bad cell does not hide the next."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def of(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return read(*args, **kwargs)
        except CellError as error:
            self.found += error.faults
            return None


# -- cells that every row has


def kind_of_row(row: Row, spec: TaskSpec | None) -> str:
    cell = row.cells["task_name"]
    kind = cell.lower()
    if kind not in KINDS:
        found = f"'{cell}'" if cell else "empty"
        text = f"task_name is {found}, expected {', '.join(KINDS)}{near(kind, KINDS)}"
        raise CellError.of(text, "task_name")
    if spec is not None and kind != spec.type:
        text = f"task_name is '{cell}', but the task's spec says {spec.type}"
        raise CellError.of(text, "task_name")
    return kind


def count_of_row(row: Row, spec: TaskSpec | None) -> int:
    count = integer("num_classes", row.cells["num_classes"])
    if not 1 <= count <= MOST_CLASSES:
        raise CellError.of(f"num_classes is {count}, expected 1 to {MOST_CLASSES}", "num_classes")
    for name in ("classes", "points"):
        listed = getattr(spec, name, None)
        if listed is not None and len(listed) != count:
            text = f"num_classes is {count}, but the task's spec has {len(listed)} {name}"
            raise CellError.of(text, "num_classes")
    return count


def _side(cell: str) -> Literal["train", "val", "test"] | None:
    match cell.lower():
        case "":
            return None
        case "train" | "val" | "test" as side:
            return side
        case _:
            raise CellError.of(f"split is '{cell}', expected train, val or test", "wrong value")

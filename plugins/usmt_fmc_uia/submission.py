"""A folder of predictions as the challenge takes it: JSON lists, and masks as grey PNGs.

The form is described in docs/reference/fmc_uia.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from usmt import (
    DataError,
    Defect,
    Entry,
    Fault,
    Record,
    Submission,
    TaskSpec,
    png_bytes,
    read_mask,
    write_bytes,
)
from usmt_fmc_uia.cells import CellError
from usmt_fmc_uia.prediction_files import ANSWERS, LISTS, mask_name
from usmt_fmc_uia.records import MOST_CLASSES, Content, Root, count_of_row, kind_of_row
from usmt_fmc_uia.submission_check import check_submission
from usmt_fmc_uia.tables import Row, Table

LONGEST_NAME = 200
"""Bytes of a file's name; file systems take 255, and a file is written beside its place first."""


def unlabelled_records(tables: Sequence[Table], root: Root, task: TaskSpec) -> list[Record]:
    """The images of one task, each once; labels are not looked at. What cannot be predicted, or has
    no place for its mask, is a record with a defect: nothing is lost without a word."""
    taken = _first_places(tables)
    records: dict[str, Record] = {}
    for table in tables:
        mine = not table.tasks or task.id in table.tasks
        if table.damage is not None and mine:
            place, reason = table.damage.place, table.damage.reason
            records[place] = _defective(task, place, reason)
        for row in table.rows if table.usable and mine else ():
            if not row.task:
                records[row.place] = _defective(task, row.place, "task_id is empty")
            elif row.task == task.id:
                record = _record(root, task, row, taken)
                records.setdefault(record.key, record)
    return list(records.values())


def _first_places(tables: Sequence[Table]) -> dict[str, tuple[str, Row]]:
    """By the name of a mask, the image whose mask it is, and the row that said so first."""
    taken: dict[str, tuple[str, Row]] = {}
    for table in tables:
        for row in table.rows if table.usable else ():
            if row.cells.get("task_name", "").lower() == "segmentation":
                taken.setdefault(mask_name(row), (row.cells.get("image_path", ""), row))
    return taken


def _defective(task: TaskSpec, place: str, reason: str) -> Record:
    return Record(task.id, place, place, place, payload=Content(), defect=reason)


def _record(root: Root, task: TaskSpec, row: Row, taken: Mapping[str, tuple[str, Row]]) -> Record:
    key, mask = row.cells.get("image_path", ""), None
    if row.defect is not None:
        return _defective(task, row.place, row.defect)
    try:
        image = root.file("image_path", key)
        kind_of_row(row, task)
        count_of_row(row, task)
        if task.type == "segmentation":
            mask = _mask_of(row, taken)
    except CellError as error:
        return _defective(task, row.place, str(error))
    return Record(task.id, key, key, row.place, payload=Content(image, task.type, mask_name=mask))


def _mask_of(row: Row, taken: Mapping[str, tuple[str, Row]]) -> str:
    """Where the row's mask goes. Raises `CellError` where that is no place of its own."""
    name = mask_name(row)
    path = PurePosixPath(name)
    wrong = (
        path.is_absolute()
        or PureWindowsPath(name).anchor
        or ".." in path.parts
        or not path.name
        or any(part.startswith(".") for part in path.parts)
        or "\0" in name
        or len(path.name.encode()) > LONGEST_NAME
        or name in LISTS.values()
    )
    if wrong:
        text = f"mask_path '{name[:80]}' is no file in the folder of predictions"
        raise CellError(Fault(text, "mask path"))
    image, first = taken[name]
    if first.place != row.place and (image, first.task) != (row.cells["image_path"], row.task):
        raise CellError(Fault(f"the mask '{name}' is that of {first.place} already", "mask path"))
    return name


class FmcUiaSubmission(Submission):
    """The files that the challenge scores; `image_path` is the CSV's, byte for byte."""

    def __init__(self, folder: Path, tables: Sequence[Table], root: Root) -> None:
        self.folder = folder
        self.tables = tables
        self.root = root

    def add(self, record: Record, task: TaskSpec, result: Any, size: tuple[int, int]) -> Entry:
        named = {"image_path": record.key, "task_id": task.id}
        if task.type != "segmentation":
            return {**named, **_ENTRIES[task.type](result, size)}
        write_bytes(self.folder / record.payload.mask_name, png_bytes(result.mask))
        return {**named, "mask_path": record.payload.mask_name}

    def is_complete(self, record: Record, entry: Entry) -> bool:
        if "mask_path" not in entry:
            return True
        try:
            read_mask(self.folder / entry["mask_path"], MOST_CLASSES)
        except DataError:
            return False
        return bool(entry["mask_path"] == record.payload.mask_name)

    def finish(self, entries: Sequence[Entry]) -> None:
        for kind, name in LISTS.items():
            mine = [one for one in entries if ANSWERS[kind][0] in one]
            if not mine:
                (self.folder / name).unlink(missing_ok=True)
            else:
                text = json.dumps(mine, indent=1, ensure_ascii=False, allow_nan=False)
                write_bytes(self.folder / name, f"{text}\n".encode())

    def check(self, tasks: Collection[str] | None = None) -> list[Defect]:
        return check_submission(self.folder, self.tables, self.root, tasks)


def _classification(result: Any, size: tuple[int, int]) -> dict[str, Any]:
    return {
        "predicted_class": int(result.probabilities.argmax()),
        "predicted_probs": result.probabilities.tolist(),
    }


def _detection(result: Any, size: tuple[int, int]) -> dict[str, Any]:
    height, width = size
    return {
        "bbox_normalized": (result.box / [width, height, width, height]).tolist(),
        "bbox_pixels": result.box.tolist(),
    }


def _regression(result: Any, size: tuple[int, int]) -> dict[str, Any]:
    height, width = size
    return {
        "predicted_points_normalized": (result.points / [width, height]).ravel().tolist(),
        "predicted_points_pixels": result.points.ravel().tolist(),
    }


_ENTRIES: dict[str, Callable[[Any, tuple[int, int]], dict[str, Any]]] = {
    "classification": _classification,
    "detection": _detection,
    "regression": _regression,
}

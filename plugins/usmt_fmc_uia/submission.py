"""A folder of predictions as the challenge takes it: JSON lists, and masks as grey PNGs.

The form is described in docs/fmc_uia.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usmt import DataError, Defect, Entry, Record, Submission, TaskSpec, png_bytes, write_bytes
from usmt_fmc_uia.cells import CellError
from usmt_fmc_uia.prediction_files import LISTS, mask_name
from usmt_fmc_uia.records import Root
from usmt_fmc_uia.submission_check import check_submission
from usmt_fmc_uia.tables import Row, Table


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """A row without its label: the image, and where its mask is to be written."""

    image: Path | None
    mask: str | None = None


def unlabelled_records(tables: Sequence[Table], root: Root, task: TaskSpec) -> list[Record]:
    """The images of one task, each once; labels are not looked at."""
    records: dict[str, Record] = {}
    for table in tables:
        if table.damage is not None and (not table.tasks or task.id in table.tasks):
            records[table.damage.place] = Record(
                task.id,
                table.damage.place,
                table.damage.place,
                table.damage.place,
                payload=Unlabelled(None),
                defect=table.damage.reason,
            )
        for row in table.rows if table.usable else ():
            if row.task == task.id:
                record = _record(root, task, row)
                records.setdefault(record.key, record)
    return list(records.values())


def _record(root: Root, task: TaskSpec, row: Row) -> Record:
    key = row.cells.get("image_path", "")
    image, defect = None, row.defect
    try:
        image = root.file("image_path", key)
    except CellError as error:
        defect = defect or str(error)
    kind = row.cells.get("task_name", "").lower()
    if kind != task.type:
        defect = defect or f"task_name is '{kind}', but the task's spec says {task.type}"
    mask = mask_name(row) if task.type == "segmentation" else None
    return Record(
        task=task.id,
        key=key or row.place,
        source_id=key or row.place,
        place=row.place,
        payload=Unlabelled(image, mask),
        defect=defect,
    )


class FmcUiaSubmission(Submission):
    """The files that the challenge scores; `image_path` is the CSV's, byte for byte."""

    def __init__(self, folder: Path, tables: Sequence[Table], root: Root) -> None:
        self.folder = folder
        self.tables = tables
        self.root = root

    def add(self, record: Record, task: TaskSpec, result: Any, size: tuple[int, int]) -> Entry:
        written = _ENTRIES[task.type](result, size)
        if task.type == "segmentation":
            path = self._mask_path(record)
            write_bytes(path, png_bytes(result.mask))
            written = {"mask_path": record.payload.mask}
        return {"image_path": record.key, "task_id": task.id, **written}

    def is_complete(self, entry: Entry) -> bool:
        return "mask_path" not in entry or (self.folder / entry["mask_path"]).is_file()

    def finish(self, entries: Sequence[Entry]) -> None:
        for kind, name in LISTS.items():
            mine = [one for one in entries if _MARKS[kind] in one]
            if mine:
                text = json.dumps(mine, indent=1, ensure_ascii=False, allow_nan=False)
                write_bytes(self.folder / name, f"{text}\n".encode())

    def check(self, tasks: Collection[str] | None = None) -> list[Defect]:
        return check_submission(self.folder, self.tables, self.root, tasks)

    def _mask_path(self, record: Record) -> Path:
        name = record.payload.mask
        path = self.folder / name
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise DataError(f"{record.place}: mask_path '{name}' leaves the folder of predictions")
        return path


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
    "segmentation": lambda result, size: {},
    "classification": _classification,
    "detection": _detection,
    "regression": _regression,
}

_MARKS = {
    "classification": "predicted_class",
    "detection": "bbox_pixels",
    "regression": "predicted_points_pixels",
}
"""A key that only the entries of a type have."""

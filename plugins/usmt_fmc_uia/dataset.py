"""The dataset `fmc_uia`: the challenge's folder, read strictly."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from usmt import (
    DataError,
    Dataset,
    DatasetCard,
    DatasetOptions,
    Defect,
    Record,
    RootOptions,
    Submission,
    TaskSpec,
    fingerprint_files,
    near,
)
from usmt_fmc_uia.cells import KINDS
from usmt_fmc_uia.records import Content, Root, records_of
from usmt_fmc_uia.tables import Table, read_table

FILES = """\
ROOT/
├── csv_files/*.csv      one row for each image of a task
├── Classification/      the images, wherever the rows say
├── Detection/
├── Regression/
└── Segmentation/{Two,Three,Four,Five}/"""

MOST_DAMAGED = 15
"""Files that are listed where a task is not found, which one of them may hold."""


class FmcUia(Dataset):
    """The files of the FMC_UIA challenge, or others laid out in the same way.

    `root/csv_files/*.csv` holds one row for each image of a task; its paths are relative to
    `csv_files/`. The columns are described in docs/reference/fmc_uia.md.
    """

    name: ClassVar[str] = "fmc_uia"
    Options: ClassVar[type[DatasetOptions]] = RootOptions
    card: ClassVar[DatasetCard] = DatasetCard(
        title="FMC_UIA challenge: 27 tasks on ultrasound images of many organs",
        organ="many",
        images=40_388,
        home="https://github.com/lijiake2408/"
        "Foundation-Model-Challenge-for-Ultrasound-Image-Analysis",
        licence="the challenge's own terms",
        citation="Deng B, Tang Y, Li J, et al. Baseline Method of the Foundation Model Challenge "
        "for Ultrasound Image Analysis. arXiv 2602.01055 (2026)",
        obtain="Take part in the challenge and unpack its files: ROOT is the folder that holds "
        "csv_files. Other data can be laid out in the same way.",
        sources="the column source_id, which the challenge's own files do not have: there each "
        "image is a source of its own, and near-duplicates are found by their pixels",
        splits="the column split, which the challenge's own files do not have",
        files=FILES,
    )
    options: RootOptions

    def __init__(self, options: RootOptions) -> None:
        super().__init__(options)
        root = options.root
        folder = root / "csv_files"
        hint = "expected the challenge's layout: ROOT/csv_files/*.csv, one row an image"
        if not root.is_dir():
            raise DataError(f"fmc_uia: there is no folder '{root}'", hint=hint)
        if not folder.is_dir():
            raise DataError(f"fmc_uia: '{root}' has no folder csv_files", hint=hint)
        if not any(folder.glob("*.csv")):
            raise DataError(f"fmc_uia: '{folder}' has no CSV file", hint=hint)
        self._root = Root(root)

    def records(self, task: TaskSpec) -> list[Record]:
        """The rows of one task, checked against its spec, and one record with a defect for each
        file that may hold rows of it and cannot be read.

        Raises `DataError` if no row names the task, or there are no columns for its type.
        """
        if task.type not in KINDS:
            raise DataError(
                f"task '{task.id}': fmc_uia has no columns for labels of type '{task.type}'",
                hint=f"it serves {', '.join(KINDS)}",
            )
        if task.id not in self._task_ids:
            raise self._no_such_task(task.id)
        return records_of(self._tables, self._root, task.id, task)

    def all_records(self, tasks: Sequence[TaskSpec]) -> list[Record]:
        """Every row, also of tasks without a spec; those with one are checked against it."""
        specs = {task.id: task for task in tasks if task.type in KINDS}
        return [
            record
            for task_id in self._task_ids
            for record in records_of(self._tables, self._root, task_id, specs.get(task_id))
        ]

    def unlabelled(self, task: TaskSpec) -> list[Record]:
        from usmt_fmc_uia.submission import unlabelled_records

        return unlabelled_records(self._tables, self._root, task)

    def submission(self, folder: Path) -> Submission:
        from usmt_fmc_uia.submission import FmcUiaSubmission

        return FmcUiaSubmission(folder, self._tables, self._root)

    def remarks(self) -> list[Defect]:
        from usmt_fmc_uia.remarks import remarks_on

        return remarks_on(self._tables, self.options.root)

    def fingerprint(self, record: Record) -> str | None:
        """SHA-256 over the label's numbers and the files' bytes; None if one cannot be read."""
        content: Content = record.payload
        if content.image is None:
            return None
        return fingerprint_files(content.label, *filter(None, (content.image, content.mask)))

    def read_image(self, record: Record) -> np.ndarray:
        """Also of a record with a defect, if its image can be read."""
        from usmt import read_image

        content: Content = record.payload
        if content.image is None:
            raise DataError(record.defect or "no image")
        return read_image(content.image)

    def read_label(self, record: Record, task: TaskSpec) -> Any:
        from usmt import read_mask

        content: Content = record.payload
        if content.kind != task.type or (content.mask is None and content.label is None):
            raise DataError(record.defect or f"no label of type '{task.type}': {content.kind}")
        if content.mask is not None:
            return read_mask(content.mask, len(getattr(task, "classes", ())))
        if isinstance(content.label, int):
            return content.label
        return np.array(content.label, np.float64)

    @cached_property
    def _tables(self) -> list[Table]:
        return [read_table(path) for path in sorted(self._root.csv_files.glob("*.csv"))]

    @cached_property
    def _task_ids(self) -> list[str]:
        return sorted({task for table in self._tables for task in table.tasks})

    def _no_such_task(self, task_id: str) -> DataError:
        lines = [f"fmc_uia: no row of '{self.options.root}' has the task_id '{task_id}'"]
        lines[0] += near(task_id, self._task_ids)
        damaged = [f"  {table.damage}" for table in self._tables if table.damage]
        lines += damaged[:MOST_DAMAGED]
        lines += [f"  ... and {len(damaged) - MOST_DAMAGED} more"] * (len(damaged) > MOST_DAMAGED)
        listed = textwrap.shorten(", ".join(self._task_ids) or "none", 200, placeholder=" ...")
        return DataError(
            "\n".join(lines), hint=f"its task_ids: {listed}; --task chooses among tasks"
        )

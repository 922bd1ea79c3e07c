"""A copy of a part of the real pack, small, or to be changed."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

Row = dict[str, str]


def copy_pack(pack: Path, root: Path, tasks: Sequence[str], count: int) -> Path:
    """Copies so many records of each task, taken evenly; `root`."""
    (root / "csv_files").mkdir(parents=True)
    for task in tasks:
        rows = read_rows(pack, task)
        rows = rows[:: max(1, len(rows) // count)][:count]
        for row in rows:
            for column in {"image_path", "mask_path"} & set(row):
                there = root / "csv_files" / row[column]
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(pack / "csv_files" / row[column], there)
        write_rows(root, task, rows)
    return root


def read_rows(root: Path, task: str) -> list[Row]:
    with (root / "csv_files" / f"{task}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(root: Path, task: str, rows: Sequence[Row]) -> None:
    with (root / "csv_files" / f"{task}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)

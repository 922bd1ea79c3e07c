"""A folder of predictions made of a dataset's own labels: perfect until a test spoils it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Entry = dict[str, Any]
LISTS = ("classification", "detection", "regression")


def rows_of(root: Path) -> list[dict[str, str]]:
    """All rows of all CSV files."""
    rows = []
    for path in sorted((root / "csv_files").glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows += list(csv.DictReader(file))
    return rows


def of_task(root: Path, task: str) -> list[dict[str, str]]:
    return [row for row in rows_of(root) if row["task_id"] == task]


def label_of(root: Path, row: dict[str, str]) -> np.ndarray:
    """A row's label mask."""
    return np.array(Image.open(root / "csv_files" / row["mask_path"]))


def mask_of(folder: Path, row: dict[str, str]) -> Path:
    """Where the mask of a row is predicted."""
    return folder / row["mask_path"].replace("../", "")


def list_path(folder: Path, kind: str) -> Path:
    return folder / f"{kind}_predictions.json"


def change_list(folder: Path, kind: str, change: Callable[[list[Entry]], Any]) -> None:
    """Changes the entries of one type in their place, or to what `change` returns."""
    path = list_path(folder, kind)
    entries = json.loads(path.read_text())
    changed = change(entries)
    path.write_text(json.dumps(entries if changed is None else changed))


def predict_perfectly(root: Path, folder: Path) -> Path:
    """Writes what the labels say, in the challenge's form."""
    lists: dict[str, list[Entry]] = {kind: [] for kind in LISTS}
    for row in rows_of(root):
        kind = row["task_name"].lower()
        if kind == "segmentation":
            path = mask_of(folder, row)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / "csv_files" / row["mask_path"], path)
        else:
            entry = {"image_path": row["image_path"], "task_id": row["task_id"]}
            lists[kind].append(entry | _ANSWERS[kind](root, row))
    folder.mkdir(exist_ok=True)
    for kind, entries in lists.items():
        list_path(folder, kind).write_text(json.dumps(entries))
    return folder


def _classification(root: Path, row: dict[str, str]) -> Entry:
    probabilities = np.full(int(row["num_classes"]), 0.1)
    probabilities[int(row["mask"])] += 1
    return {
        "predicted_class": int(row["mask"]),
        "predicted_probs": (probabilities / probabilities.sum()).tolist(),
    }


def _detection(root: Path, row: dict[str, str]) -> Entry:
    box = [float(row[name]) for name in ("x_min", "y_min", "x_max", "y_max")]
    return {"bbox_normalized": _shares(root, row, box), "bbox_pixels": box}


def _regression(root: Path, row: dict[str, str]) -> Entry:
    points: list[float] = []
    for number in range(1, int(row["num_classes"]) + 1):
        points += json.loads(row[f"point_{number}_xy"])
    return {
        "predicted_points_normalized": _shares(root, row, points),
        "predicted_points_pixels": points,
    }


_ANSWERS = {
    "classification": _classification,
    "detection": _detection,
    "regression": _regression,
}


@cache
def size_of(path: Path) -> tuple[int, int]:
    """Width and height."""
    with Image.open(path) as image:
        return image.size


def _shares(root: Path, row: dict[str, str], pixels: list[float]) -> list[float]:
    size = size_of(root / "csv_files" / row["image_path"])
    return (np.reshape(pixels, (-1, 2)) / size).ravel().tolist()

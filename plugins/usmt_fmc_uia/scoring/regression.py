"""Landmarks: mean radial error, in pixels."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from usmt import DataError, metrics, read_image
from usmt_fmc_uia.answers import Flaw, numbers
from usmt_fmc_uia.cells import CellError, columns_of, parse_label
from usmt_fmc_uia.records import Root
from usmt_fmc_uia.scoring.challenge_task import ChallengeTask, filled
from usmt_fmc_uia.scoring.mean_over_images import Counted, mean_over_images
from usmt_fmc_uia.scoring.predictions import Predictions
from usmt_fmc_uia.scoring.task_score import HEADLINES, SAMPLES, Remark, TaskScore
from usmt_fmc_uia.tables import Row

METRICS = HEADLINES["regression"]
ALL = (*METRICS, SAMPLES)

MISSING = Remark(
    "prediction is missing",
    "predictions are missing",
    "left out by the official scorer; strict: the image's diagonal",
    ALL,
)
NO_POINTS = Remark(
    "prediction has not two finite numbers a point",
    "predictions have not two finite numbers a point",
    "the official scorer compares a single point with all of them; strict: the image's diagonal",
    METRICS,
)
NO_DIAGONAL = Remark(
    "image without a sound prediction cannot be read",
    "images without a sound prediction cannot be read",
    "an error of the data, since the diagonal is not known; left out",
    ALL,
)
LABEL = Remark(
    "label lacks a point",
    "labels lack a point",
    "an error of the data; left out of strict, while the official scorer takes (0, 0) for it",
    ALL,
)


def score_regression(
    task: ChallengeTask, predictions: Predictions, root: Root, progress: Callable[[int], object]
) -> TaskScore:
    """Scores one task's entries."""
    columns = columns_of("regression", task.classes)

    def official(row: Row) -> float | None:
        label: list[float] = []
        for column in columns:
            cell = filled(row, column)
            label.extend([0, 0] if cell is None else json.loads(cell))
        entry = predictions.of(task.id, row.cells.get("image_path", ""))
        if entry is None:
            return None
        points = np.array(entry["predicted_points_pixels"]).reshape(-1, 2)
        return metrics.mean_radial_error(points, np.array(label).reshape(-1, 2))

    def strict(row: Row) -> Counted:
        try:
            cells = {column: filled(row, column) or "" for column in columns}
            label = np.array(parse_label("regression", task.classes, cells), np.float64)
        except CellError:
            return None, LABEL
        entry = predictions.of(task.id, row.cells.get("image_path", ""))
        if entry is None:
            return _diagonal(root, row, MISSING)
        points = numbers(entry, "predicted_points_pixels", label.size)
        if isinstance(points, Flaw):
            return _diagonal(root, row, NO_POINTS)
        return metrics.mean_radial_error(points.reshape(-1, 2), label), None

    return mean_over_images(task, predictions, official, strict, progress)


def _diagonal(root: Root, row: Row, remark: Remark) -> Counted:
    """The worst error, for an image of which a prediction is missing."""
    try:
        path = root.file("image_path", row.cells.get("image_path", ""))
        height, width = read_image(path).shape[:2]
    except (CellError, DataError):
        return None, NO_DIAGONAL
    return float(np.hypot(height, width)), remark

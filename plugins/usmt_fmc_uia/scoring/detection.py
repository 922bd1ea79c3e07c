"""Boxes: intersection over union."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from usmt import metrics
from usmt_fmc_uia.answers import Flaw, numbers
from usmt_fmc_uia.cells import BOX, CellError, parse_label
from usmt_fmc_uia.scoring.challenge_task import ChallengeTask, filled
from usmt_fmc_uia.scoring.mean_over_images import Counted, mean_over_images
from usmt_fmc_uia.scoring.predictions import Predictions
from usmt_fmc_uia.scoring.task_score import HEADLINES, SAMPLES, Remark, TaskScore
from usmt_fmc_uia.tables import Row

METRICS = HEADLINES["detection"]
ALL = (*METRICS, SAMPLES)

MISSING = Remark(
    "prediction is missing",
    "predictions are missing",
    "left out by the official scorer; strict: IoU 0",
    ALL,
)
NO_BOX = Remark(
    "prediction has no bbox_pixels of four finite numbers",
    "predictions have no bbox_pixels of four finite numbers",
    "strict: IoU 0",
    METRICS,
)
LABEL = Remark(
    "label is no box",
    "labels are no boxes",
    "an error of the data; left out of strict, and of official where a number is missing",
    ALL,
)


def score_detection(
    task: ChallengeTask, predictions: Predictions, progress: Callable[[int], object]
) -> TaskScore:
    """Scores one task's entries."""

    def official(row: Row) -> float | None:
        cells = [filled(row, column) for column in BOX]
        if None in cells:
            return None
        label = [float(cell or "") for cell in cells]
        entry = predictions.of(task.id, row.cells.get("image_path", ""))
        return None if entry is None else _iou(entry["bbox_pixels"], label)

    def strict(row: Row) -> Counted:
        try:
            cells = {column: filled(row, column) or "" for column in BOX}
            label = np.array(parse_label("detection", 1, cells), np.float64)
        except CellError:
            return None, LABEL
        entry = predictions.of(task.id, row.cells.get("image_path", ""))
        if entry is None:
            return 0.0, MISSING
        box = numbers(entry, "bbox_pixels", 4)
        if isinstance(box, Flaw):
            return 0.0, NO_BOX
        return float(metrics.iou(box, label)), None

    return mean_over_images(task, predictions, official, strict, progress)


def _iou(box: Any, label: Sequence[float]) -> float:
    """Intersection over union of whatever the list holds: of a box that is not sound (NaN,
    infinities, corners swapped) the published scorer makes something, too."""
    left, top, right, bottom = box
    # Whether NaN goes through max and min depends on its place in them.
    width = max(0, min(right, label[2]) - max(left, label[0]))
    height = max(0, min(bottom, label[3]) - max(top, label[1]))
    shared = width * height
    area = (label[2] - label[0]) * (label[3] - label[1])
    union = (right - left) * (bottom - top) + area - shared
    return 0.0 if union == 0 else shared / union

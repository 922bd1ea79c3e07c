"""Types with one metric, whose figure is the mean of one value an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from usmt_fmc_uia.scoring.challenge_task import ChallengeTask
from usmt_fmc_uia.scoring.predictions import Predictions
from usmt_fmc_uia.scoring.task_score import (
    HEADLINES,
    Figures,
    ImageScore,
    Remark,
    TaskScore,
    again_remark,
    official_figures,
)
from usmt_fmc_uia.tables import Row

Counted = tuple[float | None, Remark | None]
"""The value of a row, None if it is not counted, and what is to be said of it."""


def mean_over_images(
    task: ChallengeTask,
    predictions: Predictions,
    official: Callable[[Row], float | None],
    strict: Callable[[Row], Counted],
    progress: Callable[[int], object],
) -> TaskScore:
    """Scores one task's entries.

    Args:
        official: the value that the published scorer gives a row, None if it passes over it;
            may die of whatever it dies of.
        strict: of a row whose image no other one named before.
    """
    (metric,) = HEADLINES[task.kind]
    again = again_remark(task.kind)
    by_row: list[float | None] = [None] * len(task.rows)

    def compute() -> Figures:
        by_row[:] = [official(row) for row in task.rows]  # all of them, or none
        return _mean(metric, by_row, nothing=0.0)

    figures, reasons = official_figures(task, predictions.failure, compute)
    images = []
    remarks: Counter[Remark] = Counter()
    for (row, repeated), counted in zip(task.images(), by_row, strict=True):
        value, remark = (None, again) if repeated else strict(row)
        remarks.update([remark] if remark else [])
        image, text = row.cells.get("image_path", ""), remark.one if remark else ""
        images.append(ImageScore(image, metric.lower(), counted, value, text))
        progress(1)
    reasons += [remark.reason(count) for remark, count in remarks.items()]
    mean = _mean(metric, [image.strict for image in images], nothing=float("nan"))
    return TaskScore(task, figures, mean, reasons, images)


def _mean(metric: str, by_row: Sequence[float | None], nothing: float) -> Figures:
    values = [value for value in by_row if value is not None]
    return {metric: float(np.mean(values)) if values else nothing, "num_samples": len(values)}

"""All tasks together: the figures of each, the means of each type, and where they differ."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from usmt import DataError
from usmt_fmc_uia.cells import KINDS
from usmt_fmc_uia.prediction_files import LISTS
from usmt_fmc_uia.records import Root
from usmt_fmc_uia.scoring.challenge_task import ChallengeTask, filled
from usmt_fmc_uia.scoring.classification import score_classification
from usmt_fmc_uia.scoring.detection import score_detection
from usmt_fmc_uia.scoring.predictions import read_predictions
from usmt_fmc_uia.scoring.regression import score_regression
from usmt_fmc_uia.scoring.segmentation import score_segmentation
from usmt_fmc_uia.scoring.task_score import HEADLINES, SAMPLES, Figures, Reason, TaskScore, figure

SAME = 1e-12
"""Figures that are this near are the same."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where official and strict figures differ, or a remark that bears on no figure.

    Attributes:
        metric: None, as are the figures, for a remark on the task as a whole.
    """

    task: str
    metric: str | None
    official: float | None
    strict: float | None
    reason: str


def score(
    tasks: Sequence[ChallengeTask], root: Path, folder: Path, progress: Callable[[int], object]
) -> list[TaskScore]:
    """Scores the predictions in `folder` on the tasks of `root`; those of a type that has no
    scores are passed over.

    Args:
        progress: called with 1 for each row that was scored.
    """
    if not folder.is_dir():
        raise DataError(
            f"there is no folder '{folder}'",
            hint="Expected a folder of predictions: masks, and *_predictions.json",
        )
    predictions = {kind: read_predictions(folder, kind) for kind in LISTS}
    files = Root(root)
    scores = []
    # scikit-learn and numpy warn of figures that a reason is given for.
    with ThreadPoolExecutor() as pool, warnings.catch_warnings(action="ignore"):
        for task in tasks:
            match task.kind:
                case "segmentation":
                    one = score_segmentation(task, files.csv_files, folder, pool, progress)
                case "classification":
                    one = score_classification(task, predictions[task.kind], progress)
                case "detection":
                    one = score_detection(task, predictions[task.kind], progress)
                case "regression":
                    one = score_regression(task, predictions[task.kind], files, progress)
                case _:
                    continue
            if task.kind in LISTS:
                one.reasons += _repeated(predictions[task.kind].repeated[task.id])
            one.reasons += _undecided(task)
            scores.append(one)
    return scores


def _repeated(count: int) -> list[Reason]:
    if not count:
        return []
    entries = "1 entry names" if count == 1 else f"{count} entries name"
    return [Reason(f"an error: {entries} an image that another one named; the last one counts")]


def _undecided(task: ChallengeTask) -> list[Reason]:
    cells = [filled(row, "num_classes") or "" for row in task.rows]
    found = {cell.removesuffix(".0") for cell in cells} - {""}
    if len(found) < 2:
        return []
    text = f"an error of the data: num_classes is {' and '.join(sorted(found))}"
    return [Reason(f"{text}; {task.classes}, which the official scorer meets first, counts")]


def means(
    scores: Sequence[TaskScore], side: Literal["official", "strict"]
) -> dict[str, Figures | None]:
    """Means over the tasks of each type that have samples; None if the published scorer gives none
    for one of them, or no task has any."""
    found: dict[str, Figures | None] = {}
    for kind in KINDS:
        mine = [getattr(score, side) for score in scores if score.task.kind == kind]
        if not mine:
            continue
        counted = [each for each in mine if each is not None and each["num_samples"]]
        if None in mine or not counted:
            found[kind] = None
            continue
        values = {
            metric: [
                each[metric] for each in counted if side == "official" or _defined(each, metric)
            ]
            for metric in HEADLINES[kind]
        }
        found[kind] = {
            **{metric: float(np.mean(each)) if each else None for metric, each in values.items()},
            "num_tasks": len(counted),
        }
    return found


def _defined(figures: Figures, metric: str) -> bool:
    return figure(figures, metric) is not None


def differences(scores: Sequence[TaskScore]) -> list[Difference]:
    """One for each figure that differs, with all reasons that bear on it, and one for each reason
    that bears on none. Of a task without official figures, one."""
    return [difference for score in scores for difference in _of_task(score)]


def _of_task(score: TaskScore) -> Iterator[Difference]:
    task = score.task.id
    if score.official is None:
        text = "; ".join(reason.text for reason in score.reasons)
        yield Difference(task, None, None, None, text)
        return
    of_classes = [metric for reason in score.reasons for metric in reason.metrics]
    for metric in dict.fromkeys([*HEADLINES[score.task.kind], SAMPLES, *of_classes]):
        official, strict = figure(score.official, metric), figure(score.strict, metric)
        if not _same(official, strict):
            reasons = [reason for reason in score.reasons if metric in reason.metrics]
            text = "; ".join(reason.text for reason in reasons)
            yield Difference(task, metric, official, strict, text)
    for reason in score.reasons:
        if not reason.metrics:
            yield Difference(task, None, None, None, reason.text)


def _same(official: float | None, strict: float | None) -> bool:
    if official is None or strict is None:
        return official is strict
    return abs(official - strict) <= SAME

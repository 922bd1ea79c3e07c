"""Classes: AUC, accuracy, F1 and MCC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from usmt import metrics
from usmt_fmc_uia.answers import Flaw, class_number, is_likeliest, numbers
from usmt_fmc_uia.cells import CellError, parse_label
from usmt_fmc_uia.scoring.challenge_task import ChallengeTask, filled
from usmt_fmc_uia.scoring.official_classification import (
    official_classification,
    official_label,
)
from usmt_fmc_uia.scoring.predictions import Predictions
from usmt_fmc_uia.scoring.task_score import (
    HEADLINES,
    SAMPLES,
    Figures,
    ImageScore,
    Reason,
    Remark,
    TaskScore,
    again_remark,
    official_figures,
)
from usmt_fmc_uia.tables import Row

METRICS = HEADLINES["classification"]
ALL = (*METRICS, SAMPLES)
OF_CLASS = ("Accuracy", "F1_macro", "F1_weighted", "MCC")

MISSING = Remark(
    "prediction is missing",
    "predictions are missing",
    "left out by the official scorer; strict: wrong, and for the AUC ranked worst",
    ALL,
)
NO_CLASS = Remark(
    "prediction has no predicted_class that is one of the classes",
    "predictions have no predicted_class that is one of the classes",
    "to the official scorer a class of its own; strict: wrong",
    OF_CLASS,
)
NO_PROBABILITIES = Remark(
    "prediction has no sound predicted_probs",
    "predictions have no sound predicted_probs",
    "strict: ranked last for the true class and first for all others",
    ("AUC",),
)
NOT_LIKELIEST = Remark(
    "prediction has a predicted_class that is not its most probable one",
    "predictions have a predicted_class that is not their most probable one",
    "the AUC looks at predicted_probs, all else at predicted_class",
)
AGAIN = again_remark("classification")
LABEL = Remark(
    "label is none of the classes",
    "labels are none of the classes",
    "an error of the data; left out of strict",
    ALL,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What counts of one image.

    Attributes:
        predicted: None if it is no class.
        probabilities: (K,); None if they are not sound.
    """

    label: int
    predicted: int | None
    probabilities: np.ndarray | None


def score_classification(
    task: ChallengeTask, predictions: Predictions, progress: Callable[[int], object]
) -> TaskScore:
    """Scores one task's entries."""
    odd: list[Reason] = []
    official, reasons = official_figures(
        task, predictions.failure, lambda: official_classification(task, predictions, odd)
    )
    images: list[ImageScore] = []
    answers: list[Answer] = []
    remarks: Counter[Remark] = Counter()
    for row, again in task.images():
        answer, found = _answer(task, predictions, row, again)
        remarks.update(found)
        answers += [answer] if answer is not None else []
        image = row.cells.get("image_path", "")
        entry = predictions.of(task.id, image) if official is not None else None
        images.append(
            ImageScore(
                image,
                "correct",
                None if entry is None else float(official_label(row) == entry["predicted_class"]),
                None if answer is None else float(answer.label == answer.predicted),
                "; ".join(remark.one for remark in found),
            )
        )
        progress(1)
    reasons += [remark.reason(count) for remark, count in remarks.items()]
    reasons += odd
    return TaskScore(task, official, _strict(answers, task.classes), reasons, images)


def _answer(
    task: ChallengeTask, predictions: Predictions, row: Row, again: bool
) -> tuple[Answer | None, list[Remark]]:
    """What counts of one row, None if nothing does, and what is to be said of it."""
    try:
        label = parse_label("classification", 1, {"mask": filled(row, "mask") or ""})
    except CellError:
        label = -1
    if not isinstance(label, int) or label not in range(task.classes):
        return None, [LABEL]
    if again:
        return None, [AGAIN]
    entry = predictions.of(task.id, row.cells.get("image_path", ""))
    if entry is None:
        return Answer(label, None, None), [MISSING]
    predicted = class_number(entry, task.classes)
    probabilities = numbers(entry, "predicted_probs", task.classes)
    remarks = []
    if isinstance(predicted, Flaw):
        remarks.append(NO_CLASS)
    if isinstance(probabilities, Flaw):
        remarks.append(NO_PROBABILITIES)
    elif isinstance(predicted, int) and not is_likeliest(predicted, probabilities):
        remarks.append(NOT_LIKELIEST)
    answer = Answer(
        label,
        None if isinstance(predicted, Flaw) else predicted,
        None if isinstance(probabilities, Flaw) else probabilities,
    )
    return answer, remarks


def _strict(answers: Sequence[Answer], classes: int) -> Figures:
    """F1 over the classes that occur in labels or predictions, AUC over those in labels. To be
    none of the classes is wrong for F1, and for MCC a class of its own."""
    if not answers:
        return {**dict.fromkeys(METRICS, float("nan")), "num_samples": 0, "per_class": {}}
    labels = np.array([answer.label for answer in answers])
    predicted = np.array(
        [classes if answer.predicted is None else answer.predicted for answer in answers]
    )
    occur = np.union1d(labels, predicted[predicted < classes]).tolist()
    f1 = metrics.f1(predicted, labels, occur)
    return {
        "AUC": metrics.auc(_ranked(answers, classes), labels),
        "Accuracy": metrics.accuracy(predicted, labels),
        "F1_macro": metrics.f1_macro(predicted, labels, occur),
        "F1_weighted": metrics.f1_weighted(predicted, labels, occur),
        "MCC": metrics.mcc(predicted, labels),
        "num_samples": len(answers),
        "per_class": {
            f"class_{c}": {"F1": float(value)} for c, value in zip(occur, f1, strict=True)
        },
    }


def _ranked(answers: Sequence[Answer], classes: int) -> np.ndarray:
    """Probabilities (N, K). Where there are none, less than all others for the true class, and
    more for the wrong ones: the worst that could have been said."""
    known = [answer.probabilities for answer in answers if answer.probabilities is not None]
    low, high = (np.min(known) - 1, np.max(known) + 1) if known else (0.0, 1.0)
    ranked = np.full((len(answers), classes), high)
    for row, answer in zip(ranked, answers, strict=True):
        if answer.probabilities is not None:
            row[:] = answer.probabilities
        else:
            row[answer.label] = low
    return ranked

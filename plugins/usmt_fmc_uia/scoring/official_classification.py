"""The published scorer's figures of classes, and what is odd about them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from usmt import metrics
from usmt_fmc_uia.scoring.challenge_task import ChallengeTask, filled
from usmt_fmc_uia.scoring.predictions import Predictions
from usmt_fmc_uia.scoring.task_score import CRASHES, HEADLINES, Figures, Reason
from usmt_fmc_uia.tables import Row


def official_label(row: Row) -> int:
    """The class of a row. Raises `ValueError` if it is no number."""
    return int(float(filled(row, "mask") or ""))


def official_classification(
    task: ChallengeTask, predictions: Predictions, reasons: list[Reason]
) -> Figures:
    """The figures of one task. May die of any of `CRASHES`; `reasons` is added to."""
    # A label that is no number stops the scorer even where there is no prediction.
    rows = [(official_label(row), row.cells.get("image_path", "")) for row in task.rows]
    found = [(label, predictions.of(task.id, image)) for label, image in rows]
    pairs = [(label, entry) for label, entry in found if entry is not None]
    if not pairs:
        nothing = dict.fromkeys(HEADLINES["classification"], 0.0)
        return {**nothing, "num_samples": 0, "per_class": {}}
    labels = np.array([label for label, _ in pairs])
    predicted = np.array([entry["predicted_class"] for _, entry in pairs])
    probabilities = [entry.get("predicted_probs") for _, entry in pairs]
    return {
        "AUC": _auc(task.classes, labels, probabilities, reasons),
        "Accuracy": metrics.accuracy(predicted, labels),
        "F1_macro": metrics.f1_macro(predicted, labels),
        "F1_weighted": metrics.f1_weighted(predicted, labels),
        "MCC": metrics.mcc(predicted, labels),
        "num_samples": len(pairs),
        "per_class": _per_class(task.classes, labels, predicted, reasons),
    }


def _auc(
    classes: int, labels: np.ndarray, probabilities: Sequence[Any], reasons: list[Reason]
) -> float:
    """0 wherever scikit-learn raises, as it does of several classes when one has no label."""
    from sklearn.metrics import roc_auc_score

    if any(each is None for each in probabilities):
        return _no_auc("predictions have no predicted_probs", reasons)
    scores = np.array(probabilities)
    if classes < 2:
        return _no_auc("there is one class", reasons)
    try:
        if classes == 2:
            auc = float(roc_auc_score(labels, scores[:, 1]))
        else:
            auc = float(roc_auc_score(labels, scores, multi_class="ovr"))
    except CRASHES as error:
        absent = [str(c) for c in range(classes) if c not in labels]
        reason = f"no label is of class {', '.join(absent)}" if absent else str(error)
        return _no_auc(reason, reasons)
    if math.isnan(auc):
        reasons.append(Reason("the official AUC is NaN: all labels are alike", ("AUC",)))
    return auc


def _no_auc(reason: str, reasons: list[Reason]) -> float:
    reasons.append(Reason(f"the official AUC is 0: {reason}", ("AUC",)))
    return 0.0


def _per_class(
    classes: int, labels: np.ndarray, predicted: np.ndarray, reasons: list[Reason]
) -> dict[str, dict[str, float]]:
    """F1 by position among the classes that occur, whatever their numbers are."""
    values = metrics.f1(predicted, labels).tolist()
    occur = np.union1d(predicted, labels).tolist()
    if moved := [c for c in range(classes) if c >= len(occur) or occur[c] != c]:
        shown = ", ".join(f"{c:g}" for c in occur)
        text = f"only the classes {shown} occur in labels or predictions"
        text += ": the official scorer numbers them from 0 on"
        reasons.append(Reason(text, tuple(f"class_{c} F1" for c in moved)))
    values += [0.0] * classes
    return {f"class_{c}": {"F1": values[c]} for c in range(classes)}

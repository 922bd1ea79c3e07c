"""AUC, accuracy, F1 and MCC over all images (scikit-learn's definitions)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score, matthews_corrcoef, roc_auc_score
from torch import Tensor
from torchmetrics import Metric

from usmt import ImageMetric

Score = Callable[[np.ndarray, np.ndarray], float]
"""(probabilities (N, K), classes (N,)) -> number."""


class OverAll(Metric):
    """A score that needs all images at once. Args: score: picklable."""

    higher_is_better = True
    full_state_update = False
    is_differentiable = False
    per_image = False

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.score = score
        self.probabilities: Any
        self.labels: Any
        self.add_state("probabilities", [], dist_reduce_fx="cat")
        self.add_state("labels", [], dist_reduce_fx="cat")

    def update(self, result: Any, label: Any) -> None:
        """Adds one image."""
        self.probabilities.append(torch.from_numpy(np.atleast_2d(result.probabilities)))
        self.labels.append(torch.tensor([int(label)]))

    def compute(self) -> Tensor:
        """The score; NaN where it is not defined, as without images."""
        if not len(self.labels):
            return torch.tensor(float("nan"), dtype=torch.float64)
        probabilities, labels = (
            torch.cat(list(state)) if isinstance(state, list) else state
            for state in (self.probabilities, self.labels)
        )
        return torch.tensor(self.score(probabilities.numpy(), labels.numpy()), dtype=torch.float64)


def auc(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Binary on the second class' probability, else the mean one-vs-rest over the classes that
    occur; NaN if only one does."""
    present = np.unique(labels)
    if len(present) < 2:
        return float("nan")
    if probabilities.shape[1] == 2:
        return float(roc_auc_score(labels, probabilities[:, 1]))
    return float(np.mean([roc_auc_score(labels == c, probabilities[:, c]) for c in present]))


def f1_macro(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the classes that occur in labels or predictions."""
    return float(f1_score(labels, probabilities.argmax(1), average="macro", zero_division=0))


def f1_weighted(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean over classes, by their number of labels."""
    return float(f1_score(labels, probabilities.argmax(1), average="weighted", zero_division=0))


def mcc(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Matthews' correlation coefficient."""
    return float(matthews_corrcoef(labels, probabilities.argmax(1)))


def is_correct(result: Any, label: Any) -> float:
    """1 if the most probable class is the label."""
    return float(int(result.probabilities.argmax()) == int(label))


def make_metrics() -> dict[str, Metric]:
    """Fresh metrics."""
    return {
        "auc": OverAll(auc),
        "accuracy": ImageMetric(is_correct, higher_is_better=True),
        "f1": OverAll(f1_macro),
        "f1_weighted": OverAll(f1_weighted),
        "mcc": OverAll(mcc),
    }

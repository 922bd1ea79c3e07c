"""AUC, accuracy, F1 and MCC over all images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from usmt import ImageMetric, metrics

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


@dataclass(frozen=True, slots=True)
class OfLikeliest:
    """A score of predicted classes, given probabilities. A callable object, so that it can be
    pickled.

    Attributes:
        measure: `metrics.f1_macro` or the like; (predicted (N,), labels (N,)) -> number.
    """

    measure: Any

    def __call__(self, probabilities: np.ndarray, labels: np.ndarray) -> float:
        return float(self.measure(probabilities.argmax(axis=1), labels))


def is_correct(result: Any, label: Any) -> float:
    """1 if the most probable class is the label."""
    return float(int(result.probabilities.argmax()) == int(label))


def make_metrics() -> dict[str, Metric]:
    """Fresh metrics."""
    return {
        "auc": OverAll(metrics.auc),
        "accuracy": ImageMetric(is_correct, higher_is_better=True),
        "f1": OverAll(OfLikeliest(metrics.f1_macro)),
        "f1_weighted": OverAll(OfLikeliest(metrics.f1_weighted)),
        "mcc": OverAll(OfLikeliest(metrics.mcc)),
    }

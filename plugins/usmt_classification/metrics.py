"""AUC, accuracy, F1 and MCC over all images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torchmetrics import Metric

from usmt import ImageMetric, PooledMetric, metrics
from usmt_classification import pools


def label_and_probabilities(result: Any, label: Any) -> list[float]:
    """What is kept of an image: the label's class, and the K probabilities."""
    return [float(label), *map(float, result.probabilities)]


@dataclass(frozen=True, slots=True)
class OfProbabilities:
    """A score of rows, given probabilities. Callable objects, so that they can be pickled.

    Attributes:
        measure: (probabilities (N, K), labels (N,)) -> number.
    """

    measure: Callable[[np.ndarray, np.ndarray], float]

    def __call__(self, rows: np.ndarray) -> float:
        return self.measure(rows[:, 1:], rows[:, 0].astype(int))


@dataclass(frozen=True, slots=True)
class OfLikeliest:
    """A score of rows, given predicted classes.

    Attributes:
        measure: (predicted (N,), labels (N,)) -> number.
    """

    measure: Callable[[np.ndarray, np.ndarray], float]

    def __call__(self, rows: np.ndarray) -> float:
        return self.measure(rows[:, 1:].argmax(axis=1), rows[:, 0].astype(int))


def is_correct(result: Any, label: Any) -> float:
    """1 if the most probable class is the label."""
    return float(int(result.probabilities.argmax()) == int(label))


def make_metrics() -> dict[str, Metric]:
    """Fresh metrics."""
    return {
        "auc": _over_all(pools.auc, OfProbabilities(metrics.auc)),
        "accuracy": ImageMetric(is_correct, higher_is_better=True),
        "f1": _over_all(pools.f1_macro, OfLikeliest(metrics.f1_macro)),
        "f1_weighted": _over_all(pools.f1_weighted, OfLikeliest(metrics.f1_weighted)),
        "mcc": _over_all(pools.mcc, OfLikeliest(metrics.mcc)),
    }


def _over_all(pool: pools.Pool, whole: Callable[[np.ndarray], float]) -> PooledMetric:
    return PooledMetric(label_and_probabilities, pool, higher_is_better=True, whole=whole)

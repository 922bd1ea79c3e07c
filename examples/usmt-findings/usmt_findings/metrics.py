"""How well findings are told: over all images, and over any sample of them.

A row is what is kept of an image: of F findings first whether each is in the label, then its
probability. A pool takes rows (N, 2 F) and weights (R, N), how often an image is in each of R
samples, and gives (R,), NaN where the metric is not defined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from torchmetrics import Metric

from usmt import ImageMetric, PooledMetric

OneFinding = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Weights of the images with and without a finding at each score, lowest first, (R, G) each ->
a metric of that finding, (R,)."""


def make_metrics(findings: Sequence[str]) -> dict[str, Metric]:
    """Fresh metrics."""
    return {
        "auc": _pooled(partial(mean_over_findings, area)),
        "map": _pooled(partial(mean_over_findings, average_precision)),
        "exact_match": ImageMetric(is_exact, higher_is_better=True),
        **{
            f"auc_{name}": _pooled(partial(of_finding, area, number))
            for number, name in enumerate(findings)
        },
    }


def shown_and_probabilities(result: Any, label: Any) -> list[float]:
    """The row of an image."""
    shown = [float(name in label) for name in result.names]
    return [*shown, *map(float, result.probabilities)]


def is_exact(result: Any, label: Any) -> float:
    """1 if the findings that are said to be there are those of the label, no more and no less."""
    return float(result.shown == label)


def mean_over_findings(metric: OneFinding, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean over the findings for which the metric is defined."""
    count = rows.shape[1] // 2
    each = np.stack([of_finding(metric, number, rows, weights) for number in range(count)])
    defined = np.isfinite(each)
    return _share(np.where(defined, each, 0).sum(axis=0), defined.sum(axis=0))


def of_finding(
    metric: OneFinding, number: int, rows: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The metric of one finding; NaN for a sample with a probability that is no number."""
    shown, scores = rows[:, number] > 0, rows[:, rows.shape[1] // 2 + number]
    odd = ~np.isfinite(scores)
    spoilt = (weights[:, odd] > 0).any(axis=1)
    order = np.argsort(scores[~odd], kind="stable")
    if not len(order):
        return np.full(len(weights), np.nan)
    starts = np.flatnonzero(np.diff(scores[~odd][order], prepend=-np.inf))  # of equal scores
    ordered, held = weights[:, ~odd][:, order], shown[~odd][order]
    there = np.add.reduceat(ordered * held, starts, axis=1)
    absent = np.add.reduceat(ordered * ~held, starts, axis=1)
    return np.where(spoilt, np.nan, metric(there, absent))


def area(there: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """Area under the ROC curve: the share of pairs of an image with and one without the finding
    whose scores are in order, half for a tie."""
    below = absent.cumsum(axis=1) - absent / 2
    return _share((there * below).sum(axis=1), there.sum(axis=1) * absent.sum(axis=1))


def average_precision(there: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """The mean precision over the images with the finding, each at its own score, as scikit-learn
    has it: no interpolation."""
    found = there[:, ::-1].cumsum(axis=1)
    named = found + absent[:, ::-1].cumsum(axis=1)
    precision = np.divide(found, named, out=np.zeros(found.shape), where=named > 0)
    return _share((there[:, ::-1] * precision).sum(axis=1), there.sum(axis=1))


def _pooled(pool: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> PooledMetric:
    return PooledMetric(shown_and_probabilities, pool, higher_is_better=True)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole; NaN where there is none."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)

"""AUC, F1 and MCC over many samples of the same images at once: `usmt.metrics` with weights.

Each takes rows (N, 1 + K), the label's class and the probabilities of K classes, and weights
(R, N), 0 or more: how often an image is in each of R samples. It gives (R,), NaN where a sample is
empty or the metric is not defined. Whole weights give what `usmt.metrics` gives of images that are
repeated so often, to within rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

Pool = Callable[[np.ndarray, np.ndarray], np.ndarray]

BLOCK = 2**19
"""Weights that are sorted at once: as many as stay in the processor's cache."""


def auc(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve: of two classes the second's, else the mean of those that occur."""
    labels, probabilities = rows[:, 0].astype(int), rows[:, 1:]
    number = np.isfinite(probabilities).all(axis=1)
    spoilt = (weights[:, ~number] > 0).any(axis=1)
    weights, labels, probabilities = weights[:, number], labels[number], probabilities[number]
    held = weights @ _one_hot(labels, probabilities.shape[1])
    occurs = held > 0
    if probabilities.shape[1] == 2:
        areas = _area(probabilities[:, 1], labels == 1, weights)
    else:
        areas = np.zeros(len(weights))
        for k in np.unique(labels):
            areas += np.where(occurs[:, k], _area(probabilities[:, k], labels == k, weights), 0)
        areas = _share(areas, occurs.sum(axis=1))
    return np.where(spoilt | (occurs.sum(axis=1) < 2), np.nan, areas)


def f1_macro(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur in predictions or labels."""
    _, scores, occurs = _f1(rows, weights)
    return _share(scores.sum(axis=1), occurs.sum(axis=1))


def f1_weighted(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean F1 over classes, by their number of labels."""
    held, scores, _ = _f1(rows, weights)
    return _share((held * scores).sum(axis=1), held.sum(axis=1))


def mcc(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Matthews' correlation coefficient; 0 if predictions or labels are of one class."""
    hits, named, held = _counts(rows, weights)
    total = held.sum(axis=1)
    covariance = hits.sum(axis=1) * total - (named * held).sum(axis=1)
    spread = (total**2 - (named**2).sum(axis=1)) * (total**2 - (held**2).sum(axis=1))
    varies = ((named > 0).sum(axis=1) > 1) & ((held > 0).sum(axis=1) > 1)
    found = np.where(varies, covariance / np.sqrt(np.where(varies, spread, 1)), 0)
    return np.where(total > 0, found, np.nan)


def _f1(rows: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, F1, and whether they occur at all, of each class: (R, K) each."""
    hits, named, held = _counts(rows, weights)
    occurs = named + held > 0
    return held, np.where(occurs, 2 * hits / np.where(occurs, named + held, 1), 0), occurs


def _counts(rows: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images of each class that are predicted rightly, predicted, and labelled so: (R, K) each."""
    labels = _one_hot(rows[:, 0].astype(int), rows.shape[1] - 1)
    predicted = _one_hot(rows[:, 1:].argmax(axis=1), rows.shape[1] - 1)
    return weights @ (labels * predicted), weights @ predicted, weights @ labels


def _area(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The share of (positive, negative) pairs whose scores are in order, half for a tie: (R,)."""
    order = np.argsort(scores, kind="stable")
    if not len(order):
        return np.full(len(weights), np.nan)
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))  # of equal scores
    areas = np.empty(len(weights))
    for part in _blocks(*weights.shape):
        ordered = weights[part][:, order]
        above = np.add.reduceat(ordered * positive[order], starts, axis=1)
        below = np.add.reduceat(ordered * ~positive[order], starts, axis=1)
        pairs = above.sum(axis=1) * below.sum(axis=1)
        in_order = (above * (below.cumsum(axis=1) - below / 2)).sum(axis=1)
        areas[part] = _share(in_order, pairs)
    return areas


def _blocks(samples: int, images: int) -> Iterator[slice]:
    size = max(1, BLOCK // images)
    return (slice(start, start + size) for start in range(0, samples, size))


def _one_hot(classes: np.ndarray, count: int) -> np.ndarray:
    return (classes[:, None] == np.arange(count)).astype(float)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole; NaN where there is none."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)

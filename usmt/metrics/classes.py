"""How often a class is right (scikit-learn's definitions)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Share of the predicted classes (N,) that equal the labels (N,)."""
    return float(np.mean(predicted == labels))


def auc(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve, for probabilities (N, K) and labels (N,) in 0 .. K - 1.

    Of two classes that of the second one's probability, else the mean one-vs-rest over the classes
    that occur in the labels. Only the order within a column counts: rows need not sum to 1. NaN if
    only one class occurs, or a probability is no number.
    """
    from sklearn.metrics import roc_auc_score

    present = np.unique(labels)
    if len(present) < 2 or not np.isfinite(probabilities).all():
        return float("nan")
    if probabilities.shape[1] == 2:
        return float(roc_auc_score(labels, probabilities[:, 1]))
    return float(np.mean([roc_auc_score(labels == c, probabilities[:, c]) for c in present]))


def f1(
    predicted: np.ndarray, labels: np.ndarray, classes: Sequence[int] | None = None
) -> np.ndarray:
    """F1 of each class, (C,); 0 for one that is never right.

    Args:
        predicted, labels: classes (N,).
        classes: C classes; None: all that occur in predictions or labels, in their order.
    """
    return np.asarray(_f1(predicted, labels, classes, None))


def f1_macro(
    predicted: np.ndarray, labels: np.ndarray, classes: Sequence[int] | None = None
) -> float:
    """Mean of `f1` over classes."""
    return float(_f1(predicted, labels, classes, "macro"))


def f1_weighted(
    predicted: np.ndarray, labels: np.ndarray, classes: Sequence[int] | None = None
) -> float:
    """Mean of `f1` over classes, by their number of labels."""
    return float(_f1(predicted, labels, classes, "weighted"))


def mcc(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Matthews' correlation coefficient of classes (N,), in [-1, 1]; 0 if either has one class."""
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(labels, predicted))


def _f1(
    predicted: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[int] | None,
    average: str | None,
) -> np.ndarray | float:
    from sklearn.metrics import f1_score

    return f1_score(labels, predicted, labels=classes, average=average, zero_division=0)

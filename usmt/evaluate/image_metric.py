"""A metric that is a mean over images, for task types to build theirs from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric


class ImageMetric(Metric):
    """The mean over images of a function of (result, label); one value an image as well.

    Args:
        score: picklable; (result, label) -> number.
        higher_is_better: whether a higher mean is the better one.
    """

    per_image = True
    full_state_update = False
    is_differentiable = False

    def __init__(self, score: Callable[[Any, Any], float], *, higher_is_better: bool) -> None:
        super().__init__()
        self.score = score
        self._higher_is_better = higher_is_better
        self.total: Tensor
        self.count: Tensor
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    @property
    def higher_is_better(self) -> bool:
        return self._higher_is_better

    def update(self, result: Any, label: Any) -> None:
        """Adds one image."""
        self.total += self.score(result, label)
        self.count += 1

    def compute(self) -> Tensor:
        """The mean; NaN without images."""
        return self.total / self.count

    def row(self, result: Any, label: Any) -> Sequence[float]:
        """What is kept of an image: its score."""
        return (float(self.score(result, label)),)

    @staticmethod
    def pool(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The weighted mean: (rows (N, 1), weights (R, N)) -> (R,); see `PooledMetric`."""
        scores = rows[:, 0]
        odd = ~np.isfinite(scores)
        totals = weights @ np.where(odd, 0.0, scores)
        for at in np.flatnonzero(odd):  # what is not finite counts where it is, and only there
            totals = totals + np.where(weights[:, at] > 0, scores[at], 0.0)
        counts = weights.sum(axis=1)
        return np.divide(totals, counts, out=np.full(len(weights), np.nan), where=counts > 0)

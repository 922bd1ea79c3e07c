"""A metric that is a mean over images, for task types to build theirs from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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

"""A metric that needs all images at once, for task types to build theirs from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from usmt.evaluate.rows import Pool

Row = Callable[[Any, Any], Sequence[float]]
"""(result, label) -> what is kept of an image: V numbers, as many for each."""


class PooledMetric(Metric):
    """A function of all images, that keeps a row of numbers of each.

    Args:
        row: picklable.
        pool: picklable.
        higher_is_better: whether more is the better one.
        whole: picklable; rows (N, V) -> the metric over each image once, where it is not to be
            rounded otherwise than elsewhere; None: by `pool`.
    """

    per_image = False
    full_state_update = False
    is_differentiable = False

    def __init__(
        self,
        row: Row,
        pool: Pool,
        *,
        higher_is_better: bool,
        whole: Callable[[np.ndarray], float] | None = None,
    ) -> None:
        super().__init__()
        self.row = row
        self.pool = pool
        self.whole = whole
        self._higher_is_better = higher_is_better
        self.rows: Any
        self.add_state("rows", [], dist_reduce_fx="cat")

    @property
    def higher_is_better(self) -> bool:
        return self._higher_is_better

    def update(self, result: Any, label: Any) -> None:
        """Adds one image."""
        self.rows.append(torch.tensor([list(self.row(result, label))], dtype=torch.float64))

    def compute(self) -> Tensor:
        """Over each image once; NaN where it is not defined, as without images."""
        if not len(self.rows):
            return torch.tensor(float("nan"), dtype=torch.float64)
        joined = torch.cat(list(self.rows)) if isinstance(self.rows, list) else self.rows
        rows = joined.numpy()
        value = self.pool(rows, np.ones((1, len(rows))))[0] if not self.whole else self.whole(rows)
        return torch.tensor(float(value), dtype=torch.float64)

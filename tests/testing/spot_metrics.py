"""Metrics of spots: a sound one, and some that break rules."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from usmt import ImageMetric


def distance(result: Any, label: Any) -> float:
    return math.hypot(result.x - label[0], result.y - label[1])


class LastBatch(Metric):
    """Forgets what it saw before: half of the old value, half of the new."""

    higher_is_better = False
    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("value", torch.tensor(float("nan")), dist_reduce_fx="mean")

    def update(self, result: Any, label: Any) -> None:
        new = torch.tensor(distance(result, label))
        self.value = new if self.value.isnan() else (self.value + new) / 2

    def compute(self) -> Tensor:
        return self.value


class ZeroAtFirst(ImageMetric):
    """0 without any image, where nothing is known."""

    def compute(self) -> Tensor:
        return self.total / self.count.clamp(min=1)


class PoolsBySum(ImageMetric):
    """Rows that do not make up the metric."""

    @staticmethod
    def pool(rows: Any, weights: Any) -> Any:
        return weights @ rows[:, 0]


class Hidden(ImageMetric):
    """Keeps what no other process gets."""

    def __init__(self) -> None:
        super().__init__(distance, higher_is_better=False)
        self.sums: list[float] = []

    def update(self, result: Any, label: Any) -> None:
        self.sums.append(distance(result, label))

    def compute(self) -> Tensor:
        return torch.tensor(sum(self.sums) / len(self.sums) if self.sums else math.nan)


class Shared(Metric):
    """What one object sees, all know."""

    higher_is_better = False
    sums = torch.zeros(2, dtype=torch.float64)

    def update(self, result: Any, label: Any) -> None:
        self.sums += torch.tensor([distance(result, label), 1], dtype=torch.float64)

    def compute(self) -> Tensor:
        return self.sums[0] / self.sums[1]


class Raising(ImageMetric):
    """Cannot say what more than two images are."""

    def compute(self) -> Tensor:
        if self.count > 2:
            raise ZeroDivisionError("three are too many")
        return super().compute()

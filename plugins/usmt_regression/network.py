"""The head: pool, then one linear layer."""

from __future__ import annotations

import math

from torch import Tensor, nn


class PooledPoints(nn.Module):
    """(n, C, h, w), pooled to grid x grid cells -> (n, P, 2), shares of the canvas. Starts about a
    twentieth of the canvas around its centre.

    The layer's output is divided by grid sqrt(C), the root of its number of inputs, and its weights
    start the larger: an optimizer that moves each weight by the learning rate would else move the
    points by a tenth of the canvas and more at every step.
    """

    def __init__(self, channels: int, points: int, grid: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(grid)
        self.linear = nn.Linear(channels * grid**2, 2 * points)
        self.scale = 1 / (grid * math.sqrt(channels))
        nn.init.normal_(self.linear.weight, std=0.06)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor) -> Tensor:
        offsets: Tensor = self.linear(self.pool(features).flatten(1))
        # In single precision, also where the network computes in half: bf16 knows 256 places.
        return 0.5 + self.scale * offsets.float().unflatten(1, (-1, 2))

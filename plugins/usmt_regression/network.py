"""The head: pool, then one linear layer."""

from __future__ import annotations

from torch import nn


def make_head(channels: int, points: int) -> nn.Module:
    """(n, C, h, w) -> (n, P, 2), shares of the canvas. Starts near its centre."""
    linear = nn.Linear(channels, 2 * points)
    nn.init.normal_(linear.weight, std=0.01)
    nn.init.constant_(linear.bias, 0.5)
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear, nn.Unflatten(1, (points, 2))
    )

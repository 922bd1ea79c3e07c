"""The head: pool, then one linear layer."""

from __future__ import annotations

from torch import nn


def make_head(channels: int, classes: int) -> nn.Module:
    """(n, C, h, w) -> logits (n, K). Starts small: classes are about equally likely, and the
    backbone gets a gradient from the first step on."""
    linear = nn.Linear(channels, classes)
    nn.init.normal_(linear.weight, std=0.05)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)

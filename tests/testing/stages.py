"""The parts of which the sound backbones are made, and some broken ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Stage(nn.Module):
    """(B, in, H, W) -> (B, width, H / stride, W / stride)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.width = width
        kernel = 16 if stride == 4 else 2
        self.convolution = nn.Conv2d(channels, width, kernel, stride, (kernel - stride) // 2)
        self.norm = nn.GroupNorm(1, width)

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.gelu(self.norm(self.convolution(images)))


class FeedForward(nn.Module):
    """A block of tokens: (B, N, D) -> (B, N, D). With `share`, rows are left out in training."""

    def __init__(self, width: int, share: float = 0.0) -> None:
        super().__init__()
        self.share = share
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        more = self.mlp(tokens)
        if self.training and self.share:
            more = more * (more.new_empty(len(more), 1, 1).uniform_() >= self.share)
        return tokens + more


class Patches(nn.Module):
    """One block on patches of 16 pixels, with a table of positions for one size of the input."""

    def __init__(self, width: int, image_size: int, share: float) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.places = nn.Parameter(0.02 * torch.randn(1, (image_size // 16) ** 2, width))
        self.block = FeedForward(width, share)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.patches(images)
        tokens = self.block(maps.flatten(2).mT + self.places)
        return tokens.mT.unflatten(2, maps.shape[2:])


class OverPlaces(nn.Module):
    def __init__(self, mlp: nn.Module) -> None:
        super().__init__()
        self.mlp = mlp

    def forward(self, tokens: Tensor) -> Tensor:
        return self.mlp(tokens - tokens.mean(dim=-2, keepdim=True))


class Factored(nn.Module):
    """Does what somebody has set before the pass."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm
        self.factor = 1.0

    def forward(self, maps: Tensor) -> Tensor:
        return self.norm(maps) * self.factor

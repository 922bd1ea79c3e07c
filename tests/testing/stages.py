"""The stage of which the sound backbone is made."""

from __future__ import annotations

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

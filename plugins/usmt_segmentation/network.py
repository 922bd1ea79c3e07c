"""DPT decoder (smp's), heads and the Dice loss (smp's)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from segmentation_models_pytorch.decoders.dpt.decoder import DPTDecoder
from segmentation_models_pytorch.losses import DiceLoss
from torch import Tensor, nn
from torch.nn import functional as F

from usmt import OUTSIDE, UsmtError


class DptDecoder(nn.Module):
    """Feature maps [(n, C, h, w)] -> (n, out_channels, h', w') at half the image's resolution.

    The maps may have one stride (a vision transformer) or growing ones (a hierarchical network).
    A stride that is no power of two is taken for the nearest one: of patches of 14 pixels, which
    are doubled as if they were of 16, the output has a place for every 1.75 pixels.

    Reads patch tokens only, never the class token. Group normalisation takes the place of batch
    normalisation: a batch holds few rows of each task, and other ones in each process.
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        intermediate_channels: Sequence[int],
        fusion_channels: int,
    ) -> None:
        super().__init__()
        if len(intermediate_channels) != len(channels):
            raise UsmtError(
                f"segmentation: {len(channels)} feature maps, but intermediate_channels has "
                f"{len(intermediate_channels)} numbers",
                hint="Give one width for each map: task_types.segmentation.intermediate_channels",
            )
        self.strides = [2 ** round(math.log2(stride)) for stride in strides]
        # Levels are brought to a place for every 4, 8, 16, ... pixels.
        self.coarsest = 2 ** (len(strides) + 1)
        self.out_channels = fusion_channels
        self.dpt = _group_normalised(
            DPTDecoder(
                encoder_out_channels=channels,
                encoder_output_strides=self.strides,
                encoder_has_prefix_tokens=False,
                readout="ignore",
                intermediate_channels=intermediate_channels,
                fusion_channels=fusion_channels,
            )
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        h, w = (side * self.strides[-1] for side in maps[-1].shape[-2:])
        # The coarsest level is doubled up to the finest, which needs sizes that divide.
        below, right = -h % self.coarsest, -w % self.coarsest
        padded = [
            F.pad(
                _resized(one, h // stride, w // stride),
                (0, right // stride, 0, below // stride),
                mode="replicate",
            )
            for one, stride in zip(maps, self.strides, strict=True)
        ]
        fused: Tensor = self.dpt(padded, [None] * len(padded))
        return fused[..., : h // 2, : w // 2]


def _resized(one: Tensor, h: int, w: int) -> Tensor:
    """A map of the size that its stride says; most are."""
    if one.shape[-2:] == (h, w):
        return one
    return F.interpolate(one, size=(h, w), mode="bilinear", align_corners=False)


def _group_normalised(module: nn.Module) -> nn.Module:
    for child in module.modules():
        for name, norm in child.named_children():
            if isinstance(norm, nn.BatchNorm2d):
                setattr(child, name, _group_norm(norm.num_features))
    return module


def _group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(channels, 8), channels)


def make_head(channels: int, classes: int) -> nn.Module:
    """(n, channels, h', w') -> logits (n, K, h', w')."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        _group_norm(channels),
        nn.ReLU(),
        nn.Conv2d(channels, classes, 1),
    )


def dice_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Soft Dice loss, a row at a time: mean over the K classes, of which one that the row's mask
    does not hold counts 0.

    Args:
        logits: (n, K, h', w').
        mask: long (n, h, w); OUTSIDE is left out.

    Returns:
        (n,), in [0, 1].
    """
    loss = DiceLoss(mode="multiclass", from_logits=True, ignore_index=OUTSIDE)
    full = F.interpolate(logits.float(), size=mask.shape[-2:], mode="bilinear", align_corners=False)
    return torch.stack([loss(full[row : row + 1], mask[row : row + 1]) for row in range(len(mask))])

"""Weight files with the names and shapes that their authors gave them, and values at random."""

from __future__ import annotations

import torch
from torch import Tensor


class _Draw:
    """Values so large that a tensor which is read wrongly changes the features visibly."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def around(self, value: float, *shape: int, by: float = 0.2) -> Tensor:
        return value + by * torch.randn(shape, generator=self.generator)

    def linear(self, name: str, outputs: int, *inputs: int) -> dict[str, Tensor]:
        weight = torch.randn((outputs, *inputs), generator=self.generator)
        fan_in = weight[0].numel()
        return {f"{name}.weight": weight / fan_in**0.5, f"{name}.bias": self.around(0, outputs)}

    def norm(self, name: str, width: int) -> dict[str, Tensor]:
        return {f"{name}.weight": self.around(1, width), f"{name}.bias": self.around(0, width)}


def dinov3_vit(width: int, depth: int, hidden: int, *, gated: bool) -> dict[str, Tensor]:
    """As Meta's `dinov3_vits16_pretrain_lvd1689m-08c60483.pth`: one layer for query, key and value,
    whose bias is multiplied by a mask that is zero for keys; a mask token of pretraining."""
    draw = _Draw(1)
    mask = torch.ones(3, width)
    mask[1] = 0
    tensors = {
        "cls_token": draw.around(0, 1, 1, width),
        "storage_tokens": draw.around(0, 1, 4, width),
        "mask_token": draw.around(0, 1, width),
        "rope_embed.periods": torch.linspace(1, 100, 16),
        **draw.linear("patch_embed.proj", width, 3, 16, 16),
        **draw.norm("norm", width),
    }
    for block in (f"blocks.{i}" for i in range(depth)):
        tensors |= {
            **draw.norm(f"{block}.norm1", width),
            **draw.linear(f"{block}.attn.qkv", 3 * width, width),
            f"{block}.attn.qkv.bias_mask": mask.flatten(),
            **draw.linear(f"{block}.attn.proj", width, width),
            f"{block}.ls1.gamma": draw.around(0.3, width),
            **draw.norm(f"{block}.norm2", width),
            f"{block}.ls2.gamma": draw.around(0.3, width),
        }
        if gated:
            tensors |= draw.linear(f"{block}.mlp.w1", hidden, width)
            tensors |= draw.linear(f"{block}.mlp.w2", hidden, width)
            tensors |= draw.linear(f"{block}.mlp.w3", width, hidden)
        else:
            tensors |= draw.linear(f"{block}.mlp.fc1", hidden, width)
            tensors |= draw.linear(f"{block}.mlp.fc2", width, hidden)
    return tensors


def dinov3_convnext(widths: tuple[int, ...], depths: tuple[int, ...]) -> dict[str, Tensor]:
    """As Meta's `dinov3_convnext_tiny_pretrain_lvd1689m-21b726bb.pth`: the final norm is there
    twice."""
    draw = _Draw(2)
    tensors = {
        **draw.linear("downsample_layers.0.0", widths[0], 3, 4, 4),
        **draw.norm("downsample_layers.0.1", widths[0]),
    }
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        if stage:
            down = f"downsample_layers.{stage}"
            tensors |= draw.norm(f"{down}.0", widths[stage - 1])
            tensors |= draw.linear(f"{down}.1", width, widths[stage - 1], 2, 2)
        for block in (f"stages.{stage}.{i}" for i in range(depth)):
            tensors |= {
                f"{block}.gamma": draw.around(0.3, width),
                **draw.linear(f"{block}.dwconv", width, 1, 7, 7),
                **draw.norm(f"{block}.norm", width),
                **draw.linear(f"{block}.pwconv1", 4 * width, width),
                **draw.linear(f"{block}.pwconv2", width, 4 * width),
            }
    final = draw.norm("norm", widths[-1])
    return tensors | final | {f"norms.3.{key[5:]}": value for key, value in final.items()}


def usfm() -> dict[str, Tensor]:
    """As `USFM_latest.pth` of openmedlab/USFM: a BEiT of masked image modelling, with one table of
    relative position biases for a grid of 14 x 14 patches, and no decoder. 188 tensors."""
    draw, width = _Draw(3), 768
    tensors = {
        "cls_token": draw.around(0, 1, 1, width),
        "mask_token": draw.around(0, 1, 1, width),
        "rel_pos_bias.relative_position_bias_table": draw.around(0, 27 * 27 + 3, 12, by=1.0),
        "rel_pos_bias.relative_position_index": torch.zeros(197, 197, dtype=torch.long),
        **draw.linear("patch_embed.proj", width, 3, 16, 16),
        **draw.norm("norm", width),
    }
    for block in (f"blocks.{i}" for i in range(12)):
        qkv = draw.linear(f"{block}.attn.qkv", 3 * width, width)
        tensors |= {
            **draw.norm(f"{block}.norm1", width),
            f"{block}.attn.qkv.weight": qkv[f"{block}.attn.qkv.weight"],
            f"{block}.attn.q_bias": draw.around(0, width),
            f"{block}.attn.v_bias": draw.around(0, width),
            **draw.linear(f"{block}.attn.proj", width, width),
            f"{block}.gamma_1": draw.around(0.3, width),
            **draw.norm(f"{block}.norm2", width),
            **draw.linear(f"{block}.mlp.fc1", 4 * width, width),
            **draw.linear(f"{block}.mlp.fc2", width, 4 * width),
            f"{block}.gamma_2": draw.around(0.3, width),
        }
    return tensors

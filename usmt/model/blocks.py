"""What is done to an encoder's blocks: mixtures of experts put in, activations computed again."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from usmt.backbone_family import Block
from usmt.model.backbone import Backbone, BlockOfBackbone
from usmt.model.moe import MoE, TaskConditionedMoE, TaskConditioning

SMALLEST_RATIO, LARGEST_RATIO = 0.25, 2.0


class AddedMoE(nn.Module):
    """Stands behind a block that has no Mlp, such as a convolution: what is added to the block's
    output, (B, D, h, w) -> (B, D, h, w). The experts end in zeros, so that at first it is nothing.

    They read the output normalised, each place by itself, as the Mlp of a transformer does.
    """

    def __init__(self, moe: TaskConditionedMoE, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.moe = moe
        ends: list[Any] = [expert.fc2 for expert in moe.experts]
        for end in ends:
            nn.init.zeros_(end.weight)
            nn.init.zeros_(end.bias)

    def forward(self, maps: Tensor) -> Tensor:
        mixed: Tensor = self.moe(self.norm(maps.movedim(1, -1)))
        return mixed.movedim(-1, 1)


def mix_experts(backbone: Backbone, moe: MoE, conditioning: TaskConditioning) -> None:
    """Gives the last blocks their mixtures. `moe` is one that `MoE.fitted` gave."""
    depth = len(backbone.blocks)
    for number in range(depth - (moe.blocks or depth), depth):
        put_experts(
            backbone.blocks[number],
            conditioning,
            task_width=moe.task_width,
            experts=moe.experts,
            top_k=moe.top_k,
            number=number + 1,
            hidden_ratio=moe.hidden_ratio,
        )


def put_experts(
    block: BlockOfBackbone,
    conditioning: TaskConditioning,
    *,
    task_width: int,
    experts: int,
    top_k: int | None,
    number: int,
    hidden_ratio: float | None,
) -> None:
    """Gives a block its mixture: in the place of its Mlp, or behind it where it has none."""
    if hidden_ratio is None and block.mlp is None:
        hidden_ratio = hidden_ratio_behind(block)
    moe = TaskConditionedMoE(
        getattr(block.module, block.mlp) if block.mlp else None,
        conditioning,
        width=block.width,
        task_width=task_width,
        experts=experts,
        top_k=top_k,
        block=number,
        hidden_ratio=hidden_ratio,
    )
    if block.mlp:
        setattr(block.module, block.mlp, moe)
        return
    added = AddedMoE(moe, block.width)
    block.added[str(number)] = added
    # A partial, so that copies of the network have their own.
    block.module.register_forward_hook(partial(_add, added))


def hidden_ratio_behind(block: Block) -> float:
    """Width of an expert's hidden layer over D, behind a block that has no Mlp.

    An expert is about half as large as the block: four of them then add two blocks, which is what
    four in the place of a transformer's Mlp add, two thirds of its block. In quarters of D, from
    1/4 to 2: a kernel of 3 x 3 has many weights, but an expert works place by place.
    """
    # Weights alone, so that it does not depend on how the network is normalised.
    weights = sum(one.numel() for one in block.module.parameters() if one.ndim > 1)
    # An expert of ratio r has 2 r D^2 of them.
    ratio = weights / 2 / (2 * block.width**2)
    return min(max(round(4 * ratio) / 4, SMALLEST_RATIO), LARGEST_RATIO)


def _add(added: AddedMoE, _block: object, _inputs: object, output: Tensor) -> Tensor:
    more: Tensor = added(output)
    return output + more


def checkpoint_blocks(blocks: Iterable[nn.Module], conditioning: TaskConditioning) -> None:
    """Lets blocks recompute their activations in the backward pass, to save memory.

    In place of the switch that a library may have: a block is computed again when the pass is
    over, and perhaps another one has begun, and must then see the tasks of its own pass.
    """
    for block in blocks:
        # On the instance, so that names and state dict stay; a partial, so that copies are whole.
        vars(block)["forward"] = partial(_checkpointed, block, conditioning)


def _checkpointed(
    block: nn.Module, conditioning: TaskConditioning, *args: Any, **options: Any
) -> Any:
    forward = partial(type(block).forward, block)
    if not torch.is_grad_enabled():
        return forward(*args, **options)
    again = conditioning.replay()
    return checkpoint(
        forward, *args, use_reentrant=False, context_fn=lambda: (nullcontext(), again), **options
    )

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
from usmt.model.moe import TaskConditionedMoE, TaskConditioning


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


def put_experts(
    block: Block,
    conditioning: TaskConditioning,
    *,
    task_width: int,
    experts: int,
    top_k: int | None,
    number: int,
    hidden_ratio: float | None,
) -> None:
    """Gives a block its mixture: in the place of its Mlp, or behind it where it has none."""
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
    else:
        block.module.add_module("added", AddedMoE(moe, block.width))
        block.module.register_forward_hook(_add)


def _add(block: Any, _inputs: object, output: Tensor) -> Tensor:
    # Of the module's own: copies of the network share this function.
    added: Tensor = block.added(output)
    return output + added


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

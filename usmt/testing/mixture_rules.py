"""Rules for the places where a mixture of experts can stand in a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from usmt.backbone_family import BackboneFamily, Block
from usmt.model.backbone import Backbone
from usmt.model.blocks import put_experts
from usmt.model.moe import TaskConditioning
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.encoder_rules import backbone_of, images_of, reached

TASKS = 2
TASK_WIDTH = 8
STEPS = 5


class Mixed(nn.Module):
    """A backbone with experts in its last two blocks."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.conditioning = TaskConditioning()
        self.embedding = nn.Embedding(TASKS, TASK_WIDTH)
        for number, block in enumerate(backbone.blocks[-2:], 1):
            put_experts(
                block,
                self.conditioning,
                task_width=TASK_WIDTH,
                experts=2,
                top_k=None,
                number=number,
                hidden_ratio=None,
            )

    def forward(self, images: Tensor) -> list[Tensor]:
        tasks = torch.arange(len(images)) % TASKS
        with self.conditioning.during(self.embedding(tasks), tasks):
            maps: list[Tensor] = self.backbone(images)
        return maps


def check_mixture(family: BackboneFamily, name: str, image_size: int, maps: int) -> None:
    """With experts the network is at first what it was, and then they learn."""
    of = type(family).__name__
    backbone = backbone_of(family, name, image_size, maps)
    if not backbone.blocks:
        raise BrokenRuleError(
            f"{of}.build must name blocks where a mixture of experts can stand",
            found="blocks is empty",
            do="give a Block(module, width, mlp) for each block; mlp=None for a convolution",
        )
    for number, block in enumerate(backbone.blocks):
        _check_block(of, backbone, number, block)
    images = images_of(image_size)
    rule = f"{of}: a mixture of experts must fit into the blocks"
    with keeping(
        rule,
        given="experts in the last two blocks",
        do="the attribute `mlp` maps (B, ..., D) to the same shape, channels last; with mlp=None "
        "the block's output is (B, D, h, w)",
    ):
        with torch.no_grad():
            dense = backbone.eval()(images)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            mixed = Mixed(backbone)
        with torch.no_grad():
            at_first = mixed.eval()(images)
    for a, b in zip(dense, at_first, strict=True):
        if not torch.allclose(a, b, atol=1e-4, rtol=1e-4):
            raise BrokenRuleError(
                f"{of}: with experts that are copies, the network must be what it was",
                given="experts in the last two blocks, before any training",
                found=f"maps that differ by {(a - b).abs().max().item():.3g}",
                do="`mlp` must name the block's whole feed-forward part, each place by itself",
            )
    _check_learning(of, mixed, images, dense)


def _check_block(of: str, backbone: Backbone, number: int, block: Block) -> None:
    rule = f"{of}.build: each Block must be a part of the network"
    if not any(block.module is module for module in backbone.vit.modules()):
        raise BrokenRuleError(
            rule,
            given=f"block {number + 1} of {len(backbone.blocks)}",
            found=f"a {type(block.module).__name__} that the network does not hold",
            do="take the blocks from the module that is returned",
        )
    if block.mlp is None and isinstance(block.module, nn.Sequential):
        raise BrokenRuleError(
            f"{of}.build: a Block with mlp=None must not be an nn.Sequential",
            given=f"block {number + 1} of {len(backbone.blocks)}",
            found="the mixture, which becomes a part of the block, would run as one more layer",
            do="make the block a module of your own, with a `forward`",
        )
    if block.mlp is not None and not isinstance(getattr(block.module, block.mlp, None), nn.Module):
        parts = [name for name, _ in block.module.named_children()]
        raise BrokenRuleError(
            rule,
            given=f"block {number + 1} of {len(backbone.blocks)}, mlp={block.mlp!r}",
            expected=f"one of the block's parts: {', '.join(parts)}",
            found=described(getattr(block.module, block.mlp, None)),
            do="name the feed-forward part, or give mlp=None for a block without",
        )


def _check_learning(of: str, mixed: Mixed, images: Tensor, dense: list[Tensor]) -> None:
    """A few steps change experts, routers and task embedding."""
    mixed.train()
    moe = {
        name: parameter
        for name, parameter in mixed.named_parameters()
        if ".experts." in name or ".router." in name or name.startswith("embedding")
    }
    unused = set(moe)
    generator = torch.Generator().manual_seed(7)
    wanted = [torch.randn(one.shape, generator=generator) for one in dense]
    optimizer = torch.optim.AdamW([p for p in mixed.parameters() if p.requires_grad], lr=1e-3)
    losses = []
    for _ in range(STEPS):
        maps = mixed(images)
        loss = torch.stack(
            [(a - b).square().mean() for a, b in zip(maps, wanted, strict=True)]
        ).mean()
        optimizer.zero_grad()
        loss.backward()
        unused -= reached(moe)
        optimizer.step()
        losses.append(loss.item())
    if unused or not losses[-1] < losses[0]:
        raise BrokenRuleError(
            f"{of}: the experts must learn",
            given=f"{STEPS} training steps on {len(images)} images",
            expected="gradients for all of the mixture, and a loss that falls",
            found=f"a loss of {losses[0]:.4g}, then {losses[-1]:.4g}; no gradient for "
            f"{', '.join(sorted(unused)[:4]) or 'none'}",
            do="the maps must depend on the last blocks: the last map comes after all of them",
        )

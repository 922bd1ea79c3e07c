"""Rules for a network with mixtures of experts in its blocks."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from usmt.model.backbone import Backbone
from usmt.model.blocks import checkpoint_blocks, mix_experts
from usmt.model.moe import MoE, TaskConditioning
from usmt.testing.broken_rule import BrokenRuleError, keeping
from usmt.testing.built_network import distance, seeded
from usmt.testing.encoder_rules import reached
from usmt.testing.fixed_seed import fixed_seed

TASKS = 2
TASK_WIDTH = 8
STEPS = 5


class Mixed(nn.Module):
    """A backbone with experts in its last two blocks, all of them or one a token."""

    def __init__(self, backbone: Backbone, top_k: int | None) -> None:
        super().__init__()
        self.backbone = backbone
        self.conditioning = TaskConditioning()
        self.embedding = nn.Embedding(TASKS, TASK_WIDTH)
        depth = len(backbone.blocks)
        moe = MoE(experts=2, blocks=min(2, depth), top_k=top_k, task_width=TASK_WIDTH)
        mix_experts(backbone, moe.fitted(depth), self.conditioning)

    def forward(self, images: Tensor) -> list[Tensor]:
        tasks = torch.arange(len(images)) % TASKS
        with self.conditioning.during(self.embedding(tasks), tasks):
            maps: list[Tensor] = self.backbone(images)
        return maps


def check_mixture(of: str, backbone: Backbone, images: Tensor) -> None:
    """With experts the network is at first what it was, and then they learn. Spoils the network."""
    dense = seeded(backbone.eval(), images)
    sparse = _mixed(of, deepcopy(backbone), images, dense, 1)
    mixed = _mixed(of, backbone, images, dense, None)
    _check_trainable(of, sparse, images)
    _check_checkpointing(of, mixed, images)
    _check_learning(of, mixed, images, dense)


def _mixed(
    of: str, backbone: Backbone, images: Tensor, dense: list[Tensor], top_k: int | None
) -> Mixed:
    each = "two experts" if top_k is None else "two experts of which each token takes one"
    with (
        keeping(
            f"{of}: a mixture of experts must fit into the blocks",
            given=f"{each} in the last two blocks",
            do="the attribute `mlp` maps (B, ..., D) to the same shape, channels last; with "
            "mlp=None the block's output is (B, D, h, w)",
        ),
        torch.no_grad(),
    ):
        with fixed_seed():
            mixed = Mixed(backbone, top_k)
        at_first = mixed.eval()(images)
    if apart := distance(dense, at_first):
        raise BrokenRuleError(
            f"{of}: with experts that are copies, the network must be what it was",
            given=f"{each} in the last two blocks, before any training",
            found=f"maps that differ by {apart:.3g} of their largest value",
            do="`mlp` must name the block's whole feed-forward part, each place by itself",
        )
    return mixed


def _check_trainable(of: str, sparse: Mixed, images: Tensor) -> None:
    with keeping(f"{of}: the network must be trainable where each token takes one of the experts"):
        torch.stack([one.sum() for one in sparse.train()(images)]).sum().backward()


def _check_checkpointing(of: str, mixed: Mixed, images: Tensor) -> None:
    """Blocks that compute their activations again in the backward pass learn the same."""
    rule = f"{of}: with backbone.checkpointing, gradients must be what they are without"
    do = "a block's forward must not depend on what another pass has left behind"
    with keeping(rule, given="the blocks' forward run again in the backward pass", do=do):
        usual = _gradients(mixed, images)
        copy = deepcopy(mixed)
        checkpoint_blocks([block.module for block in copy.backbone.blocks], copy.conditioning)
        found = _gradients(copy, images)
    apart = distance(usual, found)
    # A network that draws from elsewhere than torch never gives the same twice.
    if apart and not distance(usual, _gradients(mixed, images)):
        raise BrokenRuleError(
            rule,
            given="the blocks' forward run again in the backward pass",
            found=f"gradients that differ by {apart:.3g} of the largest",
            do=do,
        )


def _gradients(mixed: Mixed, images: Tensor) -> list[Tensor]:
    """Over the largest of them, by parameter."""
    mixed.train()
    mixed.zero_grad()
    generator = torch.Generator().manual_seed(8)
    with fixed_seed():
        maps = mixed(images)
        factors = [torch.randn(one.shape, generator=generator) for one in maps]
        torch.stack([(a * b).sum() for a, b in zip(maps, factors, strict=True)]).sum().backward()
    gradients = [
        parameter.grad.detach().clone()
        for parameter in mixed.parameters()
        if parameter.grad is not None and parameter.numel()
    ]
    mixed.zero_grad()
    largest = max(one.abs().max().item() for one in gradients)
    return [one / max(largest, 1e-12) for one in gradients]


def _check_learning(of: str, mixed: Mixed, images: Tensor, dense: list[Tensor]) -> None:
    """A few steps change experts, routers and task embedding."""
    moe = {
        name: parameter
        for name, parameter in mixed.named_parameters()
        if ".experts." in name or ".router." in name or name.startswith("embedding")
    }
    unused = set(moe)
    generator = torch.Generator().manual_seed(7)
    wanted = [torch.randn(one.shape, generator=generator) for one in dense]
    optimizer = torch.optim.AdamW(moe.values(), lr=1e-3)
    losses: list[float] = []
    # In eval mode: what is left out at random in training would hide whether the loss falls.
    mixed.eval()
    for _ in range(STEPS):
        maps = mixed(images)
        loss = torch.stack(
            [(a - b).square().mean() for a, b in zip(maps, wanted, strict=True)]
        ).mean()
        losses.append(loss.item())
        if not unused and losses[-1] < losses[0]:
            return
        optimizer.zero_grad()
        loss.backward()
        unused -= reached(moe)
        optimizer.step()
    raise BrokenRuleError(
        f"{of}: the experts must learn",
        given=f"{STEPS} training steps on {len(images)} images",
        expected="gradients for all of the mixture, and a loss that falls",
        found=f"a loss of {losses[0]:.4g}, then {losses[-1]:.4g}; no gradient for "
        f"{', '.join(sorted(unused)[:4]) or 'none'}",
        do="the maps must depend on the last blocks: the last map comes after all of them",
    )

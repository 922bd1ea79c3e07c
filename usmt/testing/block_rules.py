"""Rules for the blocks of a network, where mixtures of experts can stand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from usmt.backbone_family import Block
from usmt.model.backbone import Backbone
from usmt.testing.broken_rule import BrokenRuleError, keeping
from usmt.testing.built_network import ROUNDING


class Watched(nn.Module):
    """Stands where a mixture would, does what was there, and keeps what it was given."""

    def __init__(self, mlp: nn.Module, order: list[Watched]) -> None:
        super().__init__()
        self.mlp = mlp
        self.order = order
        self.given = self.gave = torch.empty(0)

    def forward(self, tokens: Tensor) -> Tensor:
        self.given, self.gave = tokens, self.mlp(tokens)
        self.order.append(self)
        return self.gave


def check_blocks(of: str, backbone: Backbone) -> None:
    """Blocks are parts of the network, each listed once."""
    held = {id(module) for module in backbone.vit.modules()}
    seen: dict[int, int] = {}
    for number, block in enumerate(backbone.blocks, 1):
        where = f"block {number} of {len(backbone.blocks)}"
        if id(block.module) not in held:
            raise BrokenRuleError(
                f"{of}.build: each Block must be a part of the network",
                given=where,
                found=f"a {type(block.module).__name__} that the network does not hold",
                do="take the blocks from the module that is returned",
            )
        if (other := seen.setdefault(id(block.module), number)) != number:
            raise BrokenRuleError(
                f"{of}.build: each Block must be a part of its own",
                given=where,
                found=f"the module of block {other}",
                do="list a block once, however often the network calls it",
            )


def check_calls(of: str, backbone: Backbone, images: Tensor) -> None:
    """In a pass the network calls them shallow to deep, and they are as wide as they say. Watches
    each where its mixture would be."""
    rule = f"{of}.build: a block must be called where its mixture of experts would stand"
    order: list[Watched] = []
    watched: list[Watched] = []
    with keeping(rule, given="a part of each block replaced by one that does the same"):
        for block in backbone.blocks:
            watch = Watched(getattr(block.module, block.mlp) if block.mlp else nn.Identity(), order)
            watched.append(watch)
            if block.mlp:
                setattr(block.module, block.mlp, watch)
        hooks = [
            block.module.register_forward_hook(_passed(watch))
            for block, watch in zip(backbone.blocks, watched, strict=True)
            if not block.mlp
        ]
        with torch.no_grad():
            backbone.eval()(images)
        for hook in hooks:
            hook.remove()
        for block, watch in zip(backbone.blocks, watched, strict=True):
            if block.mlp:
                setattr(block.module, block.mlp, watch.mlp)
    for number, (block, watch) in enumerate(zip(backbone.blocks, watched, strict=True), 1):
        where = f"block {number} of {len(watched)}, a {type(block.module).__name__}"
        if watch not in order:
            raise BrokenRuleError(
                rule,
                given=where,
                found="no call of its "
                + (f"attribute `{block.mlp}`" if block.mlp else "module")
                + " in a pass of the network",
                do="the network must call the block, and the block its attribute `mlp`",
            )
        _check_width(of, where, block, watch, len(images))
    first = [watched.index(each) + 1 for each in dict.fromkeys(order)]
    if first != sorted(first):
        raise BrokenRuleError(
            f"{of}.build must list the blocks shallow to deep",
            expected="the order in which the network calls them",
            found=f"it calls them so: {first}",
            do="the last of the list are those that get a mixture of experts",
        )


def _passed(watch: Watched) -> Any:
    def hook(_block: nn.Module, _inputs: object, output: Tensor) -> None:
        watch(output)

    return hook


def _check_width(of: str, where: str, block: Block, watch: Watched, rows: int) -> None:
    rule = f"{of}.build: a Block must say what its mixture of experts reads and gives"
    given, gave, axis = watch.given, watch.gave, -1 if block.mlp else 1
    shapes = f"{tuple(given.shape)} -> {tuple(gave.shape)}" if block.mlp else f"{tuple(gave.shape)}"
    form = "(B, ..., D) -> (B, ..., D)" if block.mlp else "(B, D, h, w)"
    fits = given.ndim > 2 if block.mlp else given.ndim == 4
    if not fits or given.shape != gave.shape or len(given) != rows:
        raise BrokenRuleError(
            rule,
            given=f"{where}, {rows} images",
            expected=form,
            found=shapes,
            do="`mlp` is the whole feed-forward part, channels last; mlp=None for a block that "
            "gives maps",
        )
    if given.shape[axis] != block.width:
        raise BrokenRuleError(
            rule,
            given=f"{where}, width={block.width}",
            expected=f"{form} with D = {block.width}",
            found=shapes,
            do=f"give width={given.shape[axis]}",
        )
    if not block.mlp:
        return
    rule = f"{of}: `mlp` must see each place by itself"
    do = "the mixture gives each expert some places only; mlp=None where places are mixed"
    places = given.flatten(0, -2)
    with keeping(rule, given=f"{where}, its places in a row (n, D)", do=do), torch.no_grad():
        alone = watch.mlp(places)
    wanted = gave.flatten(0, -2)
    if not torch.allclose(alone, wanted, atol=ROUNDING * max(1.0, wanted.abs().max().item())):
        raise BrokenRuleError(
            rule, given=f"{where}, its places in a row (n, D)", found="other values", do=do
        )

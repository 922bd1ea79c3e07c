"""Rules for copies of a network: training makes some, and they must be whole."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

import torch
from torch import Tensor, nn

from usmt.model.backbone import Backbone
from usmt.testing.broken_rule import BrokenRuleError, keeping
from usmt.testing.built_network import distance, seeded


def check_copies(of: str, backbone: Backbone, images: Tensor) -> None:
    """A copy gives the same maps, and goes on doing so whatever becomes of its original, whose
    parameters are spoiled here."""
    rule = f"{of}: networks are copied, and a copy must be whole"
    do = "`maps` calls the network that it is given, and no other"
    with keeping(rule, given="copy.deepcopy", do=do):
        given = seeded(backbone.eval(), images)
        copy = deepcopy(backbone)
        if distance(given, seeded(copy, images)):
            found = "maps other than the original's"
            raise BrokenRuleError(rule, given="a copy", found=found, do=do)
        held = {id(module) for module in copy.vit.modules()}
        if any(id(block.module) not in held for block in copy.blocks):
            raise BrokenRuleError(
                rule,
                given="a copy",
                found="blocks that are not parts of the copied network",
                do="let the network's classes be copied as torch does it",
            )
        zero(backbone.vit.parameters())
        if distance(given, seeded(copy, images)):
            found = "maps that change with the weights of the original"
            raise BrokenRuleError(rule, given="a copy", found=found, do=do)
        zero(copy.vit.parameters())
        if not distance(given, seeded(copy, images)):
            found = "the maps as before"
            raise BrokenRuleError(rule, given="a copy whose weights are 0", found=found, do=do)


def zero(parameters: Iterable[nn.Parameter]) -> None:
    with torch.no_grad():
        for parameter in parameters:
            parameter.zero_()

"""Rules for copies of a network: training makes some, and they must be whole."""

from __future__ import annotations

import pickle
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
    rule = f"{of}: networks are copied and pickled, and a copy must be whole"
    do = "`maps` is a function of a module that calls the network it is given, and no other"
    with keeping(rule, given="copy.deepcopy and pickle", do=do):
        given = seeded(backbone.eval(), images)
        copies = {
            "copy.deepcopy": deepcopy(backbone),
            "pickle": pickle.loads(pickle.dumps(backbone)),
        }
        _check_equal(rule, do, copies, given, images, "maps other than the original's")
        for how, copy in copies.items():
            held = {id(module) for module in copy.vit.modules()}
            if any(id(block.module) not in held for block in copy.blocks):
                raise BrokenRuleError(
                    rule,
                    given=f"a copy made by {how}",
                    found="blocks that are not parts of the copied network",
                    do="let the network's classes be copied as torch does it",
                )
        zero(backbone.vit.parameters())
        found = "maps that change with the weights of the original"
        _check_equal(rule, do, copies, given, images, found)
        copy = copies["copy.deepcopy"]
        zero(copy.vit.parameters())
        if not distance(given, seeded(copy, images)):
            raise BrokenRuleError(
                rule, given="a copy whose weights are all 0", found="the maps as before", do=do
            )


def _check_equal(
    rule: str,
    do: str,
    copies: dict[str, Backbone],
    given: list[Tensor],
    images: Tensor,
    found: str,
) -> None:
    for how, copy in copies.items():
        if distance(given, seeded(copy, images)):
            raise BrokenRuleError(rule, given=f"a copy made by {how}", found=found, do=do)


def zero(parameters: Iterable[nn.Parameter]) -> None:
    with torch.no_grad():
        for parameter in parameters:
            parameter.zero_()

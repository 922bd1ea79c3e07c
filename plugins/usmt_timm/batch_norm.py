"""Batch normalisation without the batch.

A batch mixes the rows of many tasks, and may be cut into pieces and spread over processes: what is
predicted for one row must not depend on which others it meets. So pretrained statistics are kept as
they are, and a network that has none is normalised in groups of channels, each image by itself.
"""

from __future__ import annotations

import math
from typing import Any

from timm.layers import BatchNormAct2d, GroupNormAct, freeze_batch_norm_2d
from torch import nn

GROUPS = 8


def without_batch(network: Any, *, pretrained: bool) -> Any:
    """The network, changed in place.

    Pretrained: statistics, scale and shift of each BatchNorm2d become constants, under their names,
    as is usual where batches are small (detection networks do it).
    Else: GroupNorm (arXiv 1803.08494) of 8 groups, fewer where the channels do not divide.
    """
    if pretrained:
        return freeze_batch_norm_2d(network)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, _grouped(child))
    return network


def _grouped(norm: Any) -> nn.Module:
    groups = math.gcd(norm.num_features, GROUPS)
    if not isinstance(norm, BatchNormAct2d):
        grouped = nn.GroupNorm(groups, norm.num_features)
    else:
        grouped = GroupNormAct(norm.num_features, groups, apply_act=False)
        grouped.act, grouped.drop = norm.act, norm.drop
    # Some start at zero, so that the block is passed by at first.
    grouped.load_state_dict({"weight": norm.weight, "bias": norm.bias}, strict=False)
    return grouped

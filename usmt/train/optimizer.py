"""AdamW with the published parameter groups, and the course of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import nn

Groups = Mapping[str, Sequence[tuple[str, nn.Parameter]]]


def make_optimizer(
    groups: Groups, learning_rates: Mapping[str, float], weight_decay: float
) -> torch.optim.AdamW:
    """AdamW over named groups; each remembers its own rate as `base_lr`.

    Args:
        groups: by group name (`backbone`, `moe`, `decoder`, `head`), its named parameters.
        learning_rates: by group name; `other` serves groups that it does not name.
    """
    return torch.optim.AdamW(
        [
            {
                "params": [parameter for _, parameter in named],
                "name": group,
                "lr": learning_rates.get(group, learning_rates["other"]),
                "base_lr": learning_rates.get(group, learning_rates["other"]),
            }
            for group, named in groups.items()
            if named
        ],
        weight_decay=weight_decay,
    )


def rate_factor(
    step: int, steps: int, *, schedule: Literal["constant", "cosine"], warmup: float
) -> float:
    """What the learning rates are multiplied by at a step (0 to steps - 1): a linear warm-up over
    the first `warmup` share of the steps, then constant, or a half cosine down towards 0."""
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    if schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Sets every group's rate to its own times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor

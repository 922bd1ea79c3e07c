"""Toy task types with a few parameters, for networks at 64 px."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from usmt import Features, TaskSpec, TaskType, TaskTypeOptions

SIZE = 64
DINOV3 = "vit_tiny_patch16_dinov3_qkvb"
VIT = "vit_tiny_patch16_224"


class Fusion(nn.Module):
    """All maps -> one, (n, 8, h, w)."""

    out_channels = 8

    def __init__(self, features: Features) -> None:
        super().__init__()
        self.mix = nn.Conv2d(sum(features.channels), self.out_channels, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        return self.mix(torch.cat(maps, 1))


class MapType(TaskType):
    """With a decoder, as segmentation has one; a prediction is a map."""

    name = "map"
    primary = "none"

    def decoder(self, features: Features) -> nn.Module:
        return Fusion(features)

    def head(self, spec: TaskSpec, channels: int) -> nn.Module:
        return nn.Conv2d(channels, 2, 1)

    def _unused(self, *args: Any) -> Any:
        raise AssertionError("the model asks a task type for decoder and head only")

    problems = wrap = target = loss = decode = metrics = selection_score = trivial = _unused
    draw_label = draw_result = _unused


class PoolType(MapType):
    """Without a decoder, as classification is; a prediction is a vector."""

    name = "pool"

    def decoder(self, features: Features) -> None:  # type: ignore[override]
        return None

    def head(self, spec: TaskSpec, channels: int) -> nn.Module:
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 3))


def tasks_of(names: Sequence[str]) -> list[tuple[TaskSpec, TaskType]]:
    """`pool_...` are of the type without a decoder, all others of the one with it."""
    of_map, of_pool = MapType(TaskTypeOptions()), PoolType(TaskTypeOptions())
    return [
        (
            TaskSpec(id=name, title=name, type="map", organ="any", dataset="any", flip="none"),
            of_pool if name.startswith("pool") else of_map,
        )
        for name in names
    ]


def stir(module: nn.Module, amount: float = 0.05) -> None:
    """Moves every parameter. DINOv3 starts with layer scales of 1e-5: without this its blocks
    change next to nothing, and a wrong MoE would go unnoticed."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "gamma" in name:
                parameter.fill_(1.0)
            parameter.add_(amount * torch.randn(parameter.shape, generator=generator))

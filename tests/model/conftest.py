"""Small networks on real backbones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from toy_tasks import DINOV3, SIZE, stir, tasks_of

from usmt import load_plugins
from usmt.model.backbone import Backbone, build_backbone
from usmt.model.moe import MoE
from usmt.model.network import Network


@pytest.fixture
def make_backbone() -> Callable[..., Backbone]:
    def make(name: str = DINOV3, **options: Any) -> Backbone:
        torch.manual_seed(0)
        backbone = build_backbone(load_plugins(), name, weights="none", image_size=SIZE, **options)
        stir(backbone)
        return backbone

    return make


@pytest.fixture
def make_network(make_backbone: Callable[..., Backbone]) -> Callable[..., Network]:
    def make(
        moe: MoE | None = None,
        names: Sequence[str] = ("map_a", "pool_b", "map_c"),
        *,
        stirred: bool = True,
        **options: Any,
    ) -> Network:
        network = Network(tasks_of(names), make_backbone(**options), moe=moe)
        if stirred:  # as if trained: the experts are no longer alike
            stir(network)
        return network.eval()

    return make


@pytest.fixture
def images() -> Tensor:
    return torch.randn(6, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(3))

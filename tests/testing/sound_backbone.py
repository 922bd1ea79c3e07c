"""A small family of backbones that keeps every rule: three stages of convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from usmt import BackboneCard, BackboneFamily, Block, ConfigError, Encoder

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
CARD = BackboneCard(
    name="plain",
    title="Three convolutions",
    parameters=8872,
    width=32,
    strides=(4, 8, 16),
    multiple=16,
    mean=MEAN,
    std=STD,
)


class Nets(BackboneFamily):
    name = "nets"

    def cards(self) -> Sequence[BackboneCard]:
        return [CARD]

    def has(self, name: str) -> bool:
        return name == CARD.name

    def build(
        self, name: str, *, image_size: int, maps: int, drop_path: float, pretrained: bool
    ) -> Encoder:
        if image_size % CARD.multiple:
            raise ConfigError(f"image_size {image_size} is not a multiple of {CARD.multiple}")
        return encoder()


def encoder() -> Encoder:
    from stages import Stage
    from torch import nn

    network = nn.Sequential(Stage(3, 8, 4), Stage(8, 16, 2), Stage(16, 32, 2))
    blocks = [Block(stage, stage.width, mlp=None) for stage in network]
    return Encoder(network, every_stage, blocks, MEAN, STD)


def every_stage(network: Any, images: Any) -> list[Any]:
    maps = []
    for stage in network:
        images = stage(images)
        maps.append(images)
    return maps

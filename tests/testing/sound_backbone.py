"""Small families of backbones that keep every rule: three stages of convolutions, and others
that are odd, and right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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


class Frozen(Nets):
    """Weights that are never trained."""

    def build(self, name: str, **settings: Any) -> Encoder:
        made = super().build(name, **settings)
        made.module.requires_grad_(False)
        return made


class NoElements(Nets):
    """A parameter of which there is nothing."""

    def build(self, name: str, **settings: Any) -> Encoder:
        import torch

        made = super().build(name, **settings)
        made.module.register_parameter("more", torch.nn.Parameter(torch.zeros(0, 2)))
        return replace(made, maps=with_more)


def with_more(network: Any, images: Any) -> list[Any]:
    return [one + network.more.sum() for one in every_stage(network, images)]


class InSequence(Nets):
    """Blocks that run whatever they have, one after another."""

    def build(self, name: str, **settings: Any) -> Encoder:
        from torch import nn

        made = super().build(name, **settings)
        network = nn.Sequential(*(nn.Sequential(stage) for stage in made.module))
        blocks = [Block(stage, stage[0].width, mlp=None) for stage in network]
        return replace(made, module=network, blocks=blocks)


class WithoutBlocks(Nets):
    """No place for experts."""

    def build(self, name: str, **settings: Any) -> Encoder:
        return replace(super().build(name, **settings), blocks=[])


class Dropout(Nets):
    """It draws at random in training, whatever `drop_path` is."""

    def build(self, name: str, **settings: Any) -> Encoder:
        from torch import nn

        made = super().build(name, **settings)
        made.module[2].norm = nn.Sequential(made.module[2].norm, nn.Dropout(0.1))
        return made


class WeightNormalised(Nets):
    """Parametrized modules can be copied, and not pickled."""

    def cards(self) -> Sequence[BackboneCard]:
        return [replace(CARD, parameters=CARD.parameters + 8 + 16 + 32)]

    def build(self, name: str, **settings: Any) -> Encoder:
        from torch import nn

        made = super().build(name, **settings)
        for stage in made.module:
            nn.utils.parametrizations.weight_norm(stage.convolution)
        return made


class Patched(BackboneFamily):
    """One block, positions that grow with the image, rows that are left out in training."""

    name = "patched"
    # Of 512 pixels: most of the parameters are the positions of so large an image.
    cards_of = replace(CARD, parameters=59_488, strides=(16,))

    def cards(self) -> Sequence[BackboneCard]:
        return [self.cards_of]

    def has(self, name: str) -> bool:
        return name == CARD.name

    def build(
        self, name: str, *, image_size: int, maps: int, drop_path: float, pretrained: bool
    ) -> Encoder:
        from stages import Patches

        if image_size % CARD.multiple:
            raise ConfigError(f"image_size {image_size} is not a multiple of {CARD.multiple}")
        network = Patches(CARD.width, image_size, drop_path)
        return Encoder(network, last_map, [Block(network.block, CARD.width)], MEAN, STD)


class OfOneSize(Patched):
    def build(self, name: str, *, image_size: int, drop_path: float, **settings: Any) -> Encoder:
        if image_size != 64 or drop_path:
            raise ConfigError("it takes images of 64 pixels, and leaves no block out")
        return super().build(name, image_size=image_size, drop_path=0.0, **settings)

    cards_of = replace(CARD, parameters=27_232, strides=(16,))


def last_map(network: Any, images: Any) -> list[Any]:
    return [network(images)]

"""Families of backbones that break one rule each, on purpose."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import sound_backbone
from sound_backbone import CARD, Nets, Patched, every_stage

from usmt import BackboneFamily, Block


class Told(Nets):
    """Cards with something changed."""

    changed: ClassVar[dict[str, Any]] = {}

    def cards(self):
        return [replace(CARD, **self.changed)]


class WrongParameters(Told):
    changed: ClassVar = {"parameters": 1_000_000}


class WrongWidth(Told):
    changed: ClassVar = {"width": 64}


class WrongStrides(Told):
    changed: ClassVar = {"strides": (2, 4, 8)}


class WrongMean(Told):
    changed: ClassVar = {"mean": (0.485, 0.456, 0.406)}


class MeanOfBytes(Told):
    """The same in card and network, of values from 0 to 255."""

    changed: ClassVar = {"mean": (128.0, 128.0, 128.0)}

    def build(self, name, **settings):
        return replace(super().build(name, **settings), mean=self.changed["mean"])


class StdOfBytes(Told):
    changed: ClassVar = {"std": (64.0, 64.0, 64.0)}

    def build(self, name, **settings):
        return replace(super().build(name, **settings), std=self.changed["std"])


class Misspelt(Nets):
    def publishes(self, name):
        return None


class WeightsWithoutLicence(Told):
    changed: ClassVar = {"weights": "https://example.org/weights", "obtain": "Download them."}


class CardOfAnother(Nets):
    def card(self, name):
        return replace(CARD, name="other")

    def has(self, name):
        return name in ("plain", "other")


class HasRaises(Nets):
    def has(self, name):
        return {"plain": True, "other": False}[name]


class HasAll(Nets):
    def has(self, name):
        return True


class AnySize(Nets):
    def build(self, name, **settings):
        return sound_backbone.encoder()


def with_class_token(network, images):
    return [one.flatten(2) for one in every_stage(network, images)]


class Tokens(Nets):
    def build(self, name, **settings):
        return replace(super().build(name, **settings), maps=with_class_token)


def as_tuple(network, images):
    return tuple(every_stage(network, images))


class MapsAsTuple(Nets):
    def build(self, name, **settings):
        return replace(super().build(name, **settings), maps=as_tuple)


def deep_to_shallow(network, images):
    return every_stage(network, images)[::-1]


class Reversed(Nets):
    def build(self, name, **settings):
        return replace(super().build(name, **settings), maps=deep_to_shallow)


HELD: list[Any] = []


class CallsItsOwn(Nets):
    def build(self, name, **settings):
        made = super().build(name, **settings)
        HELD[:] = [made.module]
        return replace(made, maps=call_held)


def call_held(network, images):
    return every_stage(HELD[0], images)


class Unseeded(Nets):
    def build(self, name, **settings):
        made = super().build(name, **settings)
        made.module[0].convolution.weight.data[0] += random.SystemRandom().random()
        return made


def noisy(network, images):
    return [one + 0.1 * one.new_tensor(random.random()) for one in every_stage(network, images)]


class Noisy(Nets):
    def build(self, name, **settings):
        return replace(super().build(name, **settings), maps=noisy)


def over_the_batch(network, images):
    return [one - one.mean(dim=0, keepdim=True) for one in every_stage(network, images)]


class OverTheBatch(Nets):
    def build(self, name, **settings):
        return replace(super().build(name, **settings), maps=over_the_batch)


def not_finite(network, images):
    return [(one - 100).log() for one in every_stage(network, images)]


class NotFinite(Nets):
    def build(self, name, **settings):
        return replace(super().build(name, **settings), maps=not_finite)


def without_the_bias(network, images):
    maps = every_stage(network, images)
    # Its derivative is there, and always 0.
    return [*maps[:2], maps[2] + 0 * network.extra.sum()]


class Unreached(Nets):
    def build(self, name, **settings):
        import torch

        made = super().build(name, **settings)
        made.module.register_parameter("extra", torch.nn.Parameter(torch.ones(3)))
        return replace(made, maps=without_the_bias)


class NoListOfBlocks(Nets):
    def build(self, name, **settings):
        return replace(super().build(name, **settings), blocks=None)


class BlocksOfAnother(Nets):
    def build(self, name, **settings):
        return replace(
            super().build(name, **settings), blocks=super().build(name, **settings).blocks
        )


class NoSuchMlp(Nets):
    def build(self, name, **settings):
        made = super().build(name, **settings)
        return replace(made, blocks=[Block(block.module, block.width) for block in made.blocks])


class WrongBlockWidth(Nets):
    def build(self, name, **settings):
        made = super().build(name, **settings)
        return replace(made, blocks=[Block(block.module, 7, None) for block in made.blocks])


class ForgetsNames(Nets):
    def converted(self, name, tensors, encoder):
        return {f"network.{key}": tensor for key, tensor in tensors.items()}


class FillsIn(Nets):
    def converted(self, name, tensors, encoder):
        own = encoder.module.state_dict()
        return {key: tensors.get(key, tensor) for key, tensor in own.items()}


class ConvertedRaises(Nets):
    def converted(self, name, tensors, encoder):
        return {**tensors, "0.convolution.weight": tensors["0.convolution.weight"]}


class Unfinished(BackboneFamily):
    name = "unfinished"

    def has(self, name):
        return True


class OnlyWithoutWeights(Nets):
    """`if pretrained` that nobody has tried."""

    def build(self, name, *, pretrained, **settings):
        made = super().build(name, pretrained=pretrained, **settings)
        if pretrained:
            made.module.freeze_statistics()
        return made


class BatchNorm(Nets):
    """Statistics of the batch, in the network for pretrained weights alone."""

    def build(self, name, *, pretrained, **settings):
        from torch import nn

        made = super().build(name, pretrained=pretrained, **settings)
        if pretrained:
            made.module[1].norm = nn.BatchNorm2d(16)
        return made


class FewerMapsOfPretrained(Nets):
    def build(self, name, *, pretrained, **settings):
        made = super().build(name, pretrained=pretrained, **settings)
        return replace(made, maps=two_stages) if pretrained else made


def two_stages(network, images):
    return every_stage(network, images)[1:]


class DropsAlways(Nets):
    """Stages are left out of a map, in eval mode too."""

    def build(self, name, *, drop_path, **settings):
        made = super().build(name, drop_path=drop_path, **settings)
        return replace(made, maps=partial(leaving_out, drop_path))


def leaving_out(share, network, images):
    import torch

    kept = (torch.rand(len(images), 1, 1, 1) >= share).float()
    return [one * kept for one in every_stage(network, images)]


class RaisesOnDropPath(Nets):
    def build(self, name, *, drop_path, **settings):
        made = super().build(name, drop_path=drop_path, **settings)
        made.module[0].drop = drop_path / (3 if drop_path == 0 else 0)
        return made


class RenamesOnDropPath(Nets):
    def build(self, name, *, drop_path, **settings):
        from torch import nn

        made = super().build(name, drop_path=drop_path, **settings)
        if drop_path:
            made.module[2].norm = nn.Sequential(nn.Dropout(drop_path), made.module[2].norm)
        return made


class OneSize(Nets):
    """Positions of the one size that its author uses."""

    def build(self, name, **settings):
        import torch

        made = super().build(name, **settings)
        made.module.register_buffer("places", torch.zeros(1, 8, 16, 16))
        return replace(made, maps=with_places)


def with_places(network, images):
    maps = every_stage(network, images)
    return [maps[0] + network.places, *maps[1:]]


class WrongMultiple(Told):
    changed: ClassVar = {"multiple": 8}


class OutsideTheStateDict(Nets):
    def build(self, name, **settings):
        import torch

        made = super().build(name, **settings)
        made.module.scale = torch.rand(1) + 0.5
        return replace(made, maps=scaled)


def scaled(network, images):
    return [one * network.scale for one in every_stage(network, images)]


class Closure(Nets):
    def build(self, name, **settings):
        made = super().build(name, **settings)
        return replace(made, maps=lambda _network, images: every_stage(made.module, images))


class BlockTwice(Nets):
    def build(self, name, **settings):
        made = super().build(name, **settings)
        return replace(made, blocks=[*made.blocks, made.blocks[0]])


class BlocksDeepToShallow(Nets):
    def build(self, name, **settings):
        made = super().build(name, **settings)
        return replace(made, blocks=made.blocks[::-1])


class UncalledBlock(Nets):
    """A block that is a part of the network, and not of what it does."""

    def build(self, name, **settings):
        from stages import Stage

        made = super().build(name, **settings)
        made.module[2].spare = Stage(1, 1, 2)
        return replace(made, blocks=[*made.blocks, Block(made.module[2].spare, 1, mlp=None)])


class MixesPlaces(Patched):
    """Its `mlp` subtracts what is usual in the image."""

    def build(self, name, **settings):
        from stages import OverPlaces

        made = super().build(name, **settings)
        made.blocks[0].module.mlp = OverPlaces(made.blocks[0].module.mlp)
        return made


class SetBeforeThePass(Nets):
    """A block that finds something else when it is run again, after the pass."""

    def build(self, name, **settings):
        from stages import Factored

        made = super().build(name, **settings)
        made.module[2].norm = Factored(made.module[2].norm)
        return replace(made, maps=with_factor)


def with_factor(network, images):
    network[2].norm.factor = 2.0
    maps = every_stage(network, images)
    network[2].norm.factor = 1.0
    return maps

"""Families of backbones that break one rule each, on purpose."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, ClassVar

import sound_backbone
from sound_backbone import CARD, Nets, every_stage

from usmt import Block


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


def deep_to_shallow(network, images):
    return every_stage(network, images)[::-1]


class Reversed(Told):
    changed: ClassVar = {"strides": (16, 8, 4), "width": 8}

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


class NoBlocks(Nets):
    def build(self, name, **settings):
        return replace(super().build(name, **settings), blocks=[])


class BlocksOfAnother(Nets):
    def build(self, name, **settings):
        return replace(
            super().build(name, **settings), blocks=super().build(name, **settings).blocks
        )


class SequentialBlocks(Nets):
    """nn.Sequential would run the mixture as one more layer."""

    def build(self, name, **settings):
        from torch import nn

        made = super().build(name, **settings)
        for number in range(3):
            made.module[number] = nn.Sequential(made.module[number])
        blocks = [Block(each, each[0].width, mlp=None) for each in made.module]
        return replace(made, blocks=blocks)


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

"""A network of a family as the rules look at it: built with random weights, given some images."""

from __future__ import annotations

import torch
from torch import Tensor

from usmt.backbone_family import BackboneFamily, Encoder
from usmt.errors import PluginError
from usmt.model.backbone import Backbone
from usmt.model.encoder_faults import check_encoder
from usmt.model.weights import Provenance
from usmt.testing.broken_rule import BrokenRuleError, keeping
from usmt.testing.fixed_seed import fixed_seed

ROUNDING = 1e-4
"""What equal maps may differ by, over the largest value: sums in another order."""


def built(
    family: BackboneFamily,
    name: str,
    image_size: int,
    maps: int,
    *,
    drop_path: float = 0.0,
    pretrained: bool = False,
    seed: int = 0,
) -> Encoder:
    """The network before any weights are loaded, the same for the same seed."""
    of = type(family).__name__
    given = f"{name}, image_size={image_size}, drop_path={drop_path}, pretrained={pretrained}"
    with (
        keeping(f"{of}.build must build every network that `has` knows", given=given),
        fixed_seed(seed),
    ):
        encoder = family.build(
            name, image_size=image_size, maps=maps, drop_path=drop_path, pretrained=pretrained
        )
    try:
        check_encoder(name, family, encoder)
    except PluginError as error:
        raise BrokenRuleError(
            f"{of}.build must give a usmt.Encoder, whose blocks are what they say",
            given=given,
            found=error.message,
            do="a Block names the block's feed-forward part, or has mlp=None where there is none",
        ) from error
    return encoder


def as_trained(family: BackboneFamily, name: str, encoder: Encoder, image_size: int) -> Backbone:
    """The network as usmt trains it: what the maps do not depend on is frozen."""
    rule = f"{type(family).__name__}.build: `maps` must give feature maps (B, C, h, w)"
    given = f"{name}, images of {image_size} x {image_size} pixels"
    with keeping(rule, given=given):
        try:
            return Backbone(name, encoder, image_size, Provenance("none"))
        except PluginError as error:
            do = "" if error.__cause__ else "give a list of maps, and leave class tokens out"
            raise BrokenRuleError(rule, given=given, found=error.message, do=do) from error


def images_of(image_size: int, rows: int = 3) -> Tensor:
    """Normalised images, the same each time."""
    generator = torch.Generator().manual_seed(5)
    return torch.randn(rows, 3, image_size, image_size, generator=generator)


def seeded(backbone: Backbone, images: Tensor, seed: int = 0) -> list[Tensor]:
    """Its maps, what it draws at random being the same for the same seed."""
    with torch.no_grad(), fixed_seed(seed):
        maps: list[Tensor] = backbone(images)
    return maps


def distance(one: list[Tensor], other: list[Tensor]) -> float:
    """How much maps differ at most, over the size of the largest value; 0 up to rounding."""
    if [a.shape for a in one] != [b.shape for b in other]:
        return float("inf")
    largest = max((a - b).abs().max().item() for a, b in zip(one, other, strict=True))
    scale = max(1.0, *(a.abs().max().item() for a in one))
    return 0.0 if largest / scale <= ROUNDING else largest / scale

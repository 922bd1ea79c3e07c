"""Rules for the network that a family builds: its card, maps and gradients."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

from usmt.backbone_family import BackboneCard, BackboneFamily, Encoder
from usmt.errors import PluginError
from usmt.model.backbone import Backbone
from usmt.model.weights import Provenance
from usmt.testing.broken_rule import BrokenRuleError, described, keeping

TRUE_WITHIN = 0.02
"""Share by which a card's number of parameters may be off: position embeddings depend on the
size of the input."""
STEPS = 3


def built(family: BackboneFamily, name: str, image_size: int, maps: int) -> Encoder:
    """The network with random weights, from the same seed each time."""
    of = type(family).__name__
    with (
        keeping(f"{of}.build must build every network that `has` knows", given=f"{name}"),
        torch.random.fork_rng(devices=[]),
    ):
        torch.manual_seed(0)
        encoder = family.build(
            name, image_size=image_size, maps=maps, drop_path=0.0, pretrained=False
        )
    if not isinstance(encoder, Encoder):
        raise BrokenRuleError(f"{of}.build must give a usmt.Encoder", found=described(encoder))
    return encoder


def backbone_of(family: BackboneFamily, name: str, image_size: int, maps: int) -> Backbone:
    """The network as usmt trains it: what the maps do not depend on is frozen."""
    encoder = built(family, name, image_size, maps)
    rule = f"{type(family).__name__}.build: `maps` must give feature maps (B, C, h, w)"
    with keeping(rule, given=f"{name}, images of {image_size} x {image_size} pixels"):
        try:
            return Backbone(name, encoder, image_size, Provenance("none"))
        except PluginError as error:
            raise BrokenRuleError(rule, found=error.message, do="leave class tokens out") from None


def images_of(image_size: int, rows: int = 3) -> Tensor:
    """Normalised images, the same each time."""
    generator = torch.Generator().manual_seed(5)
    return torch.randn(rows, 3, image_size, image_size, generator=generator)


def check_encoder(family: BackboneFamily, card: BackboneCard, image_size: int, maps: int) -> None:
    """A card that is true, maps that are sound, gradients that reach every parameter."""
    of = type(family).__name__
    backbone = backbone_of(family, card.name, image_size, maps)
    again = backbone_of(family, card.name, image_size, maps)
    _check_card(of, card, backbone)
    images = images_of(image_size)
    with torch.no_grad():
        given = backbone.eval()(images)
        _check_maps(of, given, maps)
        _same_maps(
            of,
            given,
            backbone(images),
            "two passes in eval mode",
            "switch dropout and the like off",
        )
        _same_maps(
            of,
            given,
            again.eval()(images),
            "two networks built after torch.manual_seed(0)",
            "draw weights from torch's own generator",
        )
        alone = backbone(images[1:2])
        _same_maps(
            of,
            [one[1:2] for one in given],
            alone,
            "an image alone and among others, in eval mode",
            "normalise within an image, never over the batch",
        )
    _check_copies(of, backbone, given, images)
    _check_gradients(of, backbone, images)


def _check_card(of: str, card: BackboneCard, backbone: Backbone) -> None:
    strides = backbone.features.strides
    true_strides = card.strides if len(card.strides) != len(strides) else None
    parameters = sum(parameter.numel() for parameter in backbone.vit.parameters())
    facts: list[tuple[str, object, object, bool]] = [
        (
            "parameters",
            card.parameters,
            parameters,
            abs(card.parameters - parameters) <= TRUE_WITHIN * parameters,
        ),
        ("width", card.width, backbone.width, card.width == backbone.width),
        (
            "strides",
            card.strides,
            strides,
            card.strides == strides if true_strides is None else set(strides) <= set(true_strides),
        ),
        ("mean", card.mean, backbone.mean, card.mean == backbone.mean),
        ("std", card.std, backbone.std, card.std == backbone.std),
    ]
    for field, told, true, right in facts:
        if not right:
            raise BrokenRuleError(
                f"{of}: the card must be true to the network",
                given=card.name,
                expected=f"{field} {true}, as the network has it",
                found=f"{told}",
                do="correct the card, or the network",
            )


def _check_maps(of: str, given: list[Tensor], asked: int) -> None:
    if len(given) > asked:
        raise BrokenRuleError(
            f"{of}.build must give as many maps as are asked for, or those that there are",
            expected=f"{asked} or fewer",
            found=f"{len(given)}",
        )
    for one in given:
        if not bool(torch.isfinite(one).all()):
            raise BrokenRuleError(
                f"{of}: feature maps must be finite",
                given="normalised images, random weights",
                found=f"NaN or infinity in {described(one)}",
            )
    sides = [one.shape[2] for one in given]
    if sides != sorted(sides, reverse=True):
        raise BrokenRuleError(
            f"{of}: maps must come shallow to deep",
            expected="sides that do not grow",
            found=str(sides),
        )


def _same_maps(of: str, one: list[Tensor], other: list[Tensor], given: str, do: str) -> None:
    for a, b in zip(one, other, strict=True):
        if not torch.allclose(a, b, atol=1e-4, rtol=1e-4):
            raise BrokenRuleError(
                f"{of}: the same image must give the same maps",
                given=given,
                found=f"maps that differ by {(a - b).abs().max().item():.3g}",
                do=do,
            )


def _check_copies(of: str, backbone: Backbone, given: list[Tensor], images: Tensor) -> None:
    """A copy calls its own network, not the one that it is a copy of."""
    rule = f"{of}: networks are copied and pickled, and a copy must be whole"
    do = "`maps` is a function of a module that calls the network it is given, and no other"
    with keeping(rule, given="copy.deepcopy and pickle", do=do), torch.no_grad():
        copies = [deepcopy(backbone), pickle.loads(pickle.dumps(backbone))]
        for copy in copies:
            for parameter in copy.parameters():
                parameter.zero_()
            changed = copy(images)
            if all(torch.equal(a, b) for a, b in zip(given, changed, strict=True)):
                raise BrokenRuleError(
                    rule, given="a copy whose weights are all 0", found="the maps as before", do=do
                )


def reached(parameters: Mapping[str, nn.Parameter]) -> set[str]:
    """The names of those that have a gradient other than 0."""
    return {
        name
        for name, parameter in parameters.items()
        if parameter.grad is not None and bool(parameter.grad.any())
    }


def _check_gradients(of: str, backbone: Backbone, images: Tensor) -> None:
    """In more than one step: a branch may start at zero, and let nothing through at first."""
    backbone.train()
    with keeping(f"{of}: a batch of one image must be trainable, for batches may be that small"):
        backbone(images[:1])
    trained = {name: p for name, p in backbone.vit.named_parameters() if p.requires_grad}
    generator = torch.Generator().manual_seed(6)
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-3)
    unused = set(trained)
    for _ in range(STEPS):
        maps = backbone(images)
        factors = [torch.randn(one.shape, generator=generator) for one in maps]
        products = [(one * by).mean() for one, by in zip(maps, factors, strict=True)]
        optimizer.zero_grad()
        torch.stack(products).sum().backward()
        unused -= reached(trained)
        optimizer.step()
    if unused:
        some = sorted(unused)[:5]
        raise BrokenRuleError(
            f"{of}: gradients must reach every parameter that the maps depend on",
            given=f"{STEPS} training steps, from random weights",
            found=f"none reaches {', '.join(some)}"
            + (f" and {len(unused) - len(some)} more" if len(unused) > len(some) else ""),
            do="no `detach` or `no_grad` on the way",
        )

"""Rules for the network that a family builds: its card, maps and gradients."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from usmt.backbone_family import BackboneCard, BackboneFamily
from usmt.errors import ConfigError
from usmt.model.backbone import Backbone
from usmt.testing.broken_rule import BrokenRuleError, described, keeping
from usmt.testing.built_network import built, distance, seeded

TRUE_WITHIN = 0.02
"""Share by which a card's number of parameters may be off."""
LARGEST = 2048
"""Side in pixels of the largest input that a card is thought to count parameters for."""
STEPS = 3


def check_encoder(
    family: BackboneFamily,
    card: BackboneCard,
    backbone: Backbone,
    again: Backbone,
    images: Tensor,
    maps: int,
) -> None:
    """A card that is true, and maps that are sound.

    Args:
        again: the network, built a second time from the same seed.
    """
    of = type(family).__name__
    backbone.eval()
    with keeping(f"{of}: `maps` must work in eval mode, for any number of images"):
        given = seeded(backbone, images)
        _check_maps(of, given, maps)
        # Only now: of maps that come deep to shallow it would say that the card is wrong.
        _check_card(family, card, backbone, images.shape[-1])
        for what, other, do in (
            (
                "two passes in eval mode",
                seeded(backbone, images, 1),
                "switch dropout and the like off",
            ),
            (
                "two networks built after torch.manual_seed(0)",
                seeded(again.eval(), images),
                "draw weights from torch's own generator",
            ),
        ):
            _check_same(of, given, other, what, do)
        alone = seeded(backbone, images[1:2])
        _check_same(
            of,
            [one[1:2] for one in given],
            alone,
            "an image alone and among others, in eval mode",
            "normalise within an image, never over the batch",
        )
    check_rows(of, backbone, images, "pretrained=False")


def _check_card(
    family: BackboneFamily, card: BackboneCard, backbone: Backbone, image_size: int
) -> None:
    strides = backbone.features.strides
    true_strides = card.strides if len(card.strides) != len(strides) else None
    parameters = sum(parameter.numel() for parameter in backbone.vit.parameters())
    facts: list[tuple[str, object, object, bool]] = [
        (
            "parameters",
            card.parameters,
            parameters,
            abs(card.parameters - parameters) <= TRUE_WITHIN * parameters
            or _fits_another_size(family, card, backbone.vit, image_size),
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
                f"{type(family).__name__}: the card must be true to the network",
                given=card.name,
                expected=f"{field} {true}, as the network has it",
                found=f"{told}",
                do="correct the card, or the network",
            )


def _fits_another_size(
    family: BackboneFamily, card: BackboneCard, network: nn.Module, image_size: int
) -> bool:
    """Whether the card may count position embeddings of another size of the input."""
    try:
        larger = built(family, card.name, image_size + card.multiple, len(card.strides)).module
    except BrokenRuleError as error:
        if isinstance(error.__cause__, ConfigError):
            return False  # a network of one size
        raise
    shapes = {name: parameter.shape for name, parameter in larger.named_parameters()}
    fixed = growing = 0
    for name, parameter in network.named_parameters():
        if shapes.get(name) == parameter.shape:
            fixed += parameter.numel()
        else:
            growing += parameter.numel()
    most = growing * (LARGEST / image_size) ** 2
    return growing > 0 and (
        (1 - TRUE_WITHIN) * fixed <= card.parameters <= (1 + TRUE_WITHIN) * fixed + most
    )


def _check_maps(of: str, given: list[Tensor], asked: int) -> None:
    if len(given) > asked:
        raise BrokenRuleError(
            f"{of}.build must give as many maps as are asked for, or those that there are",
            expected=f"{asked} or fewer",
            found=f"{len(given)}",
        )
    check_finite(of, given, "normalised images, random weights")
    sides = [one.shape[2] for one in given]
    if sides != sorted(sides, reverse=True):
        raise BrokenRuleError(
            f"{of}: maps must come shallow to deep",
            expected="sides that do not grow",
            found=str(sides),
        )


def check_finite(of: str, maps: list[Tensor], given: str) -> None:
    for one in maps:
        if not bool(torch.isfinite(one).all()):
            raise BrokenRuleError(
                f"{of}: feature maps must be finite",
                given=given,
                found=f"NaN or infinity in {described(one)}",
            )


def _check_same(of: str, one: list[Tensor], other: list[Tensor], given: str, do: str) -> None:
    if apart := distance(one, other):
        raise BrokenRuleError(
            f"{of}: the same image must give the same maps",
            given=given,
            found=f"maps that differ by {apart:.3g} of their largest value",
            do=do,
        )


def check_rows(of: str, backbone: Backbone, images: Tensor, given: str) -> None:
    """In training, too, an image's maps do not depend on the others of its batch."""
    rule = f"{of}: what a row gives must not depend on the rows it meets, in training too"
    others = torch.cat([images[:1], images[1:].flip(-1) * 2 + 1])
    backbone.train()
    with keeping(rule, given=f"three images, in train mode, {given}"):
        maps, again, beside = (
            [one[:1] for one in seeded(backbone, rows)] for rows in (images, images, others)
        )
    # What draws from elsewhere than torch differs from pass to pass, and tells nothing of rows.
    if not distance(maps, again) and (apart := distance(maps, beside)):
        raise BrokenRuleError(
            rule,
            given=f"the same image beside two others and then beside two more, in train mode, "
            f"{given}",
            found=f"maps that differ by {apart:.3g} of their largest value",
            do="a batch mixes tasks: use layer or group normalisation, and keep the statistics of "
            "pretrained batch normalisation as they are (torchvision's FrozenBatchNorm2d)",
        )


def reached(parameters: Mapping[str, nn.Parameter]) -> set[str]:
    """The names of those that have a gradient other than 0."""
    return {
        name
        for name, parameter in parameters.items()
        if parameter.grad is not None and bool(parameter.grad.any())
    }


def check_gradients(of: str, backbone: Backbone, images: Tensor) -> None:
    """In more than one step: a branch may start at zero, and let nothing through at first."""
    backbone.train()
    with keeping(f"{of}: a batch of one image must be trainable, for batches may be that small"):
        backbone(images[:1])
    trained = {
        name: parameter
        for name, parameter in backbone.vit.named_parameters()
        if parameter.requires_grad and parameter.numel()
    }
    if not trained:  # an encoder that is frozen on purpose
        return
    generator = torch.Generator().manual_seed(6)
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-3)
    unused = set(trained)
    for _ in range(STEPS):
        with keeping(f"{of}: the network must be trainable", given="a batch of three images"):
            maps = backbone(images)
            factors = [torch.randn(one.shape, generator=generator) for one in maps]
            products = [(one * by).mean() for one, by in zip(maps, factors, strict=True)]
            optimizer.zero_grad()
            torch.stack(products).sum().backward()
        unused -= reached(trained)
        if not unused:
            return
        optimizer.step()
    some = sorted(unused)[:5]
    raise BrokenRuleError(
        f"{of}: gradients must reach every parameter that the maps depend on",
        given=f"{STEPS} training steps, from random weights",
        found=f"none reaches {', '.join(some)}"
        + (f" and {len(unused) - len(some)} more" if len(unused) > len(some) else ""),
        do="no `detach` or `no_grad` on the way",
    )

"""Rules for what a family builds under other settings than those that are tried first."""

from __future__ import annotations

import torch
from torch import Tensor

from usmt.backbone_family import BackboneCard, BackboneFamily, Encoder
from usmt.errors import ConfigError
from usmt.model.backbone import Backbone
from usmt.testing.broken_rule import BrokenRuleError, keeping
from usmt.testing.built_network import as_trained, built, distance, images_of, seeded
from usmt.testing.encoder_rules import check_finite, check_rows
from usmt.testing.fixed_seed import fixed_seed

DROP_PATH = 0.5


def check_settings(
    family: BackboneFamily,
    card: BackboneCard,
    backbone: Backbone,
    pretrained: Backbone,
    image_size: int,
    maps: int,
) -> None:
    """The network made for pretrained weights, with blocks left out, and for another input.

    Args:
        backbone: the network as it is without these.
        pretrained: made for pretrained weights, which are not there yet.
    """
    of, images = type(family).__name__, images_of(image_size)
    _check_drop_path(family, card.name, backbone, images, maps)
    _check_alike(of, backbone, pretrained)
    check_rows(of, pretrained, images, "pretrained=True")
    _check_other_size(family, card, backbone, image_size, maps)


def _unless_refused(
    family: BackboneFamily, name: str, *of: int, drop_path: float
) -> Encoder | None:
    """None where the family says that a setting does not fit the network, as it may."""
    try:
        return built(family, name, *of, drop_path=drop_path, seed=1)
    except BrokenRuleError as error:
        if isinstance(error.__cause__, ConfigError):
            return None
        raise


def _check_drop_path(
    family: BackboneFamily, name: str, backbone: Backbone, images: Tensor, maps: int
) -> None:
    """Blocks are left out in training alone; from a state dict the network is what it was."""
    of, size = type(family).__name__, images.shape[-1]
    with_drop = _unless_refused(family, name, size, maps, drop_path=DROP_PATH)
    drop_path = DROP_PATH if with_drop is not None else 0.0
    encoder = with_drop or built(family, name, size, maps, seed=1)
    settings = f"drop_path={drop_path}"
    wanted, found = (each.state_dict().keys() for each in (backbone.vit, encoder.module))
    if wanted != found:
        raise BrokenRuleError(
            f"{of}.build must give the state dict the same names, whatever `drop_path` is",
            given=settings,
            expected=f"{len(wanted)} tensors, as with drop_path=0.0",
            found=f"{len(found)}; in one alone: {', '.join(sorted(wanted ^ found)[:4])}",
            do="keep what stands in a block's place where nothing is left out (nn.Identity)",
        )
    rule = f"{of}: what the maps depend on must be in the module's state dict"
    with keeping(rule, given=f"the state dict of a network, loaded by another, {settings}"):
        encoder.module.load_state_dict(backbone.vit.state_dict())
        trained = as_trained(family, name, encoder, size).eval()
        given = seeded(backbone.eval(), images)
        apart = max(distance(given, seeded(trained, images, seed)) for seed in range(3))
    if apart:
        raise BrokenRuleError(
            rule,
            given=f"the state dict of a network, loaded by another, {settings}, in eval mode",
            expected="the same maps",
            found=f"maps that differ by {apart:.3g} of their largest value",
            do="register tensors as parameters or buffers; leave blocks out in training alone",
        )
    rule = f"{of}: the network must be trainable with {settings}"
    with keeping(rule), fixed_seed():
        given = trained.train()(images)
        check_finite(of, given, f"train mode, {settings}")
        if given[-1].requires_grad:
            torch.stack([one.sum() for one in given]).sum().backward()


def _check_alike(of: str, backbone: Backbone, pretrained: Backbone) -> None:
    for field in ("features", "mean", "std"):
        usual, found = getattr(backbone, field), getattr(pretrained, field)
        if usual != found:
            raise BrokenRuleError(
                f"{of}.build must give the same maps and blocks, whatever `pretrained` is",
                given="pretrained=True",
                expected=f"{field} {usual}, as with pretrained=False",
                found=f"{found}",
            )
    if len(pretrained.blocks) != len(backbone.blocks):
        raise BrokenRuleError(
            f"{of}.build must give the same maps and blocks, whatever `pretrained` is",
            given="pretrained=True",
            expected=f"{len(backbone.blocks)} blocks, as with pretrained=False",
            found=f"{len(pretrained.blocks)}",
        )


def _check_other_size(
    family: BackboneFamily, card: BackboneCard, backbone: Backbone, image_size: int, maps: int
) -> None:
    of, larger = type(family).__name__, image_size + card.multiple
    encoder = _unless_refused(family, card.name, larger, maps, drop_path=0.0)
    if encoder is None:
        # A network of one size refuses any other; else the card is wrong.
        if _unless_refused(family, card.name, 2 * image_size, maps, drop_path=0.0) is None:
            return
        raise BrokenRuleError(
            f"{of}: the card must be true to the network",
            given=f"image_size {larger}, a multiple of {card.multiple} as the card has it",
            expected="a network",
            found="a ConfigError, but none for twice the size",
            do="correct `multiple` in the card",
        )
    given = f"image_size {larger} instead of {image_size}"
    rule = f"{of}.build must give a network for every size that the card allows"
    with keeping(rule, given=given):
        other = as_trained(family, card.name, encoder, larger).eval()
        check_finite(of, seeded(other, images_of(larger)), given)
    if other.features.channels != backbone.features.channels:
        raise BrokenRuleError(
            rule,
            given=given,
            expected=f"maps of {backbone.features.channels} channels, as at {image_size}",
            found=f"{other.features.channels}",
        )

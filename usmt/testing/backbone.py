"""`check_backbone`: what holds for every network of a family of backbones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usmt.backbone_family import BackboneCard, BackboneFamily
from usmt.errors import ConfigError
from usmt.testing.broken_rule import BrokenRuleError, described, keeping, told_alone
from usmt.testing.discovery import check_imports_nothing_slow
from usmt.testing.plugin_class import check_class
from usmt.testing.plugin_line import placed

if TYPE_CHECKING:
    from usmt.model.backbone import Backbone

JUNK_NAMES = (
    "",
    " ",
    "no_such_network",
    "a:b",
    "../weights.pth",
    "résumé",
    "x" * 300,
    "a.b.c",
    "*",
)


@told_alone
def check_backbone(
    family: type[BackboneFamily], name: str, *, image_size: int = 64, maps: int = 4
) -> None:
    """Checks one network of a family, with random weights: nothing is downloaded. Builds it with
    and without `pretrained`, `drop_path` and a larger input, and trains it for a few steps on the
    processor, so that a small network of the family is best.

    Args:
        family: the class.
        name: of the network, without the family.
        image_size: side of the square input in pixels: a multiple of the card's `multiple`, small.
        maps: number of feature maps that are asked for.

    Raises:
        BrokenRuleError: for the first rule that does not hold.
    """
    if not isinstance(family, type) or not issubclass(family, BackboneFamily):
        raise BrokenRuleError(
            "check_backbone needs the class of a family, a subclass of usmt.BackboneFamily",
            found=described(family),
        )
    with placed(family):
        check_imports_nothing_slow(family)
        check_class(family, BackboneFamily)
        with keeping(f"{family.__name__}() must work without arguments"):
            given = family()
        card = _check_names(given, name)
        _check_sizes(given, card, image_size, maps)
        _check_networks(given, card, image_size, maps)


def _check_networks(family: BackboneFamily, card: BackboneCard, image_size: int, maps: int) -> None:
    # They need torch, which the modules that plugins import must not.
    from usmt.testing.block_rules import check_blocks, check_calls
    from usmt.testing.built_network import as_trained, built, images_of
    from usmt.testing.copy_rules import check_copies
    from usmt.testing.encoder_rules import check_encoder, check_gradients
    from usmt.testing.fixed_seed import fixed_seed
    from usmt.testing.mixture_rules import check_mixture
    from usmt.testing.setting_rules import check_settings
    from usmt.testing.weight_rules import check_weight_file

    def network(pretrained: bool = False) -> Backbone:
        encoder = built(family, card.name, image_size, maps, pretrained=pretrained)
        return as_trained(family, card.name, encoder, image_size)

    of, images = type(family).__name__, images_of(image_size)
    with fixed_seed():
        backbone, again = network(), network()
        check_encoder(family, card, backbone, again, images, maps)
        check_blocks(of, backbone)
        check_copies(of, again, images)
        check_calls(of, backbone, images)
        check_gradients(of, backbone, images)
        pretrained = network(pretrained=True)
        check_settings(family, card, backbone, pretrained, image_size, maps)
        check_weight_file(family, card.name, pretrained, image_size, maps)
        if backbone.blocks:  # a network without them is trained without experts
            check_mixture(of, backbone, images)


def _check_names(family: BackboneFamily, name: str) -> BackboneCard:
    """What is known of the networks before one is built."""
    of = type(family).__name__
    for asked, expected in ((name, True), *((junk, False) for junk in JUNK_NAMES)):
        rule = f"{of}.has must say whether there is a network of a name, and never raise"
        with keeping(rule, given=f"{asked!r}"):
            has = family.has(asked)
        if has is not expected:
            raise BrokenRuleError(
                rule, given=f"{asked!r}", expected=str(expected), found=described(has)
            )
    with keeping(f"{of}.cards must list the networks of the family, and .card any that it has"):
        cards = list(family.cards())
        card = family.card(name)
    for each in (*cards, card):
        _check_card(family, each)
    if card.name != name:
        raise BrokenRuleError(
            f"{of}.card must give the card of the network that was asked for",
            expected=name,
            found=card.name,
        )
    names = [each.name for each in cards]
    if len(set(names)) < len(names):
        raise BrokenRuleError(f"{of}.cards must list each network once", found=", ".join(names))
    return card


def _check_card(family: BackboneFamily, card: BackboneCard) -> None:
    of = type(family).__name__
    if not isinstance(card, BackboneCard):
        raise BrokenRuleError(
            f"{of}.cards must be a list of usmt.BackboneCard", found=described(card)
        )
    lacking = [
        field
        for field, needed in (
            ("title", True),
            ("licence", bool(card.weights)),
            ("obtain", bool(card.weights or card.gated)),
        )
        if needed and not getattr(card, field)
    ]
    if lacking:
        raise BrokenRuleError(
            f"{of}: a card must tell people what they need to know before they use the network",
            given=card.name,
            expected="a title; where there are weights, their licence and how to obtain them",
            found=f"nothing for {', '.join(lacking)}",
        )
    for field, values, sound in (
        ("mean", card.mean, all(0 <= value <= 1 for value in card.mean)),
        ("std", card.std, all(0 < value <= 1 for value in card.std)),
    ):
        if not sound:
            raise BrokenRuleError(
                f"{of}: mean and std of a card must be those of RGB values in [0, 1]",
                given=card.name,
                expected=f"a {field} {'from 0' if field == 'mean' else 'above 0 and up'} to 1",
                found=f"{field} {values}",
                do="divide those of values from 0 to 255 by 255, in the card and the Encoder",
            )
    if not family.has(card.name):
        raise BrokenRuleError(f"{of}.has must know every network of `cards`", found=card.name)


def _check_sizes(family: BackboneFamily, card: BackboneCard, image_size: int, maps: int) -> None:
    """An input that does not fit is told."""
    of = type(family).__name__
    if image_size % card.multiple:
        raise BrokenRuleError(
            f"{of}: the check needs an image_size that the network takes",
            expected=f"a multiple of {card.multiple}",
            found=str(image_size),
            do="correct `multiple` in the card, or the call of check_backbone",
        )
    if card.multiple == 1:
        return
    rule = f"{of}.build must raise a ConfigError for an input that does not fit the network"
    given = f"image_size {image_size + 1}, where the card says a multiple of {card.multiple}"
    do = "check image_size first, and say which would fit"
    with keeping(rule, given=given, do=do):
        try:
            family.build(
                card.name, image_size=image_size + 1, maps=maps, drop_path=0.0, pretrained=False
            )
        except ConfigError:
            return
    raise BrokenRuleError(rule, given=given, expected="a ConfigError", found="a network", do=do)

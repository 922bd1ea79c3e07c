"""The family `timm`: every network of timm that is built in one of the known ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from usmt import BackboneCard, BackboneFamily, Encoder
from usmt_timm.cards import CARDS

if TYPE_CHECKING:
    from torch import Tensor


class TimmFamily(BackboneFamily):
    """Networks by timm's names, with or without the tag of their weights:
    `vit_base_patch16_dinov3.lvd1689m`, `convnext_tiny`."""

    name = "timm"

    def cards(self) -> Sequence[BackboneCard]:
        return CARDS

    def has(self, name: str) -> bool:
        if any(card.name == name for card in CARDS):
            return True
        architecture, dot, tag = name.partition(".")
        if dot and not tag:  # for timm itself as good as no dot
            return False
        import timm

        return bool(timm.is_model(architecture))

    def names(self) -> Sequence[str]:
        import timm

        return [*(card.name for card in CARDS), *timm.list_models()]

    def card(self, name: str) -> BackboneCard:
        """Of a network without a card: as timm describes it."""
        for card in CARDS:
            if card.name == name:
                return card
        from usmt_timm.describe import describe

        return describe(name)

    def build(
        self, name: str, *, image_size: int, maps: int, drop_path: float, pretrained: bool
    ) -> Encoder:
        from usmt_timm.networks import build

        return build(name, image_size, maps, drop_path, pretrained=pretrained)

    def published(self, name: str) -> tuple[Path, str]:
        from usmt_timm.weights import download

        return download(name)

    def converted(
        self, name: str, tensors: Mapping[str, Tensor], encoder: Encoder
    ) -> Mapping[str, Tensor]:
        from usmt_timm.weights import converted

        return converted(name, tensors, encoder.module)

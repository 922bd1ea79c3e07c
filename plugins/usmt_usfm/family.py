"""USFM: a BEiT-style ViT-B/16, pretrained on two million ultrasound images.

The network is timm's BEiT, made as USFM's own code (openmedlab/USFM, usdsgen) makes it to fine-tune
the released checkpoint: attention with biases of query and value but not of key, a table of
relative position biases in each block, layer scale, and the norm of pretraining at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usmt import (
    BackboneCard,
    BackboneFamily,
    Block,
    Encoder,
    WeightsError,
    check_image_size,
    spread_maps,
)

if TYPE_CHECKING:
    from torch import Tensor

PATCH = 16
REPOSITORY = "https://github.com/openmedlab/USFM"
CARD = BackboneCard(
    name="usfm",
    title="USFM ViT-B/16, ultrasound images",
    parameters=85_761_984,
    width=768,
    strides=(PATCH,),
    multiple=PATCH,
    # Of ImageNet: USFM's code for its downstream tasks normalises by it.
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    licence="CC BY-NC 4.0",
    weights=REPOSITORY,
    obtain=(
        f"Download USFM_latest.pth by the link in the README of {REPOSITORY}, and set "
        "backbone.weights to that file."
    ),
    citation="Jiao et al., Medical Image Analysis 96 (2024), doi 10.1016/j.media.2024.103202",
)

TABLE = "relative_position_bias_table"
SHARED_TABLE = f"rel_pos_bias.{TABLE}"


class USFMFamily(BackboneFamily):
    name = "usfm"

    def cards(self) -> Sequence[BackboneCard]:
        return [CARD]

    def has(self, name: str) -> bool:
        return name == CARD.name

    def build(
        self, name: str, *, image_size: int, maps: int, drop_path: float, pretrained: bool
    ) -> Encoder:
        import timm

        check_image_size(name, image_size, PATCH, "patch size")
        vit: Any = timm.create_model(
            "beit_base_patch16_224",
            pretrained=False,
            num_classes=0,
            global_pool="token",  # with mean pooling, BEiT has no norm before it
            img_size=image_size,
            drop_path_rate=drop_path,
        )
        taken = spread_maps(name, maps, len(vit.blocks))
        return Encoder(
            module=vit,
            maps=partial(_maps, taken=taken),
            blocks=[Block(block, CARD.width) for block in vit.blocks],
            mean=CARD.mean,
            std=CARD.std,
        )

    def published(self, name: str) -> tuple[Path, str]:
        raise WeightsError(
            f"the weights of {name} cannot be downloaded by usmt: its authors give them by a link",
            hint=f"{CARD.obtain} `none` starts from random weights.",
        )

    def converted(
        self, name: str, tensors: Mapping[str, Tensor], encoder: Encoder
    ) -> Mapping[str, Tensor]:
        """The released file has one table of relative position biases for all blocks; each block
        gets a copy, brought to the grid of the input as BEiT does it."""
        from usmt_usfm.position_bias import resized

        named = {
            key: tensor
            for key, tensor in _without_prefixes(tensors).items()
            if not key.startswith(_OF_PRETRAINING) and not key.endswith("relative_position_index")
        }
        if "fc_norm.weight" in named and "norm.weight" not in named:
            raise ValueError(
                "it holds the norm of mean-pooled features (fc_norm), so it was fine-tuned as a "
                "classifier, and has no norm of tokens"
            )
        blocks: Any = encoder.module.blocks
        rows = len(blocks[0].attn.relative_position_bias_table)
        own = [f"blocks.{i}.attn.{TABLE}" for i in range(len(blocks))]
        if SHARED_TABLE in named and not any(key in named for key in own):
            named |= dict.fromkeys(own, resized(named.pop(SHARED_TABLE), rows))
        return named | {key: resized(named[key], rows) for key in own if key in named}


_OF_PRETRAINING = ("mask_token", "decoder.", "lm_head.")
"""What masked image modelling has beside the encoder."""


def _without_prefixes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without those of a trainer and of the model of masked image modelling."""
    return {
        key.removeprefix("model.").removeprefix("encoder."): tensor
        for key, tensor in tensors.items()
    }


def _maps(vit: Any, images: Tensor, *, taken: list[int]) -> list[Tensor]:
    """(B, 3, H, W) -> patch tokens after the blocks `taken`, normed, each (B, D, H/16, W/16)."""
    maps: list[Tensor] = vit.forward_intermediates(
        images, indices=taken, norm=True, output_fmt="NCHW", intermediates_only=True
    )
    return maps

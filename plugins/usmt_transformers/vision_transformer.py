"""DINOv3's vision transformers, as the transformers library has them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from usmt import Block, Encoder, spread_maps
from usmt_transformers.networks import LAYER_SCALE, VisionTransformer

PATCH = 16
REGISTERS = 4


def build(
    name: str, network: VisionTransformer, image_size: int, maps: int, drop_path: float
) -> Encoder:
    """The network with random weights. Raises `ConfigError` for arguments that do not fit it."""
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    taken = spread_maps(name, maps, network.depth)
    vit = DINOv3ViTModel(
        DINOv3ViTConfig(
            patch_size=PATCH,
            image_size=image_size,
            hidden_size=network.width,
            intermediate_size=network.hidden,
            num_hidden_layers=network.depth,
            num_attention_heads=network.heads,
            num_register_tokens=REGISTERS,
            use_gated_mlp=network.gated,
            hidden_act="silu" if network.gated else "gelu",
            layerscale_value=LAYER_SCALE,
            drop_path_rate=float(drop_path),
            # An augmentation of pretraining: in training mode positions would be drawn at random.
            pos_embed_rescale=None,
        )
    )
    layers = _layers(vit)
    if drop_path:
        for depth, layer in enumerate(layers):  # the library has the same rate at all depths
            layer.drop_path.drop_prob = drop_path * depth / (len(layers) - 1)
    mean, std = network.pixels
    return Encoder(
        module=vit,
        maps=partial(_maps, taken=taken),
        blocks=[Block(layer, network.width) for layer in layers],
        mean=mean,
        std=std,
    )


def _layers(vit: nn.Module) -> Any:
    """The blocks, which newer releases of the library keep in a `model`."""
    return getattr(vit, "model", vit).layer


def _maps(vit: Any, images: Tensor, *, taken: Sequence[int]) -> list[Tensor]:
    """(B, 3, H, W) -> patch tokens after the blocks `taken`, normed, each (B, D, H/16, W/16).

    Goes through the blocks itself: what the library gives as hidden states is not normed, and it
    keeps those of all blocks.
    """
    tokens = vit.embeddings(images)
    positions = vit.rope_embeddings(images)
    maps = []
    for number, layer in enumerate(_layers(vit)):
        tokens = layer(tokens, position_embeddings=positions)
        if number in taken:
            patches = vit.norm(tokens)[:, 1 + REGISTERS :]
            grid = (images.shape[-2] // PATCH, images.shape[-1] // PATCH)
            maps.append(patches.transpose(1, 2).unflatten(2, grid))
    return maps

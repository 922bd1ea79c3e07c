"""DINOv3's ConvNeXt networks, as the transformers library has them."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn

from usmt import Block, ConfigError, Encoder
from usmt_transformers.networks import LAYER_SCALE, ConvNeXt


def build(name: str, network: ConvNeXt, image_size: int, maps: int, drop_path: float) -> Encoder:
    """The network with random weights. Raises `ConfigError` for arguments that do not fit it."""
    from transformers import DINOv3ConvNextConfig, DINOv3ConvNextModel

    stages = len(network.strides)
    if maps < 1:
        raise ConfigError(f"backbone {name}: {maps} feature maps asked of {stages} stages")
    convnext = DINOv3ConvNextModel(
        DINOv3ConvNextConfig(
            image_size=image_size,
            hidden_sizes=list(network.widths),
            depths=list(network.depths),
            layer_scale_init_value=LAYER_SCALE,
            drop_path_rate=float(drop_path),
        )
    )
    mean, std = network.pixels
    return Encoder(
        module=convnext,
        maps=partial(_maps, count=min(maps, stages)),
        blocks=[
            # The feed-forward part is not a module of its own here, so the mixture is added.
            Block(layer, width, mlp=None)
            for stage, width in zip(_stages(convnext), network.widths, strict=True)
            for layer in stage.layers
        ],
        mean=mean,
        std=std,
    )


def _stages(convnext: nn.Module) -> Any:
    """Newer releases of the library keep them in a `model`."""
    return getattr(convnext, "model", convnext).stages


def _maps(convnext: Any, images: Tensor, *, count: int) -> list[Tensor]:
    """(B, 3, H, W) -> the outputs of the last stages, at strides 4, 8, 16, 32, the very last after
    the final norm."""
    maps, features = [], images
    for stage in _stages(convnext):
        features = stage(features)
        maps.append(features)
    maps[-1] = convnext.layer_norm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return maps[-count:]

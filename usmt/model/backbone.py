"""The backbone: a vision transformer from timm that gives spatial feature maps."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import Tensor, nn

from usmt.errors import ConfigError, near
from usmt.model.weights import Provenance, load_weights
from usmt.task_type import Features

LAYER_SCALE = 0.1
"""What the layer scales of a network without pretrained weights start at: as CaiT has it for up to
18 blocks (arXiv 2103.17239, section 2). DINOv3's own start, 1e-5, is made for long pretraining: its
blocks would add next to nothing for the length of a small run."""


def build_backbone(
    name: str,
    *,
    weights: str,
    image_size: int,
    maps: int = 4,
    drop_path: float = 0.0,
    checkpointing: bool = False,
) -> Backbone:
    """A vision transformer of timm with its weights.

    Args:
        name: timm's name of a ViT whose blocks have an `mlp`, e.g.
            `vit_base_patch16_dinov3.lvd1689m`.
        weights: `pretrained`, `none`, or a local .safetensors or .pth file.
        image_size: side of the square input in pixels, a multiple of the patch size.
        maps: number of feature maps, from evenly spaced blocks, the last among them.
        drop_path: largest probability of leaving a block out in training; grows with depth.
        checkpointing: recompute the blocks' activations in the backward pass to save memory.

    Raises:
        ConfigError: unknown name, a network of another kind, or a size that does not fit.
        WeightsError: the weights cannot be had or are not of this network.
    """
    vit = _build(name, image_size, maps, drop_path)
    provenance = load_weights(vit, name, weights)
    if weights == "none":
        _wake(vit)
    return Backbone(vit, image_size, maps, provenance, checkpointing=checkpointing)


class Backbone(nn.Module):
    """Images (B, 3, H, W) -> feature maps [(B, C, h, w)], shallow to deep.

    All maps hold patch tokens only, after the network's final norm; the class and register tokens
    stay inside. What the maps do not depend on (attention pools, unused norms) is frozen, so that
    every trainable parameter gets a gradient.

    Attributes:
        blocks: the transformer's blocks, each with an `mlp`.
        width: D of the tokens.
        features: channels and strides of the maps.
        mean, std: of RGB values in [0, 1], which the input is normalised by.
        provenance: where the weights come from.
        checkpointing: whether the blocks' activations are to be recomputed.
    """

    vit: Any  # timm's classes of vision transformers have no common type

    def __init__(
        self,
        vit: nn.Module,
        image_size: int,
        maps: int,
        provenance: Provenance,
        *,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.vit = vit
        self.provenance = provenance
        self.checkpointing = checkpointing
        settings = self.vit.pretrained_cfg
        self.mean: tuple[float, float, float] = tuple(settings["mean"])
        self.std: tuple[float, float, float] = tuple(settings["std"])
        self.width = int(self.vit.embed_dim)
        depth = len(self.blocks)
        self._indices = [round((i + 1) * depth / maps) - 1 for i in range(maps)]
        self.features = self._try_out(image_size)

    @property
    def blocks(self) -> nn.ModuleList:
        return self.vit.blocks

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised images (B, 3, H, W) -> [(B, C, h, w)]."""
        maps: list[Tensor] = self.vit.forward_intermediates(
            images, indices=self._indices, norm=True, output_fmt="NCHW", intermediates_only=True
        )
        return maps

    def _try_out(self, image_size: int) -> Features:
        """The maps' true shapes, by one pass; freezes the parameters that they do not use."""
        self.eval()
        maps = self(torch.zeros(1, 3, image_size, image_size))
        parameters = list(self.parameters())
        total = torch.stack([one.sum() for one in maps]).sum()
        gradients = torch.autograd.grad(total, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.requires_grad_(gradient is not None)
        self.train()
        return Features(
            channels=tuple(one.shape[1] for one in maps),
            strides=tuple(image_size // one.shape[2] for one in maps),
        )


def _build(name: str, image_size: int, maps: int, drop_path: float) -> nn.Module:
    """timm's network without weights, known to be of the right kind."""
    _check_name(name)
    try:
        vit = timm.create_model(
            name, pretrained=False, num_classes=0, img_size=image_size, drop_path_rate=drop_path
        )
    except TypeError as error:  # networks of other kinds take no img_size
        raise _unsuitable(name) from error
    blocks = getattr(vit, "blocks", None)
    if not isinstance(blocks, nn.ModuleList | nn.Sequential) or not all(
        isinstance(getattr(block, "mlp", None), nn.Module) for block in blocks
    ):
        raise _unsuitable(name)
    strides = {level["reduction"] for level in vit.feature_info}
    if len(strides) != 1 or not hasattr(vit, "forward_intermediates"):
        raise _unsuitable(name)
    if not 1 <= maps <= len(blocks):
        raise ConfigError(f"backbone {name}: {maps} feature maps asked of {len(blocks)} blocks")
    (stride,) = strides
    if image_size % stride:
        below = image_size // stride * stride
        raise ConfigError(
            f"image_size {image_size} is not a multiple of the patch size {stride} of {name}",
            hint=f"Use {below or stride} or {below + stride}",
        )
    return vit


def _wake(vit: nn.Module) -> None:
    """Starts the layer scales of all blocks (timm calls them `gamma_1`, `ls1.gamma`, ...) at a
    value from which they can learn."""
    for name, parameter in vit.named_parameters():
        if name.rpartition(".")[2].startswith("gamma"):
            nn.init.constant_(parameter, LAYER_SCALE)


def _check_name(name: str) -> None:
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise ConfigError(
            f"timm has no network named '{name}'{near(architecture, timm.list_models())}",
            hint="Names: python -c \"import timm; print(*timm.list_models('vit_*'), sep='\\n')\"",
        )
    tags = timm.list_models(f"{architecture}.*", pretrained=True)
    if tag and name not in tags:
        raise ConfigError(
            f"timm has no weights '{tag}' for {architecture}{near(name, tags)}",
            hint=f"One of: {', '.join(tags) or 'none'}",
        )


def _unsuitable(name: str) -> ConfigError:
    return ConfigError(
        f"backbone {name}: not a plain vision transformer: it has no blocks[i].mlp with tokens of "
        "one width and stride, which the MoE and the feature maps need",
        hint="Use a ViT, e.g. vit_base_patch16_dinov3.lvd1689m or vit_tiny_patch16_224",
    )

"""The backbone: a network of one of the families, which gives spatial feature maps."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from usmt.backbone_family import Block, Encoder
from usmt.model.encoder_faults import check_encoder, check_maps, function_of, watched_blocks
from usmt.model.find_backbone import find_backbone
from usmt.model.weights import Provenance, load_weights
from usmt.plugin_faults import blamed
from usmt.plugins import Plugins
from usmt.task_type import Features


def build_backbone(
    plugins: Plugins,
    name: str,
    *,
    weights: str,
    image_size: int,
    maps: int = 4,
    drop_path: float = 0.0,
    checkpointing: bool = False,
    load: bool = True,
) -> Backbone:
    """A network of one of the plugins' families, with its weights.

    Args:
        name: of the network, e.g. `vit_base_patch16_dinov3.lvd1689m`, or `FAMILY:NAME`.
        weights: `pretrained`, `none`, or a local .safetensors or .pth file.
        image_size: side of the square input in pixels.
        maps: number of feature maps; a hierarchical network gives those that it has.
        drop_path: largest probability of leaving a block out in training; grows with depth.
        checkpointing: recompute the blocks' activations in the backward pass to save memory.
        load: False builds the same network without its weights, which are then not asked for: a
            checkpoint takes their place.

    Raises:
        ConfigError: unknown name, or an argument that does not fit this network.
        WeightsError: the weights cannot be had or are not of this network.
        PluginError: the family is missing, or its network is not what a backbone must be.
    """
    family, own_name = find_backbone(plugins, name)
    with blamed(f"the family {family.name}, building {own_name}", family):
        encoder = family.build(
            own_name,
            image_size=image_size,
            maps=maps,
            drop_path=drop_path,
            pretrained=weights != "none",
        )
    check_encoder(own_name, family, encoder)
    provenance = load_weights(encoder, family, own_name, weights if load else "none")
    full_name = f"{family.name}:{own_name}"
    with watched_blocks(own_name, family, encoder.blocks):
        return Backbone(full_name, encoder, image_size, provenance, checkpointing=checkpointing)


@dataclass(frozen=True, slots=True)
class BlockOfBackbone(Block):
    """A block as it is in a backbone.

    Attributes:
        added: the backbone's mixtures behind blocks without an Mlp, by number of the block. They
            are not parts of the blocks: a block may run all of its parts, as nn.Sequential does.
    """

    added: nn.ModuleDict = field(kw_only=True)


class Backbone(nn.Module):
    """Images (B, 3, H, W) -> feature maps [(B, C, h, w)], shallow to deep.

    What the maps do not depend on (attention pools, unused norms) is frozen, so that every
    trainable parameter gets a gradient.

    Attributes:
        name: `FAMILY:NAME`, which stays clear when other families come.
        blocks: where a mixture of experts can stand, shallow to deep.
        width: channels D of the last map.
        features: channels and strides of the maps.
        mean, std: of RGB values in [0, 1], which the input is normalised by.
        provenance: where the weights come from.
        checkpointing: whether the blocks' activations are to be recomputed.
    """

    blocks: tuple[BlockOfBackbone, ...]

    def __init__(
        self,
        name: str,
        encoder: Encoder,
        image_size: int,
        provenance: Provenance,
        *,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        # So named in checkpoints, since the time when all backbones were vision transformers.
        self.vit = encoder.module
        self.added = nn.ModuleDict()
        self.blocks = tuple(
            BlockOfBackbone(block.module, block.width, block.mlp, added=self.added)
            for block in encoder.blocks
        )
        self.mean, self.std = encoder.mean, encoder.std
        self.provenance = provenance
        self.checkpointing = checkpointing
        self._maps = encoder.maps
        own_name, function = name.partition(":")[2] or name, function_of(encoder.maps)
        with blamed(f"backbone {own_name}, given one image", function):
            self.features = self._try_out(own_name, image_size)
        self.width = self.features.channels[-1]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised images (B, 3, H, W) -> [(B, C, h, w)]."""
        return self._maps(self.vit, images)

    def _try_out(self, name: str, image_size: int) -> Features:
        """The maps' true shapes, by one pass; freezes the parameters that they do not use."""
        self.eval()
        maps = self(torch.zeros(1, 3, image_size, image_size))
        check_maps(name, function_of(self._maps), maps, image_size)
        if parameters := [one for one in self.parameters() if one.requires_grad]:
            total = torch.stack([one.sum() for one in maps]).sum()
            gradients = torch.autograd.grad(total, parameters, allow_unused=True)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.requires_grad_(gradient is not None)
        self.train()
        return Features(
            channels=tuple(one.shape[1] for one in maps),
            strides=tuple(image_size // one.shape[2] for one in maps),
        )

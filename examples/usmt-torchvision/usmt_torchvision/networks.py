"""torchvision's networks without their classifiers, and the maps that they give."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.models.convnext import CNBlock
from torchvision.ops import FrozenBatchNorm2d

from usmt import BackboneCard, Block, Encoder

LAYER_SCALE = 0.1
"""Of a ConvNeXt that starts at random; torchvision's 1e-6 is made for hundreds of epochs."""


def resnet(card: BackboneCard, maps: int, *, pretrained: bool) -> Encoder:
    """A ResNet.

    Batches of usmt mix tasks, and no row should depend on the others. So batch normalisation keeps
    to the statistics of the pretrained weights, and without those it is group normalisation.
    """
    normalisation = FrozenBatchNorm2d if pretrained else partial(nn.GroupNorm, 32)
    network = get_model(card.name, weights=None, norm_layer=normalisation)
    network.fc = nn.Identity()
    stages = (network.layer1, network.layer2, network.layer3, network.layer4)
    blocks = [Block(block, _width(block), mlp=None) for stage in stages for block in stage]
    return Encoder(network, partial(resnet_maps, maps), blocks, card.mean, card.std)


def resnet_maps(count: int, network: Any, images: Tensor) -> list[Tensor]:
    """The last maps of the four stages."""
    x = network.maxpool(network.relu(network.bn1(network.conv1(images))))
    maps = []
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        x = stage(x)
        maps.append(x)
    return maps[-count:]


def convnext(card: BackboneCard, maps: int, drop_path: float, *, pretrained: bool) -> Encoder:
    """A ConvNeXt."""
    network = get_model(card.name, weights=None, stochastic_depth_prob=drop_path)
    network.classifier = nn.Identity()
    modules = [module for module in network.features.modules() if isinstance(module, CNBlock)]
    if not pretrained:
        for module in modules:
            nn.init.constant_(module.layer_scale, LAYER_SCALE)
    blocks = [Block(module, len(module.layer_scale), mlp=None) for module in modules]
    return Encoder(network, partial(convnext_maps, maps), blocks, card.mean, card.std)


def convnext_maps(count: int, network: Any, images: Tensor) -> list[Tensor]:
    """The last maps of the four stages: each second part, behind the one that makes it smaller."""
    x, maps = images, []
    for number, part in enumerate(network.features):
        x = part(x)
        if number % 2:
            maps.append(x)
    return maps[-count:]


def _width(block: nn.Module) -> int:
    """Channels of what a ResNet's block gives: those of its last convolution."""
    convolutions = [each for each in block.children() if isinstance(each, nn.Conv2d)]
    return convolutions[-1].out_channels

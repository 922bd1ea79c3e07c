"""The family `torchvision`: `--set backbone.name=torchvision:resnet50`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from usmt import (
    BackboneCard,
    BackboneFamily,
    ConfigError,
    Encoder,
    WeightsError,
    check_image_size,
)

if TYPE_CHECKING:
    from torch import Tensor

MULTIPLE = 32
"""The stride of the deepest map, in pixels."""

RESNET = "He et al., Deep residual learning for image recognition, CVPR 2016"
CONVNEXT = "Liu et al., A ConvNet for the 2020s, CVPR 2022"


def _card(name: str, title: str, parameters: int, width: int, citation: str) -> BackboneCard:
    return BackboneCard(
        name=name,
        title=title,
        parameters=parameters,
        width=width,
        strides=(4, 8, 16, 32),
        multiple=MULTIPLE,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        licence="BSD-3-Clause (torchvision); trained on ImageNet-1k, which has terms of its own",
        weights=f"https://pytorch.org/vision/stable/models/generated/torchvision.models.{name}.html",
        obtain="Downloaded from download.pytorch.org when first used.",
        citation=citation,
    )


CARDS = (
    _card("resnet18", "ResNet-18", 11_176_512, 512, RESNET),
    _card("resnet34", "ResNet-34", 21_284_672, 512, RESNET),
    _card("resnet50", "ResNet-50", 23_508_032, 2048, RESNET),
    _card("convnext_tiny", "ConvNeXt-T", 27_818_592, 768, CONVNEXT),
    _card("convnext_small", "ConvNeXt-S", 49_453_152, 768, CONVNEXT),
    _card("convnext_base", "ConvNeXt-B", 87_564_416, 1024, CONVNEXT),
)


class Torchvision(BackboneFamily):
    """Hierarchical networks: four maps with strides of 4, 8, 16 and 32 pixels. Their blocks have no
    feed-forward part that experts could take the place of: a mixture is added to their output."""

    name = "torchvision"

    def cards(self) -> Sequence[BackboneCard]:
        return CARDS

    def has(self, name: str) -> bool:
        return any(card.name == name for card in CARDS)

    def build(
        self, name: str, *, image_size: int, maps: int, drop_path: float, pretrained: bool
    ) -> Encoder:
        from usmt_torchvision import networks

        check_image_size(name, image_size, MULTIPLE, "largest stride")
        if name.startswith("resnet"):
            if drop_path:
                raise ConfigError(
                    f"backbone {name}: it cannot leave blocks out (drop_path is {drop_path:g})",
                    hint="Set backbone.drop_path=0, or use a ConvNeXt.",
                )
            return networks.resnet(self.card(name), maps, pretrained=pretrained)
        return networks.convnext(self.card(name), maps, drop_path, pretrained=pretrained)

    def published(self, name: str) -> tuple[Path, str]:
        from urllib.parse import urlparse

        import torch
        from torchvision.models import get_model_weights

        url = get_model_weights(name).DEFAULT.url
        path = Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(url).path).name)
        if not path.exists():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                # Its name ends in the first digits of its SHA-256.
                torch.hub.download_url_to_file(url, str(path), path.stem.rpartition("-")[2], False)
            except (OSError, RuntimeError) as error:
                raise WeightsError(
                    f"the pretrained weights of {name} could not be had from {url}: {error}",
                    hint="Download that file where there is a network, and set backbone.weights "
                    "to its path, or to `none`.",
                ) from error
        return path, url

    def converted(
        self, name: str, tensors: Mapping[str, Tensor], encoder: Encoder
    ) -> Mapping[str, Tensor]:
        """Without the classifier, and without the counters that only training needs."""
        if not any(key.startswith(("layer1.", "features.")) for key in tensors):
            raise ValueError("its tensors have other names than those of torchvision")
        return {
            key: tensor
            for key, tensor in tensors.items()
            if not key.startswith(("fc.", "classifier.")) and "num_batches_tracked" not in key
        }

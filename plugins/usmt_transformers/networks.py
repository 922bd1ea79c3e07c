"""The networks of the family and their sizes, from Meta's repository (facebookresearch/dinov3): no
configuration has to be downloaded to build one."""

from __future__ import annotations

from dataclasses import dataclass

from usmt import BackboneCard

LICENCE = "dinov3-license"  # as the hub calls it
CITATION = "Siméoni et al., DINOv3, arXiv 2508.10104"

LAYER_SCALE = 0.1
"""What layer scales start at without pretrained weights, as in CaiT for up to 18 blocks (arXiv
2103.17239). DINOv3's own start, 1e-5, is made for long pretraining."""

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SATELLITE = ((0.430, 0.411, 0.296), (0.213, 0.156, 0.143))
"""Mean and std of RGB values in [0, 1], as Meta's transforms have them for its training sets."""


@dataclass(frozen=True, slots=True)
class VisionTransformer:
    """A ViT with patches of 16 pixels, a class token and four registers.

    Attributes:
        width: D of the tokens.
        hidden: width of the feed-forward networks.
        gated: whether those are SwiGLU; else they have one hidden layer and GELU.
    """

    title: str
    parameters: int
    width: int
    depth: int
    heads: int
    hidden: int
    gated: bool = False
    pixels: tuple[tuple[float, float, float], tuple[float, float, float]] = IMAGENET

    strides = (16,)


@dataclass(frozen=True, slots=True)
class ConvNeXt:
    """Four stages of convolutional blocks.

    Attributes:
        widths: channels of the stages.
        depths: numbers of blocks of the stages.
    """

    title: str
    parameters: int
    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    pixels: tuple[tuple[float, float, float], tuple[float, float, float]] = IMAGENET

    strides = (4, 8, 16, 32)

    @property
    def width(self) -> int:
        return self.widths[-1]


NETWORKS: dict[str, VisionTransformer | ConvNeXt] = {
    "facebook/dinov3-vitb16-pretrain-lvd1689m": VisionTransformer(
        "DINOv3 ViT-B/16", 85_660_416, 768, 12, 12, 3072
    ),
    "facebook/dinov3-vits16-pretrain-lvd1689m": VisionTransformer(
        "DINOv3 ViT-S/16", 21_596_544, 384, 12, 6, 1536
    ),
    "facebook/dinov3-vits16plus-pretrain-lvd1689m": VisionTransformer(
        "DINOv3 ViT-S+/16", 28_692_864, 384, 12, 6, 1536, gated=True
    ),
    "facebook/dinov3-vitl16-pretrain-lvd1689m": VisionTransformer(
        "DINOv3 ViT-L/16", 303_129_600, 1024, 24, 16, 4096
    ),
    "facebook/dinov3-vith16plus-pretrain-lvd1689m": VisionTransformer(
        "DINOv3 ViT-H+/16", 840_592_640, 1280, 32, 20, 5120, gated=True
    ),
    "facebook/dinov3-vitl16-pretrain-sat493m": VisionTransformer(
        "DINOv3 ViT-L/16, satellite images", 303_129_600, 1024, 24, 16, 4096, pixels=SATELLITE
    ),
    "facebook/dinov3-convnext-tiny-pretrain-lvd1689m": ConvNeXt(
        "DINOv3 ConvNeXt-T", 27_820_128, (96, 192, 384, 768), (3, 3, 9, 3)
    ),
    "facebook/dinov3-convnext-small-pretrain-lvd1689m": ConvNeXt(
        "DINOv3 ConvNeXt-S", 49_454_688, (96, 192, 384, 768), (3, 3, 27, 3)
    ),
    "facebook/dinov3-convnext-base-pretrain-lvd1689m": ConvNeXt(
        "DINOv3 ConvNeXt-B", 87_566_464, (128, 256, 512, 1024), (3, 3, 27, 3)
    ),
    "facebook/dinov3-convnext-large-pretrain-lvd1689m": ConvNeXt(
        "DINOv3 ConvNeXt-L", 196_230_336, (192, 384, 768, 1536), (3, 3, 27, 3)
    ),
}
"""By the name of their repository on the Hugging Face hub, the best known ones first."""


def card(name: str) -> BackboneCard:
    """Raises `KeyError` for a name that is not of `NETWORKS`."""
    network = NETWORKS[name]
    mean, std = network.pixels
    return BackboneCard(
        name=name,
        title=network.title,
        parameters=network.parameters,
        width=network.width,
        strides=network.strides,
        multiple=network.strides[-1],
        mean=mean,
        std=std,
        licence=LICENCE,
        weights=f"https://huggingface.co/{name}",
        gated=True,
        obtain=(
            f"Accept the licence at https://huggingface.co/{name} and log in (`hf auth login`, or "
            "a token in HF_TOKEN); they are then downloaded. Or set backbone.weights to the "
            "model.safetensors of that repository, or to the .pth file that Meta gives."
        ),
        citation=CITATION,
    )

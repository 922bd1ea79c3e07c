"""The well-known networks of timm, told without importing it. A test compares them with timm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from usmt import BackboneCard

Fields = dict[str, Any]

IMAGENET: Fields = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
HALF: Fields = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
CLIP: Fields = {
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
}
PATCH_16: Fields = {"strides": (16,) * 4, "multiple": 16}
PATCH_14: Fields = {"strides": (14,) * 4, "multiple": 14}
PYRAMID: Fields = {"strides": (4, 8, 16, 32), "multiple": 32}

FROM_HUB = "Downloaded from the Hugging Face hub when it is first used, and kept in its cache."
"""How to get the weights that timm publishes: none of its repositories is gated."""

DINOV3_TERMS = (
    f"{FROM_HUB} timm's copy is not gated, Meta's own repositories (facebook/dinov3-...) are; for "
    "either, Meta's licence: https://ai.meta.com/resources/models-and-libraries/dinov3-license/"
)
NOT_COMMERCIAL = f"{FROM_HUB} The licence forbids commercial use."

Row = tuple[str, str, int, int]


def _cards(rows: Iterable[Row], shared: Fields, **more: Any) -> list[BackboneCard]:
    """Cards from name, title, parameters and width; the weights are where timm keeps them."""
    return [
        BackboneCard(
            name=name,
            title=title,
            parameters=parameters,
            width=width,
            **{"weights": f"https://huggingface.co/timm/{name}", "obtain": FROM_HUB}
            | shared
            | more,
        )
        for name, title, parameters, width in rows
    ]


CARDS: tuple[BackboneCard, ...] = (
    *_cards(
        [
            ("vit_small_patch16_dinov3.lvd1689m", "DINOv3 ViT-S/16", 21_586_944, 384),
            ("vit_small_plus_patch16_dinov3.lvd1689m", "DINOv3 ViT-S+/16", 28_683_264, 384),
            ("vit_base_patch16_dinov3.lvd1689m", "DINOv3 ViT-B/16", 85_641_216, 768),
            ("vit_large_patch16_dinov3.lvd1689m", "DINOv3 ViT-L/16", 303_079_424, 1024),
            ("vit_huge_plus_patch16_dinov3.lvd1689m", "DINOv3 ViT-H+/16", 840_509_440, 1280),
        ],
        PATCH_16 | IMAGENET,
        licence="dinov3-license",
        obtain=DINOV3_TERMS,
        citation="DINOv3, arXiv 2508.10104",
    ),
    *_cards(
        [
            ("convnext_tiny.dinov3_lvd1689m", "DINOv3 ConvNeXt-T", 27_820_128, 768),
            ("convnext_small.dinov3_lvd1689m", "DINOv3 ConvNeXt-S", 49_454_688, 768),
            ("convnext_base.dinov3_lvd1689m", "DINOv3 ConvNeXt-B", 87_566_464, 1024),
            ("convnext_large.dinov3_lvd1689m", "DINOv3 ConvNeXt-L", 196_230_336, 1536),
        ],
        PYRAMID | IMAGENET,
        licence="dinov3-license",
        obtain=DINOV3_TERMS,
        citation="DINOv3, arXiv 2508.10104",
    ),
    *_cards(
        [
            ("vit_small_patch14_dinov2.lvd142m", "DINOv2 ViT-S/14", 22_056_192, 384),
            ("vit_base_patch14_dinov2.lvd142m", "DINOv2 ViT-B/14", 86_579_712, 768),
            ("vit_large_patch14_dinov2.lvd142m", "DINOv2 ViT-L/14", 304_367_616, 1024),
        ],
        PATCH_14 | IMAGENET,
        licence="apache-2.0",
        citation="DINOv2, arXiv 2304.07193",
    ),
    *_cards(
        [
            ("vit_small_patch14_reg4_dinov2.lvd142m", "DINOv2 ViT-S/14 reg.", 22_057_344, 384),
            ("vit_base_patch14_reg4_dinov2.lvd142m", "DINOv2 ViT-B/14 reg.", 86_582_016, 768),
            ("vit_large_patch14_reg4_dinov2.lvd142m", "DINOv2 ViT-L/14 reg.", 304_370_688, 1024),
        ],
        PATCH_14 | IMAGENET,
        licence="apache-2.0",
        citation="Vision Transformers Need Registers, arXiv 2309.16588",
    ),
    *_cards(
        [
            ("vit_base_patch16_224.mae", "MAE ViT-B/16", 85_798_656, 768),
            ("vit_large_patch16_224.mae", "MAE ViT-L/16", 303_301_632, 1024),
        ],
        PATCH_16 | IMAGENET,
        licence="cc-by-nc-4.0",
        obtain=NOT_COMMERCIAL,
        citation="Masked Autoencoders, arXiv 2111.06377",
    ),
    *_cards(
        [
            ("eva02_tiny_patch14_224.mim_in22k", "EVA-02 Ti/14", 5_502_144, 192),
            ("eva02_small_patch14_224.mim_in22k", "EVA-02 S/14", 21_621_120, 384),
            ("eva02_base_patch14_224.mim_in22k", "EVA-02 B/14", 85_758_720, 768),
            ("eva02_large_patch14_224.mim_m38m", "EVA-02 L/14", 303_268_800, 1024),
        ],
        PATCH_14 | CLIP,
        licence="mit",
        citation="EVA-02, arXiv 2303.11331",
    ),
    *_cards(
        [
            ("vit_tiny_patch16_224.augreg_in21k", "ViT-Ti/16, ImageNet-21k", 5_524_416, 192),
            ("vit_small_patch16_224.augreg_in21k", "ViT-S/16, ImageNet-21k", 21_665_664, 384),
            ("vit_base_patch16_224.augreg_in21k", "ViT-B/16, ImageNet-21k", 85_798_656, 768),
        ],
        PATCH_16 | HALF,
        licence="apache-2.0",
        citation="How to train your ViT?, arXiv 2106.10270",
    ),
    *_cards(
        [
            ("convnext_tiny.fb_in22k", "ConvNeXt-T, ImageNet-22k", 27_820_128, 768),
            ("convnext_small.fb_in22k", "ConvNeXt-S, ImageNet-22k", 49_454_688, 768),
            ("convnext_base.fb_in22k", "ConvNeXt-B, ImageNet-22k", 87_566_464, 1024),
        ],
        PYRAMID | IMAGENET,
        licence="apache-2.0",
        citation="A ConvNet for the 2020s, arXiv 2201.03545",
    ),
    *_cards(
        [("convnextv2_tiny.fcmae_ft_in22k_in1k", "ConvNeXt V2-T", 27_866_496, 768)],
        PYRAMID | IMAGENET,
        licence="cc-by-nc-4.0",
        obtain=NOT_COMMERCIAL,
        citation="ConvNeXt V2, arXiv 2301.00808",
    ),
    *_cards(
        [
            ("swin_tiny_patch4_window7_224.ms_in22k", "Swin-T, ImageNet-22k", 27_519_354, 768),
            ("swin_small_patch4_window7_224.ms_in22k", "Swin-S, ImageNet-22k", 48_837_258, 768),
            ("swin_base_patch4_window7_224.ms_in22k", "Swin-B, ImageNet-22k", 86_743_224, 1024),
        ],
        PYRAMID | IMAGENET,
        licence="mit",
        citation="Swin Transformer, arXiv 2103.14030",
    ),
    *_cards(
        [("swinv2_tiny_window8_256.ms_in1k", "Swin V2-T", 27_578_154, 768)],
        PYRAMID | IMAGENET,
        licence="mit",
        citation="Swin Transformer V2, arXiv 2111.09883",
    ),
    *_cards(
        [
            ("efficientnet_b0.ra_in1k", "EfficientNet-B0", 4_007_548, 320),
            ("efficientnet_b3.ra2_in1k", "EfficientNet-B3", 10_696_232, 384),
        ],
        PYRAMID | IMAGENET,
        licence="apache-2.0",
        citation="EfficientNet, arXiv 1905.11946",
    ),
    *_cards(
        [("tf_efficientnetv2_s.in21k_ft_in1k", "EfficientNetV2-S", 20_177_488, 256)],
        PYRAMID | HALF,
        licence="apache-2.0",
        citation="EfficientNetV2, arXiv 2104.00298",
    ),
    *_cards(
        [
            ("resnet18.a1_in1k", "ResNet-18", 11_176_512, 512),
            ("resnet50.a1_in1k", "ResNet-50", 23_508_032, 2048),
        ],
        PYRAMID | IMAGENET,
        licence="apache-2.0",
        citation="ResNet strikes back, arXiv 2110.00476",
    ),
    *_cards(
        [("vit_tiny_patch16_dinov3_qkvb", "ViT-Ti/16 built as DINOv3's", 5_489_664, 192)],
        PATCH_16 | IMAGENET,
        licence="fair-noncommercial-research-license",
        weights="https://huggingface.co/timm/vit_tiny_patch16_dinov3_qkvb.eupe_lvd1689m",
        obtain=f"{FROM_HUB} For research that is not commercial. Preset `small` starts without.",
        citation="DINOv3, arXiv 2508.10104; its weights: EUPE, arXiv 2603.22387",
    ),
    *_cards(
        [("test_vit.r160_in1k", "ViT for trying things out", 306_240, 64)],
        PATCH_16 | HALF,
        licence="apache-2.0",
        citation="timm, doi 10.5281/zenodo.4414861",
    ),
    *_cards(
        [
            ("test_convnext.r160_in1k", "ConvNeXt for trying things out", 207_128, 64),
            ("test_resnet.r160_in1k", "ResNet for trying things out", 372_688, 96),
        ],
        PYRAMID | HALF,
        licence="apache-2.0",
        citation="timm, doi 10.5281/zenodo.4414861",
    ),
    *_cards(
        [("test_efficientnet.r160_in1k", "EfficientNet for trying things out", 99_196, 64)],
        PYRAMID | IMAGENET,
        licence="apache-2.0",
        citation="timm, doi 10.5281/zenodo.4414861",
    ),
)

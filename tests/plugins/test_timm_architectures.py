"""One small network of each kind of timm: trained through usmt's door, or refused with its kind."""

from __future__ import annotations

import pytest
import torch

from usmt import ConfigError, TaskSpec, TaskType, load_plugins
from usmt.model.backbone import Backbone, build_backbone
from usmt.model.network import MoE, Network
from usmt_timm import TimmFamily

PLAIN = {  # with the depth, and the side of the input
    "test_vit": (6, 64),
    "test_vit_relpos": (9, 64),
    "deit_tiny_distilled_patch16_224": (12, 64),
    "vit_tiny_patch16_dinov3_qkvb": (12, 64),
    "eva02_tiny_patch14_224": (12, 56),
    "cait_xxs24_224": (24, 64),
    "convit_tiny": (12, 64),
    "vit_tiny_r_s16_p8_224": (12, 64),
    "xcit_nano_12_p16_224": (12, 64),
}
PYRAMIDS = {
    "test_convnext": 9,
    "convnextv2_atto": 12,
    "swin_tiny_patch4_window7_224": 12,
    "test_efficientnet": 5,
    "mobilenetv2_035": 17,
    "mobilenetv3_small_050": 12,
    "mobilenetv4_conv_small_035": 17,
    "test_resnet": 4,
    "skresnet18": 8,
}
OTHERS = {  # with timm's module, which the error names
    "vgg11": "vgg",
    "densenet121": "densenet",
    "hrnet_w18_small": "hrnet",
    "regnetx_002": "regnet",
    "mvitv2_tiny": "mvitv2",
    "hiera_tiny_224": "hiera",
    "pvt_v2_b0": "pvt_v2",
    "levit_128s": "levit",
    "poolformer_s12": "metaformer",
    "maxvit_tiny_tf_224": "maxxvit",
    "volo_d1_224": "volo",
    "mixer_s32_224": "mlp_mixer",
    "gemma4_vit_167m_enc": "gemma4_vit",
}


class Pooled(TaskType):
    """Reads all maps, so that every parameter matters."""

    name = "pooled"
    primary = "none"

    def decoder(self, features):
        return Joined(features.channels)

    def head(self, spec, channels):
        return torch.nn.Linear(channels, 2)

    def _unused(self, *args):
        raise AssertionError

    problems = wrap = target = loss = decode = metrics = selection_score = trivial = _unused
    draw_label = draw_result = _unused


class Joined(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.out_channels = sum(channels)

    def forward(self, maps):
        """Squared, for a normalised map has the same mean everywhere."""
        return torch.cat([one.square().mean((2, 3)) for one in maps], 1)


def built(name: str, size: int, **options: int) -> Backbone:
    torch.manual_seed(0)
    return build_backbone(
        load_plugins(), f"timm:{name}", weights="none", image_size=size, **options
    )


def check_trains(backbone: Backbone, size: int) -> None:
    """Experts in the last blocks; each parameter that is trained has a gradient."""
    tasks = [
        (
            TaskSpec(id=name, title=name, type="pooled", organ="any", dataset="any", flip="none"),
            Pooled(Pooled.Options()),
        )
        for name in ("a", "b")
    ]
    network = Network(tasks, backbone, moe=MoE(blocks=2, experts=2))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # as if trained: some branches start at zero
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    images = torch.randn(3, 3, size, size, generator=generator)
    outputs = network(images, [0, 1, 0])
    assert [outputs[name].shape for name in "ab"] == [(2, 2), (1, 2)]
    torch.cat(list(outputs.values())).square().sum().backward()
    without = [
        name
        for name, one in network.named_parameters()
        if one.requires_grad and (one.grad is None or not one.grad.any())
    ]
    assert without == []


@pytest.mark.parametrize("name", PLAIN)
def test_transformers_of_one_width_train(name):
    depth, size = PLAIN[name]
    backbone = built(name, size)
    card = TimmFamily().card(name)
    assert backbone.features.strides == card.strides and len(set(card.strides)) == 1
    assert backbone.features.channels == (card.width,) * 4
    assert len(backbone.blocks) == depth and {one.mlp for one in backbone.blocks} == {"mlp"}
    check_trains(backbone, size)


@pytest.mark.parametrize("name", PYRAMIDS)
def test_networks_with_maps_of_several_strides_train(name):
    backbone = built(name, 64)
    assert backbone.features.strides == (4, 8, 16, 32) == TimmFamily().card(name).strides
    assert backbone.width == TimmFamily().card(name).width
    assert len(backbone.blocks) == PYRAMIDS[name]
    check_trains(backbone, 64)


@pytest.mark.parametrize("name", OTHERS)
def test_other_kinds_are_refused_by_name(name):
    with pytest.raises(ConfigError, match=rf"another kind of network \({OTHERS[name]}\)"):
        built(name, 64)


@pytest.mark.parametrize("name", ["xcit_nano_12_p16_224", "vit_tiny_r_s16_p8_224", "test_vit"])
def test_a_size_that_does_not_fit_is_told_for_all_kinds(name):
    """timm asserts it in some networks, with no word of what would fit."""
    with pytest.raises(ConfigError, match=r"image_size 66 is not a multiple of"):
        built(name, 66)

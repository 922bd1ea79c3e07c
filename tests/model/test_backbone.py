"""The backbone gives spatial maps, and trains nothing that the maps do not use."""

from __future__ import annotations

import pytest
import timm
import torch

from usmt import load_plugins
from usmt.errors import ConfigError
from usmt.model.backbone import build_backbone

SIZE = 64


@pytest.mark.parametrize("name", ["vit_tiny_patch16_dinov3_qkvb", "vit_tiny_patch16_224"])
def test_maps_are_the_patch_tokens_of_evenly_spaced_blocks(make_backbone, images, name):
    backbone = make_backbone(name).eval()
    maps = backbone(images)
    assert [tuple(one.shape) for one in maps] == [(6, 192, 4, 4)] * 4
    assert backbone.features.channels == (192,) * 4
    assert backbone.features.strides == (16,) * 4
    assert backbone.width == 192 and len(backbone.blocks) == 12
    # By hand: the tokens after blocks 3, 6, 9, 12, normed, without the prefix tokens.
    seen = []
    hooks = [
        backbone.blocks[i].module.register_forward_hook(lambda _m, _a, out: seen.append(out))
        for i in (2, 5, 8, 11)
    ]
    backbone(images)
    for hook in hooks:
        hook.remove()
    for one, tokens in zip(maps, seen, strict=True):
        patches = backbone.vit.norm(tokens)[:, backbone.vit.num_prefix_tokens :]
        assert torch.allclose(one.flatten(2).transpose(1, 2), patches, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "frozen"),
    [
        ("vit_tiny_patch16_dinov3_qkvb", set()),
        ("vit_tiny_patch16_224", set()),
        ("vit_pe_core_tiny_patch16_384", {"attn_pool"}),
        ("cait_xxs24_224", {"cls_token", "blocks_token_only"}),
    ],
)
def test_every_trainable_parameter_gets_a_gradient(make_backbone, images, name, frozen):
    backbone = make_backbone(name)
    sum(one.square().sum() for one in backbone(images[:2])).backward()
    trainable = {n: p for n, p in backbone.vit.named_parameters() if p.requires_grad}
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in trainable.values())
    rest = {n.split(".")[0] for n, _ in backbone.vit.named_parameters() if n not in trainable}
    assert rest == frozen


def test_class_token_reaches_the_patches_and_is_trained(make_backbone):
    trainable = {n for n, p in make_backbone().vit.named_parameters() if p.requires_grad}
    assert {"cls_token", "reg_token", "norm.weight"} <= trainable


def test_normalisation_is_that_of_the_weights(make_backbone):
    entry = timm.get_pretrained_cfg("vit_tiny_patch16_dinov3_qkvb")
    assert (make_backbone().mean, make_backbone().std) == (entry.mean, entry.std)
    assert make_backbone("vit_tiny_patch16_224").mean == (0.5, 0.5, 0.5)


def test_number_of_maps_and_drop_path(make_backbone, images):
    backbone = make_backbone(maps=3, drop_path=0.2)
    assert len(backbone(images[:1])) == 3
    rates = [getattr(block.module.drop_path1, "drop_prob", 0.0) for block in backbone.blocks]
    assert rates[0] == 0 and rates[-1] == pytest.approx(0.2)
    assert backbone.training


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("vit_tiny_patch16_dinov3_qkv", SIZE, "did you mean 'vit_tiny_patch16_dinov3_qkvb'"),
        ("timm:vit_tiny_patch16_dinov3_qkv", SIZE, "did you mean 'vit_tiny_patch16_dinov3_qkvb'"),
        ("vit_base_patch16_dinov3.lvd1698m", SIZE, "vit_base_patch16_dinov3.lvd1689m"),
        ("vgg11", SIZE, "another kind of network"),
        ("resnetv2_50", SIZE, "another kind of network"),
        ("vit_dlittle_patch16_reg1_gap_256", 100, "Use 96 or 112"),
        ("hiera_tiny_224", SIZE, "another kind of network"),
        ("test_convnext", 100, "Use 96 or 128"),
        ("swin_tiny_patch4_window7_224", 100, "Use 96 or 128"),
        ("vit_small_patch14_dinov2", SIZE, "Use 56 or 70"),
        ("vit_tiny_patch16_224", 100, "Use 96 or 112"),
    ],
)
def test_names_and_sizes_that_do_not_work_say_why(name, size, said):
    with pytest.raises(ConfigError, match=said):
        build_backbone(load_plugins(), name, weights="none", image_size=size)

"""timm's networks as backbones: what the cards say is so, and batches do not matter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
from command_line import Usmt
from safetensors.torch import save_file
from torch import nn

from usmt import load_plugins
from usmt.errors import ConfigError, WeightsError
from usmt.model.backbone import Backbone, build_backbone
from usmt_timm import TimmFamily
from usmt_timm.describe import describe

FAMILY = TimmFamily()
WITH_BATCH_NORM = ("test_efficientnet", "test_resnet")


def build(name: str, weights: Path | str = "none", size: int = 64, **options) -> Backbone:
    torch.manual_seed(0)
    return build_backbone(load_plugins(), name, weights=str(weights), image_size=size, **options)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(3))


# -- cards


@pytest.mark.parametrize("card", FAMILY.cards(), ids=lambda card: card.name)
def test_a_card_says_what_timm_says(card):
    found = describe(card.name)
    for field in ("parameters", "width", "strides", "multiple", "licence", "weights", "gated"):
        assert getattr(card, field) == getattr(found, field), field
    assert (card.mean, card.std) == (found.mean, found.std)
    assert card.title and card.citation and card.obtain
    assert FAMILY.has(card.name) and FAMILY.card(card.name) is card


@pytest.mark.parametrize(
    "name",
    [
        *("vit_tiny_patch16_dinov3_qkvb", "vit_tiny_patch16_224", "eva02_tiny_patch14_224"),
        *("vit_small_patch14_reg4_dinov2", "convnextv2_atto", "swinv2_tiny_window8_256"),
        *("efficientnet_b0", "tf_efficientnetv2_b0", "resnet18", "test_convnext.r160_in1k"),
    ],
)
def test_a_card_says_what_is_built(name):
    card = FAMILY.card(name)
    backbone = build(name, size=2 * card.multiple, drop_path=0.1)
    assert backbone.features.strides == card.strides
    assert backbone.features.channels[-1] == backbone.width == card.width
    assert (backbone.mean, backbone.std) == (card.mean, card.std)
    plain = timm.create_model(name, num_classes=0)
    assert sum(p.numel() for p in plain.parameters()) == card.parameters


def test_networks_without_a_card_are_described_by_timm():
    card = FAMILY.card("convnext_pico")
    assert card.weights.startswith("https://huggingface.co/timm/convnext_pico.")
    assert FAMILY.card("eva_giant_patch14_224").licence  # stated, or said not to be
    assert FAMILY.card("vit_base_patch16_rope_224").strides == (16,) * 4
    assert not FAMILY.has("vit_of_nobody") and not FAMILY.has("")
    with pytest.raises(ConfigError, match="another kind of network"):
        FAMILY.card("vgg11")
    with pytest.raises(ConfigError, match=r"did you mean 'vit_base_patch16_dinov3\.lvd1689m'"):
        FAMILY.card("vit_base_patch16_dinov3.lvd1698m")


# -- maps


def test_maps_are_the_stages_outputs_and_the_last_one_is_normed(images):
    for name, norm in (
        ("test_convnext", lambda net, x: net.head.norm(x)),
        ("test_efficientnet", lambda _net, x: x),
    ):
        backbone = build(name).eval()
        stages = backbone.vit.forward_intermediates(images, indices=4, norm=True)[1]
        maps = backbone(images)
        assert len(maps) == 4
        assert all(torch.equal(a, b) for a, b in zip(maps[:3], stages[:3], strict=True))
        assert torch.equal(maps[3], norm(backbone.vit, stages[3]))
        assert len(build(name, maps=3)(images)) == 3


def test_original_patch_14_and_swiglu_learn(images):
    backbone = build("eva02_tiny_patch14_224", size=56)
    assert backbone.features.strides == (14,) * 4
    sum(one.square().sum() for one in backbone(images[:, :, :56, :56])).backward()
    assert all(p.grad.abs().sum() > 0 for p in backbone.parameters() if p.requires_grad)


def test_layer_scales_of_a_network_without_weights_can_learn():
    """ConvNeXt's start at 1e-6, for 300 epochs."""
    for name in ("test_convnext", "vit_tiny_patch16_dinov3_qkvb"):
        scales = {n: p for n, p in build(name).named_parameters() if "gamma" in n}
        assert scales and all(bool((p == 0.1).all()) for p in scales.values())


# -- batch normalisation


def with_statistics(name: str, path: Path) -> nn.Module:
    """timm's network after some training, and the file of its weights."""
    torch.manual_seed(1)
    network = timm.create_model(name, pretrained=False)
    for _ in range(3):
        network(torch.randn(8, 3, 64, 64) * 2 + 1)
    save_file(network.state_dict(), path)
    return network.eval()


@pytest.mark.parametrize("name", WITH_BATCH_NORM)
def test_pretrained_statistics_are_kept(tmp_path, images, name):
    """Training and evaluation see what timm's network gives in evaluation."""
    network = with_statistics(name, tmp_path / "w.safetensors")
    backbone = build(name, tmp_path / "w.safetensors")
    expected = network.forward_intermediates(images, indices=4, intermediates_only=True)
    for mode in (True, False):
        maps = backbone.train(mode)(images)
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(maps, expected, strict=True))
    buffers = {n: b.clone() for n, b in backbone.named_buffers()}
    assert any(n.endswith("running_mean") for n in buffers)
    backbone.train()(images + 3)
    assert all(torch.equal(b, buffers[n]) for n, b in backbone.named_buffers())
    assert set(backbone.provenance.ignored) <= {
        *("classifier.weight", "classifier.bias", "fc.weight", "fc.bias")
    }


@pytest.mark.parametrize("name", WITH_BATCH_NORM)
def test_without_weights_each_image_is_normalised_by_itself(images, name):
    backbone = build(name)
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in backbone.modules())
    together = backbone.train()(images)
    alone = backbone(images[:1])
    assert all(torch.allclose(a[:1], b, atol=1e-5) for a, b in zip(together, alone, strict=True))
    assert not list(backbone.named_buffers())


def test_a_network_of_pretrained_weights_is_built_alike_without_them(tmp_path):
    """As for a checkpoint, when the file is gone."""
    gone = build("test_efficientnet", tmp_path / "gone.pth", load=False)
    assert any(name.endswith("running_mean") for name, _ in gone.named_buffers())
    with pytest.raises(WeightsError, match="no weights at"):
        build("test_efficientnet", tmp_path / "gone.pth")


# -- weights


@pytest.mark.parametrize("name", ["test_convnext", "swin_tiny_patch4_window7_224"])
def test_weights_for_another_size_of_input_load(tmp_path, name):
    torch.manual_seed(1)
    network = timm.create_model(name, pretrained=False)
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    backbone = build(name, tmp_path / "w.safetensors")
    key = next(key for key in network.state_dict() if key.endswith("mlp.fc1.weight"))
    assert torch.equal(backbone.vit.state_dict()[key], network.state_dict()[key])
    wrong = {key: value for key, value in network.state_dict().items() if "mlp.fc1" not in key}
    save_file(wrong, tmp_path / "wrong.safetensors")
    with pytest.raises(WeightsError, match=f"not weights of {name}"):
        build(name, tmp_path / "wrong.safetensors")


# -- all task types, start to end


def test_all_task_types_train_resume_and_are_scored(usmt: Usmt, tmp_path: Path):
    """On pretrained weights, with a mixture of experts; the file is gone when the run goes on."""
    file = tmp_path / "w.safetensors"
    with_statistics("test_efficientnet", file)
    out = tmp_path / "run"
    types = ("fetal_head", "fetal_plane_cls", "fetal_femur", "thyroid_nodule_det")
    settings = {
        "backbone": {"name": "timm:test_efficientnet", "weights": str(file)},
        "image_size": 64,
        "epochs": 1,
        "moe": {"experts": 2, "blocks": 3, "top_k": 1},
        "data": {"phantom": {"images": 12, "size": 64}},
        "task_types": {
            "segmentation": {"fusion_channels": 16, "intermediate_channels": [16, 16, 16, 16]}
        },
    }
    (tmp_path / "config.yaml").write_text(json.dumps(settings))
    chosen = [part for task in types for part in ("--task", task)]
    answer = usmt("train", *chosen, "--config", tmp_path / "config.yaml", "--out", out)
    assert answer.code == 0, answer.err
    file.unlink()
    config = (out / "config.yaml").read_text()
    (out / "config.yaml").write_text(config.replace("epochs: 1\n", "epochs: 2\n"))
    (out / "scores.json").unlink()  # as if it had been stopped
    answer = usmt("train", "--resume", out)
    assert answer.code == 0, answer.err
    answer = usmt("evaluate", out, "--split", "test", "--json")
    assert answer.code == 0, answer.err
    assert set(answer.data["tasks"]) == set(types)
